--- What is waited for: by dependents before they start, and by `up` at its end. Pure.
local M = {}

--- What an instance must have reached before a dependent starts: healthy where it has a check, else running.
---@param condition string  "auto", "started", "ready", "provisioned", "healthy", or Docker's word for one of them
---@return "running"|"ready"|"provisioned"|"healthy"
function M.of(spec, condition)
  local word = condition:gsub("^service_", "")
  if word == "auto" then return spec.healthcheck and "healthy" or "running" end
  return word == "started" and "running" or word
end

--- Guests without a seed that they are known to read tell nothing: what runs is all that is known of them.
function M.tells_nothing(spec)
  return not (spec.image.path or spec.image.name) or spec.boot ~= nil and spec.boot.kernel ~= nil
end

--- What `up` waits for at the end.
---@param wanted string?  for this run, of the command line
function M.goal(spec, wanted)
  if wanted or spec.ready then return wanted or spec.ready end
  if spec.healthcheck then return "healthy" end
  return M.tells_nothing(spec) and "running" or "provisioned"
end

--- The same as far as a report can tell of it; nil where it tells nothing.
---@return "ready"|"provisioned"|nil
function M.reported(spec)
  local goal = M.goal(spec)
  if goal == "healthy" then return "provisioned" end
  return goal ~= "running" and goal or nil
end

return M
