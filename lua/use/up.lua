--- up: lock → prepare → record the intent → execute. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local hooks = require "holos.use.hooks"
local images = require "holos.use.images"
local journal = require "holos.run.journal"
local lease = require "holos.plan.lease"
local prepare = require "holos.use.prepare"
local project_ = require "holos.run.project"
local record_ = require "holos.run.record"
local aside = require "holos.run.aside"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local volume_ = require "holos.plan.reconcile.volume"

local M = {}

--- What an intent of the plan comes to in the record.
local function record_instance(context, prepared, name, intent)
  local entry, seen = prepared.record.instances[name] or { leased = {} }, prepared.observed.instances[name]
  local has_disk = not intent.is_new_disk and (entry.disk_made or seen and seen.disk)
  entry.spec, entry.desired, entry.disk_made = intent.spec, intent.desired or "running", has_disk or nil
  entry.kept, entry.provision_runs, entry.replaced = intent.kept, intent.provision_runs, intent.replaced
  entry.previous = intent.previous
  if entry.replaced and not entry.replaced.batch then
    entry.replaced.batch = aside.batch_name(context.world, name)
  end
  prepared.record.instances[name] = entry
end

local function record_volumes(project, prepared)
  local record, grown = prepared.record, {}
  for _, action in ipairs(prepared.plan.actions) do
    if action.kind == "volume.grow" and action.holder then grown[action.volume] = true end
  end
  for name, volume in pairs(volume_.kept(project)) do
    local entry, known = record.volumes[name] or {}, prepared.observed.volumes[name]
    local has_bytes = known and (known.size_bytes or entry.size_bytes) or 0
    entry.size_bytes = known and not volume.is_sized and has_bytes or math.max(volume.size_bytes, has_bytes)
    entry.made = known ~= nil or entry.made or nil
    entry.is_growing = grown[name] or entry.is_growing
    record.volumes[name], entry.desired, entry.is_external = entry, nil, nil
  end
  for name in pairs(volume_.external(project.volumes)) do
    local entry = record.volumes[name] or {}
    entry.is_external = true
    if prepared.observed.volumes[name] then record.volumes[name] = entry end
  end
end

--- Durable intent, before anything is done: an interrupted `up` is finished by the next one or removed by `down`.
local function record_intent(context, prepared, talk)
  local record, project = prepared.record, context.project
  local _images <close> = images.hold(context, prepared.plan.intents, function(name)
    return prepared.plan.intents[name].is_new_disk or not (record.instances[name] and record.instances[name].disk_made)
  end, talk)
  record.directory, record.files = project.directory, project.files
  record.hosts = prepared.hosts
  record.leases.uid = lease.uid(project, record, prepared.facts)
  for name, intent in pairs(prepared.plan.intents) do record_instance(context, prepared, name, intent) end
  lease.remember(record, prepared.leases)
  record_volumes(project, prepared)
  for _, action in ipairs(prepared.plan.actions) do
    if action.kind == "instance.trash" then record.instances[action.instance].desired = "removed" end
  end
  project_.prepare(context.world, context.state, context.name, prepared.contents)
  record_.save(context.world, context.state, record, { is_intent = true })
end

local function batch_when_needed(context, prepared)
  for _, action in ipairs(prepared.plan.actions) do
    if action.kind == "instance.trash" then return trash.open_batch(context.world, context.state, prepared.record) end
  end
end

local function is_open(plan) return #plan.refusals == 0 and #plan.questions > 0 end

-- What somebody was asked without the lock is to be what there is to decide on with it.
local function require_same(asked, plan)
  if table_.deep_equal(asked.questions, plan.questions) then return end
  err.raise { message = "another command has changed what there is to decide on while you were asked", code = "ECONSENT",
    exit = 3, hint = "nothing was changed; run it again" }
end

local function plan_with(context, words, asked)
  local prepared = prepare.make(context, words)
  if not asked then return prepared end
  require_same(asked, prepared.plan)
  context.answers = asked.answers
  return prepare.make(context, words)
end

local function require_possible(plan, talk)
  for _, warning in ipairs(plan.warnings) do talk.warn(warning) end
  change.refuse(plan)
end

-- All that needs the project's lock; nil and the plan where somebody has to be asked first.
---@param asked {questions: holos.Question[], answers: table<string, string>}?
local function carry_out(context, words, talk, asked)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  local prepared = plan_with(context, words, asked)
  if not asked and talk.ask and is_open(prepared.plan) then return nil, prepared.plan end
  require_possible(prepared.plan, talk)
  hooks.ask(prepared.record, prepared.plan.actions)
  talk.planned(prepared.plan)
  record_intent(context, prepared, talk)
  expired.sweep(context, talk, prepared.record)
  prepared.batch = batch_when_needed(context, prepared)
  journal.append(world, state, context.name, { type = "project.up" })
  local _supervised <close> = change.supervised_at_end(context, prepared.record, talk)
  local _saved <close> = change.saved_at_end(context, prepared.record, talk) -- with ports and removals
  change.perform(context, prepared, talk, prepared.plan.actions)
  return prepared
end

--- Brings the project up.
---@param words string[]  services; none = all
---@param talk table      notice, warn, planned(plan), on_start, on_change, on_end; ask(plan): answers by instance, nil for
---                       none; absent where nobody can be asked; transfers(): what downloads are told through
---@return table prepared
function M.run(context, words, talk)
  images.ensure(context, words, talk)
  local prepared, open = carry_out(context, words, talk)
  if prepared then return prepared end
  local answers = talk.ask(open) -- nobody waits for the lock while a person thinks
  if not answers then
    err.raise { message = "not answered", code = "ECONSENT", exit = 3, hint = "nothing was changed" }
  end
  return (carry_out(context, words, talk, { questions = open.questions, answers = answers }))
end

return M
