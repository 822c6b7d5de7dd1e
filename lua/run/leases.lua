--- The ports that a record keeps for its instances, so that they get the same ones at every launch. Effects: reads
--- runtimes.
local err = require "holos.core.err"
local runtime = require "holos.run.runtime"

local M = {}

local function recall(entry, now, applied)
  if applied and now.ports and now.ports[1] then entry.leased = runtime.leased(applied, now.ports) end
end

--- As recall, from what was observed already.
function M.recall_seen(record, instances)
  for name, seen in pairs(instances) do
    if seen.running then recall(record.instances[name], seen.runtime, seen.applied) end
  end
end

local function look(world, state, project, name, entry)
  local now = runtime.load(world, state, project, name)
  local process <close> = runtime.process(world, now)
  if process then recall(entry, now, runtime.applied(state, project, name, now)) end
end

--- Takes the ports of what runs into the record: whoever launched it may have been killed before he could. What is
--- damaged is told by those who need it.
function M.recall(world, state, record)
  for name, entry in pairs(record.instances) do
    local ok, problem = pcall(look, world, state, record.name, name, entry)
    if not ok and not err.is(problem, "EDAMAGED") then error(problem, 0) end
  end
end

return M
