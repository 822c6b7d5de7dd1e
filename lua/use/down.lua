--- stop, start and down: work from the record, need no compose file. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local choose = require "holos.use.choose"
local dag = require "holos.core.dag"
local down = require "holos.plan.down"
local err = require "holos.core.err"
local facts_ = require "holos.run.facts"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local observe = require "holos.run.observe"
local plan_up = require "holos.plan.up"
local probe = require "holos.run.probe"
local project = require "holos.run.project"
local record_ = require "holos.run.record"
local render = require "holos.plan.render"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"

local M = {}

local function refuse_protected(record, chosen)
  for name in pairs(chosen) do
    if record.instances[name].spec.protect then
      err.raise { message = ("%s is protected (protect: true)"):format(name), code = "EPROTECTED", exit = 3,
        hint = "nothing was changed; take `protect` out of the file and run `holos up` first" }
    end
  end
end

-- Scripts are asked about what runs.
local function ask_hooks(context, actions)
  hooks.ask(context.record, table_.filter(actions, function(action)
    return observe.is_running(context.world, context.state, context.name, action.instance)
  end))
end

local function set_desired(context, chosen, desired)
  for name in pairs(chosen) do context.record.instances[name].desired = desired end
  record_.save(context.world, context.state, context.record)
end

--- The record as it is now that we hold the lock.
local function reload(context)
  context.record = project.load(context.world, context.state, context.name)
  if context.record then return end
  err.raise { message = ("project %s is gone; another command took it down"):format(context.name), code = "ENOENT" }
end

--- Stops instances; their disks stay.
---@param words string[]  services or instances; none = all
---@return table<string, boolean> chosen
function M.stop(context, words, talk)
  local _held <close> = change.begin(context, talk)
  reload(context)
  local chosen = choose.instances(context.record, words)
  local actions = down.make(context.record, chosen, false)
  ask_hooks(context, actions)
  set_desired(context, chosen, "stopped")
  talk.planned { actions = actions, rows = {} }
  change.perform(context, { record = context.record }, talk, actions)
  return chosen
end

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

local function start_plan(context, chosen)
  local specs = recorded_specs(context.record, chosen)
  local observed = observe.project(context.world, context.state, context.record)
  local plan = hooks.plan(plan_up.make { specs = specs, record = context.record, observed = observed, volumes = {},
    partial = true, where = function() end, describe = render.describe, goal = context.options.goal,
    batch_of = function(name) return trash.batch_of(context.world, context.state, context.name, name) end })
  local others = record_.all(context.world, context.state)
  others[context.name] = nil
  change.require_ports(context.world, plan, { specs = specs, observed = observed, record = context.record, others = others })
  return plan
end

--- Starts stopped instances from the record, as they were created.
function M.start(context, words, talk)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  reload(context)
  local chosen = choose.instances(context.record, words)
  local plan = start_plan(context, chosen)
  for _, warning in ipairs(plan.warnings) do talk.warn(warning) end
  change.refuse(plan)
  hooks.ask(context.record, plan.actions)
  local program = err.check("QEMU", probe.find(world))
  set_desired(context, chosen, "running")
  talk.planned(plan)
  local _supervised <close> = change.supervised_at_end(context, context.record, talk)
  local facts = { qemu = { program = program }, firmware = facts_.firmware(world), virtiofsd = facts_.virtiofsd(world) }
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  change.perform(context, { record = context.record, facts = facts }, talk, plan.actions)
  journal.append(world, state, context.name, { type = "project.start" })
  return chosen
end

--- A project with kept volumes keeps its record, so that `down -v` and the next `up` find them.
local function drop_empty_project(context, kept)
  if next(context.record.instances) or next(kept) then return end
  project.remove(context.world, context.state, context.name)
  context.is_dropped = true
end

local function take_volumes(context, batch)
  local record = context.record
  local there = observe.volumes(context.world, context.state, context.name)
  for name in pairs(there) do
    record.volumes[name] = record.volumes[name] or {}
    record.volumes[name].desired = "removed"
  end
  record_.save(context.world, context.state, record)
  for name in pairs(there) do
    trash.take_volume(context.world, context.state, context.name, name, batch)
    record.volumes[name] = nil
  end
end

--- Stops instances and moves their disks to the trash; volumes only with `options.volumes`.
---@return {chosen: table<string, boolean>, kept: table<string, table>, batch: string} result
function M.down(context, words, talk)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  reload(context)
  local chosen = choose.instances(context.record, words)
  refuse_protected(context.record, chosen)
  local actions = down.make(context.record, chosen, true)
  ask_hooks(context, actions)
  talk.planned { actions = actions, rows = {} }
  set_desired(context, chosen, "removed")
  change.sweep_trash(context, talk, context.record)
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  local batch = trash.open_batch(world, state, context.record)
  change.perform(context, { record = context.record, batch = batch }, talk, actions)
  local kept = observe.volumes(world, state, context.name)
  if context.options.volumes and not next(context.record.instances) then
    take_volumes(context, batch)
    kept = {}
  end
  drop_empty_project(context, kept)
  if context.options.purge then trash.remove(world, { directory = batch }) else trash.close_batch(world, batch) end
  journal.append(world, state, context.name, { type = "project.down" })
  return { chosen = chosen, kept = kept, batch = batch }
end

return M
