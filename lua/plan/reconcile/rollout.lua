--- Rolling changes: instances of a service that are stopped and started anew go in groups, each waited for before the
--- next. Pure.
local diff = require "holos.plan.diff"
local gate = require "holos.plan.gate"
local order = require "holos.plan.reconcile.order"
local sheet = require "holos.plan.reconcile.sheet"

local M = {}

--- How a service is changed (update_config of the file).
---@class holos.Rollout
---@field parallelism integer  so many at a time, 0 for all
---@field delay_ms integer     between two groups
---@field failure_action "pause"|"continue"

local function is_stopped(decision, seen)
  if not seen or not seen.running then return false end
  local gravest = diff.gravest(decision.changes)
  return decision.kind == "recreate" or decision.kind == "go" and (decision.needs_restart
    or gravest ~= nil and gravest ~= "live")
end

--- Puts those that will be stopped into groups: context.groups[service] = {{name, …}, …}, context.turn[name] = {service,
--- number of the group}.
---@param context table  rollouts: {[service] = holos.Rollout}
function M.group(context, decisions)
  context.groups, context.turn = {}, {}
  for _, decision in ipairs(decisions) do
    local spec = decision.spec
    local rollout = (context.rollouts or {})[spec.service]
    if rollout and rollout.parallelism > 0 and is_stopped(decision, context.observed.instances[spec.name]) then
      local groups = context.groups[spec.service] or {}
      local last = groups[#groups]
      if not last or #last == rollout.parallelism then
        last = {}
        groups[#groups + 1] = last
      end
      last[#last + 1] = spec
      context.groups[spec.service], context.turn[spec.name] = groups, { service = spec.service, number = #groups }
    end
  end
end

-- What the group before has to have reached; all that it does may fail when the rollout goes on regardless.
local function gates_of(plan, context, group)
  local ids = {}
  for i, spec in ipairs(group) do
    ids[i] = order.gate(plan, context, spec, gate.goal(spec), "the next ones wait for it")
  end
  return ids
end

local function pause(plan, context, service, turn, delay_ms)
  local id = ("rollout/%s/%d"):format(service, turn)
  if context.paused[id] then return id end
  context.paused[id] = true
  local rollout, ids = context.rollouts[service], gates_of(plan, context, context.groups[service][turn - 1])
  local goes_on = rollout.failure_action == "continue"
  return sheet.add(plan, { id = id, kind = "rollout.wait", service = service, delay_ms = delay_ms,
    after = goes_on and {} or ids, after_any = goes_on and ids or nil, because = "update_config" })
end

--- Makes an instance wait until the group before its own serves.
---@param waits {after: string[]}  of what is done with it
function M.wait_turn(plan, context, spec, waits)
  local turn = context.turn[spec.name]
  if not turn or turn.number == 1 or context.no_start then return end
  waits.after[#waits.after + 1] = pause(plan, context, spec.service, turn.number, context.rollouts[spec.service].delay_ms)
end

--- Where one failure is not to end the others', each instance of the service may fail.
function M.tolerate(plan, context)
  local tolerated = {}
  for _, spec in ipairs(context.specs) do
    local goes_on = context.groups[spec.service] and context.rollouts[spec.service].failure_action == "continue"
    tolerated[spec.name] = goes_on or nil
  end
  for _, action in ipairs(plan.actions) do
    if tolerated[action.instance] then action.optional = true end
  end
end

return M
