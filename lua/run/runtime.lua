--- runtime.json of an instance: what is true until the host reboots (pid, ports, how far its logs go).
--- Effects: reads and writes one file, by rename and without fsync: after a crash of the host it is worthless anyway.
local err = require "holos.core.err"

local M = {}

local MAX_BYTES = 1 << 20

local function file_of(state, project, name) return state:instance(project, name) .. "/runtime.json" end

--- Whether a value is what this module writes: whoever else writes here must not make us signal a stranger.
function M.is_sound(value)
  if type(value) ~= "table" or type(value.boot_id) ~= "string" then return false end
  if value.pid == nil then return true end
  return math.type(value.pid) == "integer" and math.type(value.start_time) == "integer"
end

--- What was written in this boot of the host; nil when there is nothing or the host was rebooted since.
---@return table? runtime
---@return "absent"|"rebooted"|nil why
function M.load(world, state, project, name)
  local file = file_of(state, project, name)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and code == "ENOENT" then return nil, "absent" end
  err.check(name, text, message, code)
  local value = world.json.decode(text, {})
  if not M.is_sound(value) then
    err.raise { message = ("%s: damaged; whether %s runs cannot be told"):format(file, name), code = "EDAMAGED",
      hint = "look for its QEMU (its -name is guest=project/instance); when there is none, remove the file" }
  end
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
  local process, message, code = world.proc.open(runtime.pid, runtime.start_time)
  if not process and code ~= "ESRCH" then err.raise { message = message, code = code } end
  return process
end

return M
