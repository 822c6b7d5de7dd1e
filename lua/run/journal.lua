--- The event log of a project: events/<project>.jsonl, one JSON object a line. Effects: appends.
local M = {}

--- Appends one event. A log that cannot be written is no reason to fail: the caller is told and goes on.
---@param event table  {type = "instance.launched", instance = "web-0", …}
---@return true? ok
---@return string? message
function M.append(world, state, project, event)
  event.time = world.clock.iso(world.clock.utc_ms())
  local line, message, code = world.json.encode(event, {})
  if not line then return nil, message, code end
  return world.fs.append(state:events(project), line .. "\n", { mode = tonumber("600", 8) })
end

return M
