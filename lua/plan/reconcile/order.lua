--- What comes before what: launches wait for what their service depends on, and `up` for its instances. Pure.
local announce = require "holos.plan.reconcile.announce"
local gate = require "holos.plan.gate"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- The action after which `spec`'s instance has reached `goal`; nil when it is not touched and nothing is waited for.
---@param context table  launched = {[instance] = id of its launch}, gates = {[id] = action}, undo = {[instance] = true}
function M.gate(plan, context, spec, goal, because)
  if goal == "running" then return context.launched[spec.name] end
  local id = ("gate/%s/%s"):format(spec.name, goal)
  if not context.gates[id] then
    context.gates[id] = { id = id, kind = "instance.await", instance = spec.name, goal = goal,
      after = { context.launched[spec.name] }, undo = context.undo[spec.name], because = because }
    sheet.add(plan, context.gates[id])
  end
  return id
end

--- A launch that does not need its dependency to get there (required: false) still waits until that has been decided;
--- the failure of such a dependency, to start or to get there, ends nothing else.
local function wait_for(plan, context, waits, dependency, other)
  local id = M.gate(plan, context, other, gate.of(other, dependency.condition), "others depend on it")
  if dependency.required ~= false then
    waits.after[#waits.after + 1] = id
  elseif id then
    for _, action in ipairs(plan.actions) do
      if action.id == id or action.id == context.launched[other.name] then action.optional = true end
    end
    waits.after_any[#waits.after_any + 1] = id
  end
end

--- What a launch of `spec` must come after: its volumes and what its service depends on.
---@return {after: string[], after_any: string[]} waits  after_any: also when these have failed
function M.prerequisites(plan, context, spec)
  local waits = { after = table_.copy(context.closed), after_any = {} }
  for _, mount in ipairs(spec.mounts) do
    local id = context.volume_ids[mount.volume]
    if id then waits.after[#waits.after + 1] = id end
  end
  for _, dependency in ipairs(context.no_start and {} or spec.depends_on) do
    for _, other in ipairs(context.specs) do
      if other.service == dependency.service then wait_for(plan, context, waits, dependency, other) end
    end
  end
  return waits
end

local function any(waits) return waits.after_any and #waits.after_any > 0 and waits.after_any or nil end

--- Stops an instance once all is ready for its next launch. One whose pre_stop fails runs on, and the others are changed.
---@return {after: string[]} waits  of what comes then
function M.stop(plan, spec, waits, because)
  return { after = { sheet.add(plan, { id = "stop/" .. spec.name, kind = "instance.stop", instance = spec.name,
    after = waits.after, after_any = any(waits), optional = announce.running_spec(plan, spec).pre_stop and true or nil,
    because = because }) } }
end

--- Launches an instance, unless nothing is to be started.
function M.launch(plan, context, spec, waits, because)
  announce.launch(plan, context, spec)
  if context.no_start then return end
  context.launched[spec.name] = sheet.add(plan, { id = "launch/" .. spec.name, kind = "instance.launch", instance = spec.name,
    after = waits.after, after_any = any(waits), undo = context.undo[spec.name], because = because })
end

local function settle(plan, spec, after, because)
  sheet.add(plan, { id = "settle/" .. spec.name, kind = "instance.settle", instance = spec.name, after = after,
    because = because })
end

--- Waits for an instance as the command does at its end; a disk that was replaced is kept back until the new one serves,
--- now or before. What can go back as a whole is settled as a whole, by reconcile/returning.
---@param context table  settles = {[instance] = "served"|"waits"}, of those whose old disk is kept back; proved:
---                      {[instance] = ids}, of those that have to stay well
function M.finish(plan, context, spec)
  local settles = context.settles[spec.name]
  if settles == "served" then settle(plan, spec, {}, "its new disk has served") end
  if context.no_start then return end
  local goal = gate.goal(spec, context.goal)
  if spec.post_start then announce.unfinished(plan, context, spec, goal) end
  local id = M.gate(plan, context, spec, goal, "up waits for it")
  if settles ~= "waits" or plan.intents[spec.name].previous then return end
  local ids = context.proved[spec.name] or goal == gate.goal(spec) and { id }
  if ids and #ids > 0 then settle(plan, spec, table_.copy(ids), "its new disk serves") end
end

return M
