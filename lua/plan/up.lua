--- The plan of `up` and `start`: observed and wanted state in, rows to read and a DAG of actions out. Pure.
local consent = require "holos.plan.consent"
local decide = require "holos.plan.reconcile.decide"
local follow = require "holos.plan.reconcile.follow"
local instance = require "holos.plan.reconcile.instance"
local live = require "holos.plan.reconcile.live"
local order = require "holos.plan.reconcile.order"
local rollout = require "holos.plan.reconcile.rollout"
local sheet = require "holos.plan.reconcile.sheet"
local surplus = require "holos.plan.reconcile.surplus"
local volume = require "holos.plan.reconcile.volume"

local M = {}

-- Those that the command is not about hear of the others.
local function tell_others(plan, context)
  for _, spec in ipairs(context.no_start and {} or context.others or {}) do
    local decision = decide.of_other(context, spec)
    if decision then
      instance.carry_out(plan, context, decision)
      plan.specs[#plan.specs + 1] = decision.spec
    end
  end
end

--- The plan that brings what is observed to what is wanted.
---@param context table
---  specs: wanted instance specs, in start order        record: the project's record
---  observed: {instances = {[name] = {running, text, halt, disk, disk_bytes, problem, applied, is_cut, has_served}},
---    volumes = {[name] = {size_bytes}}}
---  volumes: {[name] = {name, size_bytes}}              where(path): "holos.yaml:14" or nil
---  batch_of(instance): the newest batch of the trash that holds it, or nil
---  describe: {instance(spec), volume(volume), bytes(n)}  goal: what to wait for, nil for the default
---  directory: the project's                            consent: the user's answers, nil for none
---  managed, declared: services, see reconcile/surplus  renew: see reconcile/decide
---  disk_of, foreign_users: see reconcile/holders       glance: see reconcile/disks
---  others: the specs of all other instances of the file
---  rollouts: {[service] = holos.Rollout}, of those that are changed in groups
---  no_start: make what is missing and launch nothing   leave_known: recorded instances stay as they are
---  finishes: going back that was cut off is carried out
---  renews: but for their hardware                     restarts: {[instance] = true}, what runs and is to be restarted
---@return holos.Plan
function M.make(context)
  local plan, wanted = sheet.new(), {}
  for _, field in ipairs { "launched", "gates", "undo", "settles", "removed", "paused", "untouched" } do context[field] = {} end
  context.consent = context.consent or consent.none()
  local decisions = decide.all(plan, context)
  plan.specs = context.specs
  follow.mark(context, decisions, instance.needs_restart)
  live.close(plan, context, decisions)
  rollout.group(context, decisions)
  context.volume_ids = volume.plan(plan, context)
  for _, decision in ipairs(decisions) do
    wanted[decision.spec.name] = true
    instance.carry_out(plan, context, decision)
  end
  rollout.prove(plan, context)
  for _, decision in ipairs(decisions) do
    if decision.intent and not context.untouched[decision.spec.name] then order.finish(plan, context, decision.spec) end
  end
  rollout.close(plan, context)
  surplus.plan(plan, context, wanted)
  tell_others(plan, context)
  instance.settle_damage(plan, context)
  volume.settle(plan, context)
  sheet.address_questions(plan, context.specs)
  return plan
end

return M
