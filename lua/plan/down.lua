--- The plan of `stop` and `down`: dependents before what they depend on, siblings in parallel. Pure.
local table_ = require "holos.core.table"

local M = {}

local function dependents_of(instances, chosen, service)
  local names = {}
  for _, name in ipairs(table_.keys(instances)) do
    for _, dependency in ipairs(instances[name].spec.depends_on or {}) do
      if chosen[name] and dependency.service == service then names[#names + 1] = name end
    end
  end
  return names
end

--- Stops the chosen instances, and moves them to the trash when `trash` is set.
---@param record table                    the project's record
---@param chosen table<string, boolean>   instance names
---@param running table<string, boolean>  instances with a live process
---@param trash boolean
---@return holos.Action[] actions
function M.make(record, chosen, running, trash)
  local actions, stop_ids = {}, {}
  local names = {}
  for _, name in ipairs(table_.keys(record.instances)) do
    if chosen[name] then names[#names + 1] = name end
    if chosen[name] and running[name] then stop_ids[name] = "stop/" .. name end
  end
  for _, name in ipairs(names) do
    local after = {}
    for _, dependent in ipairs(dependents_of(record.instances, chosen, record.instances[name].spec.service)) do
      after[#after + 1] = stop_ids[dependent]
    end
    if stop_ids[name] then
      actions[#actions + 1] = { id = stop_ids[name], kind = "instance.stop", instance = name, after = after,
        because = trash and "down" or "stop" }
    end
    if trash then
      actions[#actions + 1] = { id = "trash/" .. name, kind = "instance.trash", instance = name,
        after = { stop_ids[name] }, because = "down" }
    end
  end
  return actions
end

return M
