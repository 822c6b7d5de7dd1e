--- The plan of `stop` and `down`: dependents before what they depend on, siblings in parallel. Pure.
local table_ = require "holos.core.table"

local M = {}

local function needs(spec, service)
  for _, dependency in ipairs(spec.depends_on or {}) do
    if dependency.service == service then return true end
  end
  return false
end

-- The stops that come before that of a service: of its dependents; where one of these is not stopped, of its own.
local function stops_before(instances, stop_ids, service, ids, seen)
  for _, name in ipairs(table_.keys(instances)) do
    local spec = instances[name].spec
    if needs(spec, service) and not seen[name] then
      seen[name], ids[#ids + 1] = true, stop_ids[name]
      if not stop_ids[name] then stops_before(instances, stop_ids, spec.service, ids, seen) end
    end
  end
  return ids
end

-- One whose pre_stop fails runs on, and so does what it depends on; the others are stopped all the same.
local function stop(record, name, after, because)
  return { id = "stop/" .. name, kind = "instance.stop", instance = name, after = after, because = because,
    optional = record.instances[name].spec.pre_stop and true or nil }
end

--- Stops the chosen instances, and moves them to the trash when `trash` is set. One that was not seen to run is stopped,
--- too: its supervisor may be about to start it again, which only the stop itself, under the instance's lock, can tell.
---@param record table                    the project's record
---@param chosen table<string, boolean>   instance names
---@param trash boolean
---@return holos.Action[] actions
function M.make(record, chosen, trash)
  local actions, stop_ids = {}, {}
  local names = {}
  for _, name in ipairs(table_.keys(record.instances)) do
    if chosen[name] then names[#names + 1], stop_ids[name] = name, "stop/" .. name end
  end
  for _, name in ipairs(names) do
    local after = stops_before(record.instances, stop_ids, record.instances[name].spec.service, {}, {})
    actions[#actions + 1] = stop(record, name, after, trash and "down" or "stop")
    if trash then
      actions[#actions + 1] = { id = "trash/" .. name, kind = "instance.trash", instance = name,
        after = { stop_ids[name] }, because = "down" }
    end
  end
  return actions
end

return M
