--- Actions on instances that run on: ports given up and taken, names told, what is only written down. Effects: QEMU's
--- monitor, the guest.
local lazy = require "holos.core.lazy"
local adjust = lazy "holos.run.adjust"
local attach = lazy "holos.run.attach"
local ports = require "holos.run.ports"
local runtime = require "holos.run.runtime"

local M = {}

-- Calls fn(at) with the instance locked, unless it has ended meanwhile: its next launch is as it is wanted.
local function while_it_runs(world, job, action, fn)
  local _held <close> = job.take_lock(action.instance)
  local entry = job.record.instances[action.instance]
  local now = runtime.load(world, job.state, job.record.name, action.instance)
  local process <close> = runtime.process(world, now)
  if not process or not runtime.applied(job.state, job.record.name, action.instance, now) then return "does not run" end
  job.claimed = job.claimed or ports.claimed(job.record, job.facts.records)
  fn { state = job.state, spec = entry.spec, now = now, entry = entry, hosts = job.record.hosts, claimed = job.claimed,
    warn = job.warn, on_change = function(told) job.on_change(action.instance, told) end }
  return "changed"
end

M["ports.close"] = function(world, job, action)
  return while_it_runs(world, job, action, function(at) adjust.close_ports(world, at) end)
end

M["volume.detach"] = function(world, job, action)
  return while_it_runs(world, job, action, function(at) attach.detach(world, at) end)
end

M["instance.apply"] = function(world, job, action)
  return while_it_runs(world, job, action, function(at)
    if action.takes_volumes then attach.attach(world, at) end
    adjust.apply(world, at)
  end)
end

return M
