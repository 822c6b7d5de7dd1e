--- When the machines of a service are started again, and what is kept of what they say. Pure.
local M = {}

local OF_CONDITION = { none = "no", ["on-failure"] = "on-failure", any = "always" }

--- "on-failure:3" → {policy = "on-failure", max_attempts = 3}
local function of_text(text)
  local policy, most = text:match("^([%l-]+):?(%d*)$")
  return { policy = policy, max_attempts = math.tointeger(tonumber(most)) }
end

local function of_deploy(policy)
  return { policy = OF_CONDITION[policy.condition or "any"], max_attempts = policy.max_attempts, delay_ms = policy.delay,
    window_ms = policy.window }
end

--- What a service says of restarts, in its own words or in Swarm's, which win; nil for never.
---@return holos.RestartPolicy?
function M.restart(service)
  local swarm = service.deploy and service.deploy.restart_policy
  local restart = swarm and of_deploy(swarm) or service.restart and of_text(service.restart) or { policy = "no" }
  local wanted = service.restart_on_unhealthy
  if wanted then
    restart.on_unhealthy = true
    restart.max_unhealthy = math.type(wanted) == "integer" and wanted or nil
  end
  if restart.policy == "no" and not restart.on_unhealthy then return nil end
  return restart
end

--- How much of the console's log is kept; nil for what is usual.
---@return {max_bytes: integer?, max_files: integer?}?
function M.logging(service)
  local options = service.logging and service.logging.options
  if not options or not (options["max-size"] or options["max-file"]) then return nil end
  return { max_bytes = options["max-size"], max_files = options["max-file"] }
end

return M
