--- Rows that say which commands run in guests because of a plan: those of post_start after launches, those of pre_stop before
--- stops. Pure.
local lazy = require "holos.core.lazy"
local hook = lazy "holos.plan.hook"
local sheet = require "holos.plan.reconcile.sheet"
local units = lazy "holos.core.units"

local M = {}

-- "runs `a`, then `b`"
local function say(commands, from)
  local titles = {}
  for position = from, #commands do titles[#titles + 1] = hook.title(commands[position]) end
  return "runs " .. table.concat(titles, ", then ")
end

local function row(plan, context, spec, key, text)
  sheet.row(plan, "·", spec.name, text, context.where(("services.%s.%s"):format(spec.service, key)))
end

--- What runs before an instance is stopped.
---@param spec table  of the machine that runs
function M.stop(plan, context, spec)
  if not spec.pre_stop then return end
  row(plan, context, spec, "pre_stop", ("%s before it stops   (pre_stop, at most %s)"):format(say(spec.pre_stop, 1),
    units.format_duration(hook.pre_stop_ms(spec.stop_grace_ms))))
end

local function start(plan, context, spec, from, more)
  row(plan, context, spec, "post_start", ("%s once it is provisioned   (post_start, each at most %s%s)"):format(
    say(spec.post_start, from), units.format_duration(hook.POST_START_MS), more))
end

local function is_stopped(plan, name)
  for _, action in ipairs(plan.actions) do
    if action.kind == "instance.stop" and action.instance == name then return true end
  end
  return false
end

--- The spec of a machine that runs: one that is recreated, or goes back, is what it was until its disk is moved.
---@param spec table  as it is to be
function M.running_spec(plan, spec)
  local intent = plan.intents[spec.name] or {}
  local replaced = intent.replaced and not intent.replaced.is_moved and intent.replaced
  return replaced and replaced.spec or intent.spec or spec
end

--- What runs before the stop that an instance's launch comes after, and after the launch.
function M.launch(plan, context, spec)
  local before = M.running_spec(plan, spec)
  if before.pre_stop and is_stopped(plan, spec.name) then M.stop(plan, context, before) end
  if spec.post_start and not context.no_start then start(plan, context, spec, 1, "") end
end

--- What a start has left undone, and is done by who waits for a machine that is not launched anew.
---@param goal string  what is waited for
function M.unfinished(plan, context, spec, goal)
  local seen = context.observed.instances[spec.name]
  local applied = seen and seen.running and seen.applied
  if not (applied and applied.post_start and spec.post_start) or context.launched[spec.name] then return end
  if goal ~= "provisioned" and goal ~= "healthy" then return end
  local done, failed = hook.outstanding(spec, seen.runtime)
  if done then start(plan, context, spec, done + 1, failed and "; the first of them has failed" or "") end
end

return M
