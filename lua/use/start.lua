--- start and restart: work from the record, need no compose file. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local choose = require "holos.use.choose"
local dag = require "holos.core.dag"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local facts_ = require "holos.run.facts"
local follow = require "holos.plan.reconcile.follow"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local observe = require "holos.run.observe"
local plan_up = require "holos.plan.up"
local record_ = require "holos.run.record"
local recorded = require "holos.use.recorded"
local render = require "holos.plan.render"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"

local M = {}

--- The specs of the chosen instances as they are recorded, dependencies first.
local function recorded_specs(record, chosen)
  local specs, services = {}, {}
  for _, name in ipairs(table_.keys(chosen)) do
    local spec = record.instances[name].spec
    services[spec.service] = services[spec.service] or { name = spec.service, needs = {}, specs = {} }
    local service = services[spec.service]
    service.needs = table_.map(spec.depends_on, function(dependency) return dependency.service end)
    service.specs[#service.specs + 1] = spec
  end
  local names = table_.keys(services)
  for _, name in ipairs(err.check("order", dag.order(names, function(name) return services[name].needs end))) do
    table_.extend(specs, services[name] and services[name].specs or {})
  end
  return specs
end

---@param restarts table<string, boolean>?  those that are restarted when they run
local function start_plan(context, chosen, restarts)
  local specs = recorded_specs(context.record, chosen)
  local observed = observe.project(context.world, context.state, context.record)
  local plan = hooks.plan(plan_up.make { specs = specs, record = context.record, observed = observed, volumes = {},
    restarts = restarts, where = function() end, describe = render.describe, goal = context.options.goal,
    batch_of = function(name) return trash.batch_of(context.world, context.state, context.name, name) end })
  local others = record_.all(context.world, context.state)
  others[context.name] = nil
  change.require_ports(context.world, plan, { specs = specs, observed = observed, record = context.record, others = others })
  return plan
end

-- Starts what is chosen, from the record.
---@param event string  what the event log calls it
local function carry_out(context, chosen, talk, event, restarts)
  local world, state = context.world, context.state
  local plan = start_plan(context, chosen, restarts)
  for _, warning in ipairs(plan.warnings) do talk.warn(warning) end
  change.refuse(plan)
  hooks.ask(context.record, plan.actions)
  local facts = facts_.of_launch(world)
  recorded.set_desired(context, chosen, "running")
  expired.sweep(context, talk, context.record)
  talk.planned(plan)
  local _supervised <close> = change.supervised_at_end(context, context.record, talk)
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  change.perform(context, { record = context.record, facts = facts, specs = plan.specs }, talk, plan.actions)
  journal.append(world, state, context.name, { type = event })
  return chosen
end

--- Starts stopped instances from the record, as they were created.
function M.start(context, words, talk)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  return carry_out(context, choose.instances(context.record, words), talk, "project.start")
end

-- With all that run and are to be restarted when one of them is (`restart: true` of depends_on).
local function with_dependents(context, chosen)
  local services, all = {}, table_.copy(chosen)
  for name in pairs(chosen) do services[context.record.instances[name].spec.service] = true end
  for _, spec in ipairs(recorded_specs(context.record, context.record.instances)) do -- dependencies come first
    if follow.cause(spec, services) and observe.is_running(context.world, context.state, context.name, spec.name) then
      all[spec.name], services[spec.service] = true, true
    end
  end
  return all
end

--- Restarts instances as they were created, and starts those that do not run; disks stay. What the file says by now is left
--- to `up`. With context.options.no_deps those that are to be restarted with them (`restart: true`) are left alone.
function M.restart(context, words, talk)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local chosen = choose.instances(context.record, words)
  local all = context.options.no_deps and chosen or with_dependents(context, chosen)
  return carry_out(context, all, talk, "project.restart", chosen)
end

return M
