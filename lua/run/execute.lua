--- Runs the actions of a plan: each as soon as what it comes after has ended, siblings in parallel. Effects: all of
--- them. The first failure stops new work; what runs is left running.
local err = require "holos.core.err"
local await = require "holos.run.await"
local confine = require "holos.run.confine"
local disk = require "holos.run.disk"
local journal = require "holos.run.journal"
local launch = require "holos.run.launch"
local monitor = require "holos.run.monitor"
local runtime = require "holos.run.runtime"
local stop = require "holos.run.stop"
local task = require "holos.core.task"
local trash = require "holos.run.trash"

local M = {}

local RESUME_MS = 5000

--- One entry for each kind of action; `job` is what M.run got.
M.actions = {}

local function spec_of(job, action) return job.record.instances[action.instance].spec end

M.actions["volume.create"] = function(world, job, action)
  disk.create_volume(world, job.state, job.record.name, action.volume, action.size_bytes)
  job.record.volumes[action.volume].made = true
  return "created"
end

M.actions["disk.create"] = function(world, job, action)
  disk.create_root(world, job.state, spec_of(job, action))
  job.record.instances[action.instance].disk_made = true
  return "created"
end

M.actions["disk.grow"] = function(world, job, action)
  disk.grow_root(world, job.state, spec_of(job, action))
  return "grown"
end

-- What confines every VM is looked at once for all that a job launches.
local function confinement_of(world, job)
  job.confinement = job.confinement or confine.look(world, job.facts.qemu.program)
  return job.confinement
end

M.actions["instance.launch"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local entry, spec = job.record.instances[action.instance], spec_of(job, action)
  local known = runtime.load(world, job.state, job.record.name, action.instance)
  local process <close> = runtime.process(world, known)
  local launching = { state = job.state, spec = spec, hosts = job.record.hosts, leased = entry.leased or {},
    on_ports = function(ports) entry.leased = runtime.leased(spec, ports) end,
    uid = job.record.leases.uid, program = job.facts.qemu.program, confinement = confinement_of(world, job),
    firmware = job.facts.firmware, virtiofsd = job.facts.virtiofsd, warn = job.warn }
  if not process then
    known = launch.start(world, launching)
  elseif not (known.ports and known.ports[1]) then
    launch.resume(world, launching, known)
  end
  job.launched[action.instance] = known
  return "running"
end

--- A guest that was paused, by somebody or because the host's disk was full, goes on.
M.actions["instance.resume"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local session <close> = err.check(action.instance, monitor.try_connect(world,
    job.state:instance(job.record.name, action.instance), RESUME_MS))
  monitor.resume(session)
  monitor.require_running(session, spec_of(job, action))
  return "running"
end

M.actions["instance.await"] = function(world, job, action)
  await.reach(world, { state = job.state, spec = spec_of(job, action), goal = action.goal,
    runtime = job.launched[action.instance], timeout_ms = job.wait_timeout_ms,
    on_change = function(told) job.on_change(action.instance, told) end })
  return action.goal
end

M.actions["instance.stop"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  return stop.stop(world, { state = job.state, project = job.record.name, name = action.instance,
    grace_ms = job.grace_ms or spec_of(job, action).stop_grace_ms })
end

--- No disk is moved under a living QEMU, whatever was observed before the lock was taken.
local function require_ended(world, job, name)
  local now = runtime.load(world, job.state, job.record.name, name)
  stop.end_shares(world, now)
  local process <close> = runtime.process(world, now)
  if process then err.raise { message = name .. ": runs again; nothing of it was moved", code = "EBUSY" } end
end

M.actions["instance.trash"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  require_ended(world, job, action.instance)
  trash.take_instance(world, job.state, job.record.name, action.instance, job.batch)
  job.record.instances[action.instance] = nil
  job.record.leases.addresses[action.instance] = nil
  journal.append(world, job.state, job.record.name, { type = "instance.removed", instance = action.instance })
  return "removed"
end

local function allowed_and_done(world, job, action)
  job.before(action)
  return M.actions[action.kind](world, job, action)
end

--- Performs one action; a failure is told to `job.on_end` and raised.
function M.perform(world, job, action)
  job.on_start(action)
  local begun_ms = task.now_ms()
  local ok, result = xpcall(allowed_and_done, err.trace, world, job, action)
  local took_ms = task.now_ms() - begun_ms
  job.on_end(action, ok, result, took_ms)
  if not ok then error(result, 0) end
  job.after(action, result, took_ms)
end

--- Runs all actions.
---@param job table  {state, record, facts, batch?, take_lock(instance), wait_timeout_ms, grace_ms?, warn(text),
---                  on_start(action), on_change(instance, told), on_end(action, ok, result, took_ms), and from
--- use/hooks
---                  before(action), which may refuse it, and after(action, result, took_ms)}
---@param actions holos.Action[]
function M.run(world, job, actions)
  local ended = {}
  job.launched = {} -- instance -> what its runtime.json holds
  for _, action in ipairs(actions) do ended[action.id] = task.event() end
  task.scope(function(scope)
    for _, action in ipairs(actions) do
      scope:spawn(action.id, function()
        for _, id in ipairs(action.after) do
          if ended[id] then ended[id]:wait() end
        end
        M.perform(world, job, action)
        ended[action.id]:fire()
      end)
    end
  end)
end

return M
