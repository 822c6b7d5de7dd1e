--- up: lock → prepare → record the intent → execute. Effects through run/*; prints nothing.
local err = require "holos.core.err"
local execute = require "holos.run.execute"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local keys = require "holos.run.keys"
local lease = require "holos.plan.lease"
local lock = require "holos.run.lock"
local prepare = require "holos.use.prepare"
local record_ = require "holos.run.record"
local render = require "holos.plan.render"
local task = require "holos.core.task"
local trash = require "holos.run.trash"

local M = {}

M.LOCK_TIMEOUT_MS = 5 * 60 * 1000
M.WAIT_TIMEOUT_MS = 30 * 60 * 1000
local RECORD_MS = 10000

--- Takes a lock, waiting for it as the command line says.
local function take(context, talk, path, name, owner_text)
  local options = context.options
  return lock.take(context.world, path, { timeout_ms = options.lock_timeout or M.LOCK_TIMEOUT_MS, no_wait = options.no_wait,
    name = name, owner_text = owner_text,
    on_wait = function(owner) talk.notice(("waiting for the lock of %s (held by %s)"):format(name, owner)) end })
end

--- Waits for the project's lock.
function M.take_lock(context, talk)
  return take(context, talk, context.state:project_lock(context.name), "project " .. context.name, "holos")
end

--- Waits for the lock of one instance.
function M.take_instance_lock(context, talk, name)
  return take(context, talk, context.state:instance_lock(context.name, name), name, "instance " .. name)
end

--- Raises when a plan holds changes that need a decision.
function M.refuse(plan)
  if #plan.refusals == 0 then return end
  err.raise { message = render.refusals(plan), code = "ECONSENT", exit = 3, hint = "nothing was changed" }
end

--- Durable intent, before anything is done: an interrupted `up` is finished by the next one or removed by `down`.
local function record_intent(context, prepared)
  local record, project = prepared.record, context.project
  record.directory, record.files = project.directory, project.files
  record.leases.network, record.leases.uid = prepared.network, lease.uid(project, record, prepared.facts)
  for _, spec in ipairs(prepared.specs) do
    local entry = record.instances[spec.name] or { leased = {} }
    local seen = prepared.observed.instances[spec.name]
    entry.spec, entry.desired, entry.disk_made = spec, "running", entry.disk_made or (seen and seen.disk) or nil
    record.instances[spec.name] = entry
    record.leases.addresses[spec.name] = prepared.addresses[spec.name]
  end
  for name, volume in pairs(project.volumes) do
    local made = prepared.observed.volumes[name] ~= nil or (record.volumes[name] or {}).made
    record.volumes[name] = { size_bytes = volume.size_bytes, made = made or nil }
  end
  for _, action in ipairs(prepared.plan.actions) do
    if action.kind == "instance.trash" then record.instances[action.instance].desired = "removed" end
  end
  record_.save(context.world, context.state, record)
end

local function batch_when_needed(context, prepared)
  for _, action in ipairs(prepared.plan.actions) do
    if action.kind == "instance.trash" then return trash.open_batch(context.world, context.state, prepared.record) end
  end
end

--- What the executor gets.
function M.job(context, prepared, talk)
  return hooks.attach { state = context.state, record = prepared.record, facts = prepared.facts, batch = prepared.batch,
    take_lock = function(name) return M.take_instance_lock(context, talk, name) end,
    wait_timeout_ms = context.options.wait_timeout or M.WAIT_TIMEOUT_MS,
    grace_ms = context.options.timeout, warn = talk.warn, on_start = talk.on_start, on_change = talk.on_change,
    on_end = talk.on_end }
end

--- Runs a job's actions; what handlers of scripts raised afterwards is raised at the end.
function M.perform(context, prepared, talk, actions)
  local job = M.job(context, prepared, talk)
  execute.run(context.world, job, actions)
  hooks.finish(job)
end

local function save_always(context, prepared)
  return setmetatable({}, { __close = function()
    task.shield(RECORD_MS, function()
      record_.save(context.world, context.state, prepared.record)
      M.write_known_hosts(context, prepared.record)
    end)
  end })
end

--- known_hosts for ssh(1), from the leased ports.
function M.write_known_hosts(context, record)
  local ports = {}
  for name, entry in pairs(record.instances) do ports[name] = entry.leased and entry.leased.ssh end
  keys.write_known_hosts(context.world, context.state, context.name, ports)
end

--- Runs the actions; whatever happens, ports and removals end up in the record.
function M.execute(context, prepared, talk)
  local _saved <close> = save_always(context, prepared)
  M.perform(context, prepared, talk, prepared.plan.actions)
end

--- Empties the project's part of the trash of what is over, and says so.
function M.sweep_trash(context, talk)
  trash.sweep(context.world, context.state, context.name, function(batch)
    talk.notice(("trash: deleting %s of %s (%s), older than %d days or the disk is nearly full"):format(batch.batch,
      batch.project, table.concat(batch.instances, " "), trash.KEEP_DAYS))
    journal.append(context.world, context.state, context.name, { type = "trash.deleted", batch = batch.batch })
  end)
end

--- Brings the project up.
---@param words string[]  services; none = all
---@param talk table      notice, warn, planned(plan), on_start, on_change, on_end
---@return table prepared
function M.run(context, words, talk)
  local world, state = context.world, context.state
  state:prepare(world, context.name)
  local _held <close> = M.take_lock(context, talk)
  local prepared = prepare.make(context, words)
  for _, warning in ipairs(prepared.plan.warnings) do talk.warn(warning) end
  M.refuse(prepared.plan)
  hooks.ask(context.name, prepared.plan.actions)
  M.sweep_trash(context, talk)
  talk.planned(prepared.plan)
  record_intent(context, prepared)
  keys.user(world, state, context.name)
  prepared.batch = batch_when_needed(context, prepared)
  journal.append(world, state, context.name, { type = "project.up" })
  M.execute(context, prepared, talk)
  return prepared
end

return M
