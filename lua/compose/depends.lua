--- Dependencies between services: services.*.depends_on. Pure.

local M = {}

--- What a dependent waits for: Docker's word or ours → ours. "auto": healthy where there is a check, else started.
M.conditions = {
  auto = "auto", started = "started", ready = "ready", provisioned = "provisioned", healthy = "healthy",
  completed = "completed", service_started = "started", service_ready = "ready", service_provisioned = "provisioned",
  service_healthy = "healthy", service_completed_successfully = "completed",
}

--- The words that files use.
M.words = {
  "service_started", "service_ready", "service_provisioned", "service_healthy", "service_completed_successfully",
  "started", "ready", "provisioned", "healthy", "completed", "auto",
}

--- The condition in our words.
---@return string? condition
---@return string? message
---@return string? hint
function M.parse_condition(text)
  local condition = M.conditions[text]
  if condition then return condition end
  return nil, ('unknown condition "%s"'):format(text), "one of service_started, service_ready, service_provisioned, "
    .. "service_healthy, service_completed_successfully"
end

--- The short form {"db", "cache"} as the long one {db = {condition = "auto"}, …}; positions move along.
---@param list table   `false` for items that were refused
---@param marks table  marks[container][key]
---@param repeated fun(position: integer, name: string)  told of names that stand twice
function M.from_list(list, marks, repeated)
  local map, map_marks = {}, {}
  for position, name in ipairs(list) do
    if map[name] then
      repeated(position, name)
    elseif name then
      map[name] = { condition = "auto" }
      map_marks[name] = marks[list] and marks[list][position]
    end
  end
  marks[map] = map_marks
  return map
end

return M
