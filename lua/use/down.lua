--- stop and down: work from the record, need no compose file. Effects through run/*; prints nothing.
local lazy = require "holos.core.lazy"
local change = require "holos.use.change"
local choose = require "holos.use.choose"
local down = require "holos.plan.down"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local hooks = require "holos.use.hooks"
local journal = require "holos.run.journal"
local observe = require "holos.run.observe"
local project = require "holos.run.project"
local recorded = require "holos.use.recorded"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"
local taken = lazy "holos.use.volumes.taken"
local task = require "holos.core.task"
local trash = require "holos.run.trash"

local M = {}

-- For writing a record and starting a supervisor.
local KEEP_MS = 30000

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
  hooks.ask(context.record, actions, function(action)
    return observe.is_running(context.world, context.state, context.name, action.instance)
  end)
end

-- Whether a pre_stop has failed: that machine is wanted to run again.
local function is_refused(context, chosen)
  for name in pairs(chosen) do
    local entry = context.record.instances[name]
    if entry and entry.desired == "running" then return true end
  end
  return false
end

local function keep(context, chosen, talk)
  local left = {}
  for name in pairs(chosen) do
    left[name] = observe.is_running(context.world, context.state, context.name, name) or nil
  end
  local _supervised <close> = change.supervised_at_end(context, context.record, talk)
  recorded.set_desired(context, left, "running")
end

-- Where a pre_stop has failed, all that still runs is to run on, and is looked after as before.
local function kept_when_refused(context, chosen, talk)
  return setmetatable({}, { __close = function()
    if is_refused(context, chosen) then task.shield(KEEP_MS, keep, context, chosen, talk) end
  end })
end

--- Stops instances; their disks stay.
---@param words string[]  services or instances; none = all
---@return table<string, boolean> chosen
function M.stop(context, words, talk)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local chosen = choose.instances(context.record, words)
  local actions = down.make(context.record, chosen, false)
  ask_hooks(context, actions)
  recorded.set_desired(context, chosen, "stopped")
  expired.sweep(context, talk, context.record)
  talk.planned { actions = actions, rows = {} }
  local _kept <close> = kept_when_refused(context, chosen, talk)
  change.perform(context, { record = context.record }, talk, actions)
  return chosen
end

--- A project with kept volumes keeps its record, so that `down -v` and the next `up` find them.
local function drop_empty_project(context, kept)
  if next(context.record.instances) or next(kept) then return end
  project.remove(context.world, context.state, context.name)
  context.is_dropped = true
end

-- Whether an instance runs, or a supervisor would start it again, which may not have seen yet that it has ended.
local function is_to_run(context, name)
  local entry = context.record.instances[name]
  if observe.is_running(context.world, context.state, context.name, name) then return true end
  if entry.desired ~= "running" then return false end
  local now = runtime.load(context.world, context.state, context.name, name)
  local policy = entry.spec.restart and entry.spec.restart.policy or "no"
  return now.restarts and now.restarts.next_ms or not now.exit and policy ~= "no"
end

local function only_stopped(context, chosen, talk)
  local stopped = {}
  for _, name in ipairs(table_.keys(chosen)) do
    if is_to_run(context, name) then
      talk.notice(("%s is to run and stays; stop it first, or give --stop"):format(name))
    else
      stopped[name] = true
    end
  end
  return stopped
end

-- A new batch of the trash; one that nothing came into is removed when the scope is left.
local function open_batch(context)
  local batch = trash.open_batch(context.world, context.state, context.record)
  return batch, setmetatable({}, { __close = function() trash.close_batch(context.world, batch) end })
end

--- Stops instances and moves their disks to the trash; volumes only with `options.volumes`. With `options.only_stopped`
--- those that are to run are left.
---@param event string  what the event log calls it
---@return {chosen: table<string, boolean>, kept: table<string, table>, taken: table<string, table>,
---        batch: string} result  kept, taken: volumes
function M.down(context, words, talk, event)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local chosen = choose.instances(context.record, words)
  if context.options.only_stopped then chosen = only_stopped(context, chosen, talk) end
  refuse_protected(context.record, chosen)
  if context.options.volumes then
    taken.heed_file(context, talk)
    taken.require_unused(context)
  end
  local actions = down.make(context.record, chosen, true)
  ask_hooks(context, actions)
  talk.planned { actions = actions, rows = {} }
  recorded.set_desired(context, chosen, "removed")
  expired.sweep(context, talk, context.record)
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  local _kept <close> = kept_when_refused(context, chosen, talk)
  local batch, _closed <close> = open_batch(context)
  change.perform(context, { record = context.record, batch = batch }, talk, actions)
  local kept, gone = observe.volumes(world, state, context.name), {}
  if context.options.volumes and not next(context.record.instances) then
    gone = taken.take(context, batch)
    kept = taken.of(context, true)
  end
  drop_empty_project(context, kept)
  if context.options.purge then trash.remove(world, { directory = batch }) end
  if next(chosen) then journal.append(world, state, context.name, { type = event }) end
  change.clear(context)
  return { chosen = chosen, kept = kept, taken = gone, batch = batch }
end

return M
