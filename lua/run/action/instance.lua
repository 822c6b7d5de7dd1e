--- Actions on instances: launch, resume, await, stop. Effects: QEMU, its monitors, its guest.
local lazy = require "holos.core.lazy"
local aside = require "holos.run.aside"
local await = lazy "holos.run.await"
local confine = lazy "holos.run.confine"
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local launch = lazy "holos.run.launch"
local monitor = require "holos.run.monitor"
local ports = lazy "holos.run.ports"
local pre_stop = lazy "holos.run.pre_stop"
local runtime = require "holos.run.runtime"
local stop = require "holos.run.stop"

local M = {}

local RESUME_MS = 5000

-- As long as the old disk stands in its place, a machine that is to be recreated is what it was; as soon as it stands there
-- again, too.
local function spec_of(world, job, action)
  return aside.spec_in_place(world, job.state, job.record, action.instance)
end

-- What confines every VM is looked at once for all that a job launches.
local function confinement_of(world, job)
  job.confinement = job.confinement or confine.look(world, job.facts.qemu.program)
  return job.confinement
end

local function tell(world, job, known)
  journal.append(world, job.state, job.record.name, { type = "instance.launched", instance = known.spec.name, pid = known.pid })
end

-- Supervisors tell nobody.
local function teller(job, action)
  return job.on_change and function(told) job.on_change(action.instance, told) end
end

M["instance.launch"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local entry, spec = job.record.instances[action.instance], spec_of(world, job, action)
  local known = runtime.load(world, job.state, job.record.name, action.instance)
  local process <close> = runtime.process(world, known)
  job.claimed = job.claimed or ports.claimed(job.record, job.facts.records)
  local launching = { state = job.state, spec = spec, hosts = job.record.hosts, leased = entry.leased or {},
    uid = job.record.leases.uid, program = job.facts.qemu.program, confinement = confinement_of(world, job),
    firmware = job.facts.firmware, virtiofsd = job.facts.virtiofsd, warn = job.warn, claimed = job.claimed,
    restarts = job.restarts, anonymous = entry.anonymous, on_change = teller(job, action) }
  function launching.on_ports(got) entry.leased = got[1] and runtime.leased(launching.spec, got) or entry.leased end
  if not process then
    known = launch.start(world, launching)
    entry.anonymous = launching.anonymous
    tell(world, job, known)
  elseif not runtime.is_proven(known) then
    launching.spec = runtime.applied(job.state, job.record.name, action.instance, known) or spec
    tell(world, job, launch.resume(world, launching, known))
  end
  job.launched[action.instance] = known
  return "running"
end

--- A guest that was paused, by somebody or because the host's disk was full, goes on.
M["instance.resume"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local session <close> = err.check(action.instance, monitor.try_connect(world,
    job.state:instance(job.record.name, action.instance), RESUME_MS))
  monitor.resume(session)
  monitor.require_running(session, spec_of(world, job, action))
  return "running"
end

M["instance.await"] = function(world, job, action)
  await.reach(world, { state = job.state, spec = spec_of(world, job, action), goal = action.goal,
    runtime = job.launched[action.instance], timeout_ms = job.wait_timeout_ms,
    on_change = teller(job, action) })
  return action.goal
end

-- A machine whose pre_stop fails is not stopped, so it is wanted to run on.
local function run_pre_stop(world, job, action, spec, grace_ms)
  local ok, result = xpcall(pre_stop.run, err.trace, world, { state = job.state, spec = spec, grace_ms = grace_ms,
    warn = job.warn, on_change = teller(job, action) })
  if ok then return result end
  job.record.instances[action.instance].desired = "running"
  job.runs_on[action.instance] = true
  error(result, 0)
end

M["instance.stop"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local spec = spec_of(world, job, action)
  local grace_ms = job.grace_ms or spec.stop_grace_ms
  if spec.pre_stop and not job.no_pre_stop then grace_ms = run_pre_stop(world, job, action, spec, grace_ms) end
  return stop.stop(world, { state = job.state, project = job.record.name, name = action.instance, grace_ms = grace_ms })
end

return M
