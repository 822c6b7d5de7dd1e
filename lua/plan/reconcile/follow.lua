--- What becomes of an instance because of those that it depends on, or that depend on it: restarted with them, left alone
--- when its work is done. Pure.
local diff = require "holos.plan.diff"
local shutdown = require "holos.plan.shutdown"

local M = {}

local function waits_for_end(specs)
  local services = {}
  for _, spec in ipairs(specs) do
    for _, dependency in ipairs(spec.depends_on) do
      if dependency.condition:find "completed$" or dependency.condition:find "completed_successfully$" then
        services[dependency.service] = true
      end
    end
  end
  return services
end

-- Others waited for it to switch itself off, it did, and nothing of it has changed.
local function is_done(context, decision)
  local spec = decision.spec
  local seen, entry = context.observed.instances[spec.name], context.record.instances[spec.name]
  if decision.kind ~= "go" or seen.running or entry.desired ~= "running" then return false end
  local gravest = diff.gravest(decision.changes)
  return seen.runtime ~= nil and seen.runtime.exit == shutdown.POWERED_OFF and (gravest == nil or gravest == "live")
end

--- The service that an instance depends on and is restarted with.
---@param restarted table<string, boolean>  services
---@return string?
function M.cause(spec, restarted)
  for _, dependency in ipairs(spec.depends_on) do
    if dependency.restart and restarted[dependency.service] then return dependency.service end
  end
end

--- Notes on decisions, in start order, that their instances follow a service that is restarted (`follows`), or that they are
--- done (`is_done`).
---@param needs_restart fun(decision: holos.Decision, seen: table): boolean
function M.mark(context, decisions, needs_restart)
  local ends, restarted = waits_for_end(context.specs), {}
  for _, decision in ipairs(decisions) do
    local spec = decision.spec
    local seen = context.observed.instances[spec.name]
    decision.is_done = ends[spec.service] and is_done(context, decision) or nil
    decision.follows = decision.kind == "go" and seen.running and M.cause(spec, restarted) or nil
    local is_restarted = decision.kind == "recreate" or decision.kind == "return"
      or decision.kind == "go" and needs_restart(decision, seen)
    if is_restarted and seen.running then restarted[spec.service] = true end
  end
end

return M
