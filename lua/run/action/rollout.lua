--- Actions on the instances of a service that is changed in groups: time between groups, whether they stay well, and back
--- again when too many fail. Effects: QEMU, its guests, files.
local await = require "holos.run.await"
local back = require "holos.run.back"
local err = require "holos.core.err"
local gate = require "holos.plan.gate"
local instance = require "holos.run.action.instance"
local stop = require "holos.run.stop"
local task = require "holos.core.task"

local M = {}

local BACK_MS = 60 * 60 * 1000

--- Time between two groups.
M["rollout.wait"] = function(_, _, action)
  if action.delay_ms > 0 then task.wait { at_ms = task.now_ms() + action.delay_ms } end
  return "on with the next"
end

M["rollout.monitor"] = function(world, job, action)
  await.stay(world, { state = job.state, spec = job.record.instances[action.instance].spec,
    goal = "running", timeout_ms = action.duration_ms, on_change = function(told) job.on_change(action.instance, told) end })
  return "stays well"
end

--- All of the service serve: nothing of it goes back any more.
M["rollout.settle"] = function(_, job, action)
  local entry = job.record.instances[action.instance]
  if entry.previous and entry.previous.has_new_disk then entry.replaced = nil end
  entry.previous = nil
  return "settled"
end

-- Its supervisor may have started it again since it was stopped.
local function stop_and_restore(world, job, name)
  local _held <close> = job.take_lock(name)
  stop.stop(world, { state = job.state, project = job.record.name, name = name,
    grace_ms = job.grace_ms or job.record.instances[name].spec.stop_grace_ms })
  stop.require_ended(world, job.state, job.record.name, name)
  back.restore(world, job.state, job.record, name)
end

-- Part of going back, told as if it were an action of the plan.
local function act(world, job, kind, name, goal)
  local action, begun_ms = { kind = kind, instance = name, goal = goal }, task.now_ms()
  job.on_start(action)
  local fine, result = xpcall(instance[kind], err.trace, world, job, action)
  job.on_end(action, fine, result, task.now_ms() - begun_ms)
  if not fine then error(result, 0) end
end

-- One that serves runs its pre_stop first; when that fails it goes back all the same, as do the others.
local function let_go(world, job, name)
  local fine, problem = xpcall(act, err.trace, world, job, "instance.stop", name)
  if fine then return end
  if not err.is(problem, "EPRESTOP") then error(problem, 0) end
  job.runs_on[name] = nil
  job.warn(("%s: %s; it goes back all the same"):format(name, problem.what))
end

-- What was put back already is only written down.
local function go_back(world, job, name)
  if back.is_untouched(world, job.state, job.record, name) then return back.restore(world, job.state, job.record, name) end
  let_go(world, job, name)
  stop_and_restore(world, job, name)
  if job.record.instances[name].desired == "running" then act(world, job, "instance.launch", name) end
end

local function one_back(world, job, name)
  go_back(world, job, name)
  local goal = gate.goal(job.record.instances[name].spec)
  if not job.launched[name] or goal == "running" then return end -- its turn had not come
  act(world, job, "instance.await", name, goal)
end

-- One that does not come back keeps none of the others from it.
local function group_back(world, job, names)
  task.map(names, #names, function(name)
    local fine, problem = xpcall(one_back, err.trace, world, job, name)
    if not fine and not err.is_failure(problem) then error(problem, 0) end
    if not fine then job.warn(("%s: going back: %s"):format(name, tostring(problem))) end
  end)
end

local function all_back(world, job, action)
  local names, has_new_disks = back.decide(world, job.state, job.record, action.instances)
  local most = action.parallelism > 0 and action.parallelism or math.max(1, #names)
  for first = 1, #names, most do
    if first > 1 and action.delay_ms > 0 then task.wait { at_ms = task.now_ms() + action.delay_ms } end
    group_back(world, job, { table.unpack(names, first, math.min(#names, first + most - 1)) })
  end
  return names, has_new_disks
end

--- Too many have failed: each goes back to what it was.
M["rollout.back"] = function(world, job, action)
  local names, has_new_disks = task.shield(BACK_MS, all_back, world, job, action)
  local problem = job.tally:problem(action.service)
  local text = ("%s was rolled back: %s"):format(action.service, table.concat(names, ", "))
  problem.exit = 4
  problem.hint = text .. (has_new_disks and "; the new disks are in the trash: holos trash ls " .. job.record.name or "")
  return text
end

return M
