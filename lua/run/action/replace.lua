--- Actions on an instance that gets a new disk: the old one is set aside, the new one settles in, or the old one comes
--- back. Effects: files, QEMU.
local err = require "holos.core.err"
local instance = require "holos.run.action.instance"
local journal = require "holos.run.journal"
local aside = require "holos.run.aside"
local stop = require "holos.run.stop"
local task = require "holos.core.task"

local M = {}

-- A new disk did not serve: what it holds is kept, but its guest need not be waited for.
local STOP_MS, PUT_BACK_MS = 5000, 10 * 60 * 1000

local function tell(world, job, name, event)
  journal.append(world, job.state, job.record.name, { type = event, instance = name })
end

M["instance.set_aside"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  local replaced = job.record.instances[action.instance].replaced
  if not replaced.is_moved then
    -- It was stopped before; its supervisor may have started it again meanwhile, after a crash.
    stop.stop(world, { state = job.state, project = job.record.name, name = action.instance,
      grace_ms = job.grace_ms or replaced.spec.stop_grace_ms })
    stop.require_ended(world, job.state, job.record.name, action.instance)
  end
  aside.set_aside(world, job.state, job.record, action.instance)
  tell(world, job, action.instance, "instance.replaced")
  return "old disk in the trash"
end

M["instance.settle"] = function(_, job, action)
  job.record.instances[action.instance].replaced = nil
  return "settled"
end

-- As long as the old disk stands in its place, what runs is nothing to be ended.
local function bring_back(world, job, name)
  local _held <close> = job.take_lock(name)
  if not aside.is_moved(world, job.state, job.record, name) then
    return aside.put_back(world, job.state, job.record, name), "its old disk could not be set aside, so it stays"
  end
  stop.stop(world, { state = job.state, project = job.record.name, name = name, grace_ms = STOP_MS })
  local was_made = job.record.instances[name].disk_made
  return aside.put_back(world, job.state, job.record, name),
    was_made and "its new disk did not serve and is in the trash; the old one is back"
    or "its new disk could not be made; the old one is back"
end

local function put_back(world, job, name)
  local replaced, text = bring_back(world, job, name)
  tell(world, job, name, "instance.put_back")
  job.warn(("%s: %s"):format(name, text))
  if replaced.was_running then instance["instance.launch"](world, job, { instance = name }) end
end

--- Puts the old disk of an instance back, whose new one did not serve; its VM runs again if it did before. What goes wrong
--- with that is told: what went wrong before is what the user has to hear.
M["instance.put_back"] = function(world, job, action)
  local name = action.instance
  if not job.record.instances[name].replaced then return "is back already" end
  local ok, problem = xpcall(task.shield, err.trace, PUT_BACK_MS, put_back, world, job, name)
  if not ok then job.warn(("%s: putting its old disk back: %s"):format(name, tostring(problem))) end
  return "old disk put back"
end

return M
