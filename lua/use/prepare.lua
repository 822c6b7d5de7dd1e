--- What `up` would do: load → observe → plan, and every reason why it could not. Effects: reads only.
local available = require "holos.use.available"
local change = require "holos.use.change"
local err = require "holos.core.err"
local facts_ = require "holos.run.facts"
local hooks = require "holos.use.hooks"
local instance = require "holos.plan.instance"
local leases = require "holos.run.leases"
local observe = require "holos.run.observe"
local recorded = require "holos.use.recorded"
local render = require "holos.plan.render"
local select_ = require "holos.use.select"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local up = require "holos.plan.up"
local validate = require "holos.use.validate"
local warnings = require "holos.use.warnings"

local M = {}

local function host_findings(findings)
  if #findings == 0 then return end
  if #findings == 1 then err.raise { message = findings[1].message, hint = findings[1].hint } end
  err.raise { message = ("%d things on this host"):format(#findings), findings = findings }
end

local function where_of(project)
  return function(path) return project.marks[path] end
end

local function set_of(words)
  local set = {}
  for _, word in ipairs(words) do set[word] = true end
  return set
end

local function rollouts_of(project)
  local rollouts = {}
  for name, service in pairs(project.services) do rollouts[name] = service.update_config end
  return rollouts
end

-- What is on disks that are not the project's own. Each is read once for a command, however often that plans: what is carried
-- out is what was shown; a launch reads all of it again.
---@param disk_of fun(mount: table): string  of run/facts
local function glances(context, disk_of)
  local seen = context.glances or {}
  context.glances = seen
  return function(disk)
    local id = disk_of { disk = disk }
    seen[id] = seen[id] or facts_.glance(context.world, disk)
    return seen[id]
  end
end

-- The plan of what is wanted, from all that was looked at.
local function plan_of(context, words, at)
  local world, state, project = context.world, context.state, context.project
  local options, services = context.options, select_.services(project, words, context.options)
  local disk_of = facts_.disks(world, state, context.name)
  return up.make {
    specs = table_.filter(at.wanted.specs, function(spec)
      return services[spec.service] and (not options.renews or at.record.instances[spec.name])
    end), record = at.record,
    rollouts = rollouts_of(project), others = table_.filter(at.wanted.specs, function(spec) return not services[spec.service] end),
    observed = at.observed, volumes = project.volumes, where = where_of(project),
    describe = render.describer(project, at.facts.builds),
    directory = project.directory, goal = options.goal, consent = select_.consent(context, at.record, words),
    managed = options.leave_known and set_of(words) or services,
    declared = (#words == 0 or options.remove_orphans) and project.services or nil,
    renews = options.renews, finishes = true,
    remove_orphans = options.remove_orphans, no_start = options.no_start, leave_known = options.leave_known,
    renew = function(spec, runs) return instance.id(at.facts.sha256, spec, runs) end,
    disk_of = disk_of, glance = glances(context, disk_of),
    foreign_users = facts_.foreign_users(world, state, at.facts.records, observe.applied_of(world, state)),
    batch_of = function(name) return trash.batch_of(world, state, context.name, name) end }
end

--- What each instance is to be, from the file, the record and the host; raises all reasons why it cannot be.
---@param renewed table<string, boolean>?  services whose machines get the hardware of today
---@return table prepared  {record, wanted = of plan/instance, facts, contents, said = warnings}
function M.specs(context, renewed)
  local world, state, project = context.world, context.state, context.project
  local record, said = recorded.of(context)
  local facts, findings, contents = facts_.gather(world, state, project, context.lookup)
  host_findings(findings)
  validate.require_images(project, facts.images)
  local wanted, refusals = instance.specs(project, record, facts, renewed)
  host_findings(refusals or {})
  return { record = record, wanted = wanted, facts = facts, contents = contents, said = said }
end

--- Observes and plans. Reads only.
---@param words string[]  services; none = all
---@return table prepared  {plan, specs, facts, record, observed, leases, hosts, contents}
function M.make(context, words)
  available.demand(context.project, context.options.pull)
  local options = context.options
  local at = M.specs(context, options.renews and select_.services(context.project, words, options) or nil)
  at.observed = observe.project(context.world, context.state, at.record)
  leases.recall_seen(at.record, at.observed.instances)
  local plan = plan_of(context, words, at)
  warnings.complete(context, plan, at)
  plan = hooks.plan(plan)
  change.require_ports(context.world, plan, { specs = plan.specs, observed = at.observed, record = at.record,
    others = at.facts.records })
  return { plan = plan, specs = plan.specs, facts = at.facts, record = at.record, observed = at.observed,
    leases = at.wanted.leases, hosts = at.wanted.hosts, contents = at.contents }
end

--- The same, to be shown: with what `up` does beside it.
function M.preview(context, words)
  local prepared = M.make(context, words)
  warnings.foresee(context, prepared.plan, words)
  return prepared
end

return M
