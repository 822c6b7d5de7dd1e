--- up: lock → prepare → record the intent → execute. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local lease = require "holos.plan.lease"
local prepare = require "holos.use.prepare"
local project_ = require "holos.run.project"
local record_ = require "holos.run.record"
local aside = require "holos.run.aside"
local trash = require "holos.run.trash"
local volume_ = require "holos.plan.reconcile.volume"

local M = {}

--- What an intent of the plan comes to in the record.
local function record_instance(context, prepared, name, intent)
  local entry, seen = prepared.record.instances[name] or { leased = {} }, prepared.observed.instances[name]
  local has_disk = not intent.is_new_disk and (entry.disk_made or seen and seen.disk)
  entry.spec, entry.desired, entry.disk_made = intent.spec, intent.desired or "running", has_disk or nil
  entry.kept, entry.provision_runs, entry.replaced = intent.kept, intent.provision_runs, intent.replaced
  if entry.replaced and not entry.replaced.batch then
    entry.replaced.batch = aside.batch_name(context.world, name)
  end
  prepared.record.instances[name] = entry
end

local function record_volumes(project, prepared)
  local record = prepared.record
  for name, volume in pairs(volume_.kept(project)) do
    local entry = record.volumes[name] or {}
    entry.size_bytes, entry.made = volume.size_bytes, prepared.observed.volumes[name] ~= nil or entry.made or nil
    record.volumes[name], entry.desired = entry, nil
  end
end

--- Durable intent, before anything is done: an interrupted `up` is finished by the next one or removed by `down`.
local function record_intent(context, prepared)
  local record, project = prepared.record, context.project
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

-- What is left of a command that was killed while it put a disk back comes first: what is planned rests on it.
local function finish_others(context)
  local known = record_.load(context.world, context.state, context.name)
  if known then aside.finish(context.world, context.state, known) end
end

-- Plans; where the user has to decide and there is one to ask, he does, and it is planned again.
local function decided(context, words, talk)
  local prepared = prepare.make(context, words)
  if #prepared.plan.refusals == 0 and #prepared.plan.questions > 0 and talk.ask then
    context.answers = talk.ask(prepared.plan)
    if context.answers then prepared = prepare.make(context, words) end
  end
  for _, warning in ipairs(prepared.plan.warnings) do talk.warn(warning) end
  change.refuse(prepared.plan)
  return prepared
end

--- Brings the project up.
---@param words string[]  services; none = all
---@param talk table      notice, warn, planned(plan), on_start, on_change, on_end; ask(plan): answers by instance, nil for
---                       none; absent where nobody can be asked
---@return table prepared
function M.run(context, words, talk)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  finish_others(context)
  local prepared = decided(context, words, talk)
  hooks.ask(prepared.record, prepared.plan.actions)
  talk.planned(prepared.plan)
  record_intent(context, prepared)
  change.sweep_trash(context, talk, prepared.record)
  prepared.batch = batch_when_needed(context, prepared)
  journal.append(world, state, context.name, { type = "project.up" })
  local _supervised <close> = change.supervised_at_end(context, prepared.record, talk)
  local _saved <close> = change.saved_at_end(context, prepared.record, talk) -- with ports and removals
  change.perform(context, prepared, talk, prepared.plan.actions)
  return prepared
end

return M
