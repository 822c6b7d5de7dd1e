--- What `up` would do: load → observe → plan, and every reason why it could not. Effects: reads only.
local available = require "holos.use.available"
local capacity = require "holos.plan.capacity"
local change = require "holos.use.change"
local err = require "holos.core.err"
local facts_ = require "holos.run.facts"
local hooks = require "holos.use.hooks"
local instance = require "holos.plan.instance"
local leases = require "holos.run.leases"
local observe = require "holos.run.observe"
local record_ = require "holos.run.record"
local render = require "holos.plan.render"
local trash = require "holos.run.trash"
local up = require "holos.plan.up"
local validate = require "holos.use.validate"

local M = {}

local function host_findings(findings)
  if #findings == 0 then return end
  if #findings == 1 then err.raise { message = findings[1].message, hint = findings[1].hint } end
  local messages, hints = {}, {}
  for i, finding in ipairs(findings) do messages[i], hints[#hints + 1] = finding.message, finding.hint end
  err.raise { message = table.concat(messages, "\n"), hint = table.concat(hints, "\n") }
end

--- The specs of the services that were asked for, with what they depend on.
local function selected(project, specs, words)
  if #words == 0 then return specs end
  local wanted = {}
  local function want(name)
    if wanted[name] then return end
    local service = project.services[name]
    if not service then
      err.raise { message = ("there is no service %q"):format(name), code = "ENOENT", exit = 64,
        hint = "services: " .. table.concat(project.order, " ") }
    end
    wanted[name] = true
    for _, dependency in ipairs(service.depends_on) do
      if dependency.required ~= false or project.services[dependency.service] then want(dependency.service) end
    end
  end
  for _, word in ipairs(words) do want(word) end
  local chosen = {}
  for _, spec in ipairs(specs) do
    if wanted[spec.service] then chosen[#chosen + 1] = spec end
  end
  return chosen
end

local function where_of(project)
  return function(path) return project.marks[path] end
end

--- Two directories with one project name would take each other's disks.
local function refuse_other_directory(context, known)
  local project = context.project
  if not known or known.directory == project.directory or context.options.project_name then return end
  err.raise { message = ("project %s belongs to %s, not to %s"):format(context.name, known.directory, project.directory),
    code = "ECONSENT", exit = 3, hint = ("give this one another name, or say that it is the same: -p %s"):format(context.name) }
end

--- What each instance is to be, from the file, the record and the host; raises all reasons why it cannot be.
---@return table prepared  {record, wanted = of plan/instance, facts, contents, is_new}
function M.specs(context)
  local world, state, project = context.world, context.state, context.project
  local known = record_.load(world, state, context.name)
  refuse_other_directory(context, known)
  local now = known or record_.new(context.name, project.directory, project.files)
  trash.forget_taken(world, state, now)
  local facts, findings, contents = facts_.gather(world, state, project, context.lookup)
  host_findings(findings)
  validate.require_images(project, facts.images)
  local wanted, refusals = instance.specs(project, now, facts)
  host_findings(refusals or {})
  return { record = now, wanted = wanted, facts = facts, contents = contents, is_new = known == nil }
end

--- Observes and plans. Reads only.
---@param words string[]  services; none = all
---@return table prepared  {plan, specs, facts, record, observed, leases, hosts, contents, is_new}
function M.make(context, words)
  local world, state, project = context.world, context.state, context.project
  available.demand(project)
  local prepared = M.specs(context)
  local now, wanted, facts = prepared.record, prepared.wanted, prepared.facts
  local specs = selected(project, wanted.specs, words)
  local observed = observe.project(world, state, now)
  leases.recall_seen(now, observed.instances)
  local plan = up.make { specs = specs, record = now, observed = observed,
    volumes = project.volumes, where = where_of(project), describe = render.describe, partial = #words > 0,
    directory = project.directory, goal = context.options.goal,
    batch_of = function(name) return trash.batch_of(world, state, context.name, name) end }
  for _, warning in ipairs(wanted.warnings) do table.insert(plan.warnings, 1, warning) end
  plan.warnings[#plan.warnings + 1] = capacity.memory_warning(plan.actions, specs, observed.instances, facts.memory)
  for _, text in ipairs(trash.over(world, state, context.name)) do
    plan.warnings[#plan.warnings + 1] = "up deletes from the trash: " .. text
  end
  plan = hooks.plan(plan)
  change.require_ports(world, plan, specs, observed)
  return { plan = plan, specs = specs, facts = facts, record = now, observed = observed, leases = wanted.leases,
    hosts = wanted.hosts, contents = prepared.contents, is_new = prepared.is_new }
end

return M
