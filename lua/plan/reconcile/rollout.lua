--- Rolling changes: instances of a service that are stopped and started anew go in groups, each waited for before the
--- next; what follows when too many of them fail. Pure.
local diff = require "holos.plan.diff"
local gate = require "holos.plan.gate"
local order = require "holos.plan.reconcile.order"
local returning = require "holos.plan.reconcile.returning"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- How a service is changed (update_config of the file).
---@class holos.Rollout
---@field parallelism integer  so many at a time, 0 for all
---@field delay_ms integer     between two groups
---@field monitor_ms integer?  so long each has to stay well
---@field failure_action "pause"|"continue"|"rollback"
---@field max_failure_ratio number?  so many may fail before that follows
---@field back {parallelism: integer, delay_ms: integer}?  how they are put back (rollback_config)

--- What a plan changes of one service (context.rolls[service]).
---@class holos.Roll
---@field service string
---@field rollout holos.Rollout
---@field groups  table[][]  specs of those that run, in the order of their turns
---@field changed table[]    specs of all that are changed
---@field returns string[]   those that go back when too many fail

-- Whether a machine that runs is stopped.
local function is_stopped(decision)
  local gravest = diff.gravest(decision.changes)
  return decision.kind == "recreate" or decision.kind == "return" or decision.needs_restart or gravest ~= nil and gravest ~= "live"
end

-- Whether a machine is another one afterwards, or has just become one; one that is only started is not.
local function is_changed(decision, entry)
  if decision.kind == "new" then return decision.intent.replaced ~= nil end
  if decision.kind ~= "go" then return is_stopped(decision) end
  return is_stopped(decision) or returning.unsettled(entry) ~= nil
end

local function take_turn(context, roll, spec)
  local most = roll.rollout.parallelism
  local last = roll.groups[#roll.groups]
  if not last or #last == most then
    last = {}
    roll.groups[#roll.groups + 1] = last
  end
  last[#last + 1] = spec
  context.turn[spec.name] = { roll = roll, number = #roll.groups }
end

--- Puts those that will be stopped into groups: context.rolls[service], context.turn[name] = {roll, number of the group}.
---@param context table  rollouts: {[service] = holos.Rollout}
function M.group(context, decisions)
  context.rolls, context.turn, context.proved = {}, {}, {}
  for _, decision in ipairs(decisions) do
    local spec = decision.spec
    local service, seen = spec.service, context.observed.instances[spec.name]
    local rollout = (context.rollouts or {})[service]
    if rollout and is_changed(decision, context.record.instances[spec.name]) then
      local roll = context.rolls[service] or { service = service, rollout = rollout, groups = {}, changed = {}, returns = {} }
      context.rolls[service], roll.changed[#roll.changed + 1] = roll, spec
      if seen.running and is_stopped(decision) then take_turn(context, roll, spec) end
      if rollout.failure_action == "rollback" and not context.no_start then returning.note(context, roll, decision) end
    end
  end
end

-- 0.29 of 100 are 29, whatever 0.29 is in binary.
local ROUNDING = 1e-9

-- How many may fail before that has consequences.
local function may_fail(roll) return math.floor((roll.rollout.max_failure_ratio or 0) * #roll.changed + ROUNDING) end

local function goes_on(roll) return roll.rollout.failure_action == "continue" or may_fail(roll) > 0 end

-- All that is waited for: what the next group needs, and what the command wants of it, which may be more.
local function gates_of(plan, context, spec)
  local goal, wanted = gate.goal(spec), gate.goal(spec, context.goal)
  local ids = { order.gate(plan, context, spec, goal, "the next ones wait for it") }
  if wanted ~= goal and wanted ~= "running" then
    ids[#ids + 1] = order.gate(plan, context, spec, wanted, "up waits for it")
  end
  return ids
end

--- The actions after which a changed instance counts as well: it has reached its goals, and has stayed there for a time.
---@return string[] ids
local function proof_of(plan, context, roll, spec)
  if context.proved[spec.name] then return context.proved[spec.name] end
  local ids, duration_ms = gates_of(plan, context, spec), roll.rollout.monitor_ms or 0
  if duration_ms > 0 then
    ids = { sheet.add(plan, { id = "monitor/" .. spec.name, kind = "rollout.monitor", instance = spec.name,
      duration_ms = duration_ms, after = ids, undo = context.undo[spec.name], because = "update_config" }) }
  end
  context.proved[spec.name] = ids
  return ids
end

-- Comes when some instances are well, or when that is decided, where failures are borne.
local function wait_for(plan, context, roll, specs, wait)
  local ids = {}
  for _, spec in ipairs(specs) do table_.extend(ids, proof_of(plan, context, roll, spec)) end
  return sheet.add(plan, { id = wait.id, kind = "rollout.wait", service = roll.service, delay_ms = wait.delay_ms,
    after = goes_on(roll) and {} or ids, after_any = goes_on(roll) and ids or nil, because = "update_config" })
end

--- Makes an instance wait until the group before its own serves.
---@param waits {after: string[]}  of what is done with it
function M.wait_turn(plan, context, spec, waits)
  local turn = context.turn[spec.name]
  if not turn or turn.number == 1 or context.no_start then return end
  local roll, id = turn.roll, ("rollout/%s/%d"):format(spec.service, turn.number)
  if not context.paused[id] then
    context.paused[id] = true
    wait_for(plan, context, roll, roll.groups[turn.number - 1], { id = id, delay_ms = roll.rollout.delay_ms })
  end
  waits.after[#waits.after + 1] = id
end

--- The last ones are waited for, too, where they are to stay well, or what happens to them decides on the others.
function M.prove(plan, context)
  for service, roll in table_.sorted_pairs(context.rolls) do
    local watched = (roll.rollout.monitor_ms or 0) > 0 or #roll.returns > 0
    if watched and not context.no_start then
      roll.done = wait_for(plan, context, roll, roll.changed, { id = ("rollout/%s/done"):format(service), delay_ms = 0 })
    end
  end
end

-- The failure of one is for the others what the file says.
local function count_failures(plan, roll)
  local is_changed_one = {}
  for _, spec in ipairs(roll.changed) do is_changed_one[spec.name] = true end
  local counted = { service = roll.service, may_fail = may_fail(roll), goes_back = #roll.returns > 0 or nil }
  for _, action in ipairs(plan.actions) do
    local is_wait = action.kind == "rollout.wait" and action.service == roll.service
    if is_changed_one[action.instance] or is_wait then action.rollout = counted end
  end
end

-- Where one failure is not to end the others', each instance of the service may fail.
local function tolerate(plan, context, roll)
  local tolerated = {}
  for _, spec in ipairs(context.specs) do tolerated[spec.name] = spec.service == roll.service or nil end
  for _, action in ipairs(plan.actions) do
    if tolerated[action.instance] then action.optional = true end
  end
end

--- Says of all actions what their failure leads to, and how what has been changed goes back. Comes once all are there.
function M.close(plan, context)
  for _, roll in table_.sorted_pairs(context.rolls) do
    if roll.rollout.failure_action == "continue" then
      tolerate(plan, context, roll)
    elseif #roll.returns > 0 or may_fail(roll) > 0 then
      count_failures(plan, roll)
      returning.add(plan, context, roll, may_fail(roll))
    end
  end
end

return M
