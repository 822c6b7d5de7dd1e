--- up: lock → prepare → record the intent → execute. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local lease = require "holos.plan.lease"
local prepare = require "holos.use.prepare"
local project_ = require "holos.run.project"
local record_ = require "holos.run.record"
local trash = require "holos.run.trash"

local M = {}

--- Durable intent, before anything is done: an interrupted `up` is finished by the next one or removed by `down`.
local function record_intent(context, prepared)
  local record, project = prepared.record, context.project
  record.directory, record.files = project.directory, project.files
  record.hosts = prepared.hosts
  record.leases.uid = lease.uid(project, record, prepared.facts)
  for _, spec in ipairs(prepared.specs) do
    local entry = record.instances[spec.name] or { leased = {} }
    local seen = prepared.observed.instances[spec.name]
    entry.spec, entry.desired, entry.disk_made = spec, "running", entry.disk_made or (seen and seen.disk) or nil
    record.instances[spec.name] = entry
  end
  lease.remember(record, prepared.leases)
  for name, volume in pairs(project.volumes) do
    local entry = record.volumes[name] or {}
    entry.size_bytes, entry.made = volume.size_bytes, prepared.observed.volumes[name] ~= nil or entry.made or nil
    record.volumes[name], entry.desired = entry, nil
  end
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

--- Brings the project up.
---@param words string[]  services; none = all
---@param talk table      notice, warn, planned(plan), on_start, on_change, on_end
---@return table prepared
function M.run(context, words, talk)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  local prepared = prepare.make(context, words)
  for _, warning in ipairs(prepared.plan.warnings) do talk.warn(warning) end
  change.refuse(prepared.plan)
  hooks.ask(prepared.record, prepared.plan.actions)
  talk.planned(prepared.plan)
  record_intent(context, prepared)
  change.sweep_trash(context, talk)
  prepared.batch = batch_when_needed(context, prepared)
  journal.append(world, state, context.name, { type = "project.up" })
  local _saved <close> = change.saved_at_end(context, prepared.record, talk) -- with ports and removals
  change.perform(context, prepared, talk, prepared.plan.actions)
  return prepared
end

return M
