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
local function tells_nothing(spec)
  return not spec.image.path or spec.boot ~= nil and spec.boot.kernel ~= nil
end

--- What `up` waits for at the end.
---@param wanted string?  for this run, of the command line
function M.goal(spec, wanted)
  if wanted or spec.ready then return wanted or spec.ready end
  if spec.healthcheck then return "healthy" end
  return tells_nothing(spec) and "running" or "provisioned"
end

local function problem_of(project, service, dependency)
  local other = project.services[dependency.service]
  local condition = dependency.condition:gsub("^service_", "")
  if condition:find("^completed") then
    return ("%s: depends_on %s: waiting for a machine to have completed is not available yet"):format(service.name,
      dependency.service)
  end
  if condition == "healthy" and other and not other.healthcheck then
    return ("%s: depends_on %s: it is to be healthy, and has no healthcheck"):format(service.name, dependency.service)
  end
end

--- Dependencies that can never be met.
---@return {message: string}[]
function M.findings(project, service)
  local findings = {}
  for _, dependency in ipairs(service.depends_on) do
    local message = problem_of(project, service, dependency)
    if message then findings[#findings + 1] = { message = message } end
  end
  return findings
end

return M
