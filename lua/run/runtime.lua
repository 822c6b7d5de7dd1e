--- runtime.json of an instance: what is true until the host reboots (pid, ports, how far its logs go).
--- Effects: reads and writes one file, by rename and without fsync: after a crash of the host it is worthless anyway.
local err = require "holos.core.err"

local M = {}

local MAX_BYTES = 1 << 20

local function file_of(state, project, name) return state:instance(project, name) .. "/runtime.json" end

--- What was written in this boot of the host; nil when there is nothing or the host was rebooted since.
---@return table? runtime
---@return "absent"|"rebooted"|nil why
function M.load(world, state, project, name)
  local text = world.fs.read(file_of(state, project, name), { max_bytes = MAX_BYTES })
  local value = text and world.json.decode(text, {})
  if type(value) ~= "table" then return nil, "absent" end
  if value.boot_id ~= world.proc.boot_id() then return nil, "rebooted" end
  return value
end

function M.save(world, state, project, name, value)
  value.boot_id = world.proc.boot_id()
  err.check("runtime", world.fs.write_atomic(file_of(state, project, name), world.json.encode(value, { indent = 1 }),
    { mode = tonumber("600", 8), sync = false }))
end

--- The live process that a runtime names, nil when it is gone. The caller closes it.
function M.process(world, runtime)
  if not runtime or not runtime.pid then return nil end
  return world.proc.open(runtime.pid, runtime.start_time)
end

return M
