--- Actions on the instances of a service that is changed in groups: time between groups, whether they stay well, and back
--- again when too many fail. Effects: QEMU, its guests, files.
local await = require "holos.run.await"
local back = require "holos.run.back"
local err = require "holos.core.err"
local gate = require "holos.plan.gate"
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

--- An instance is again what it was, and so is its disk. Its supervisor may have started it again since it was stopped.
M["instance.go_back"] = function(world, job, action)
  local name = action.instance
  local _held <close> = job.take_lock(name)
  stop.stop(world, { state = job.state, project = job.record.name, name = name,
    grace_ms = job.grace_ms or job.record.instances[name].spec.stop_grace_ms })
  stop.require_ended(world, job.state, job.record.name, name)
  back.restore(world, job.state, job.record, name)
  return "as it was before"
end

-- Part of going back, told as if it were an action of the plan, in its turn where launches have turns.
local function act(job, kind, name, goal)
  job.part { id = kind .. "/" .. name, kind = kind, instance = name, goal = goal, after = {}, is_for_failure = true,
    because = "update_config" }
end

-- One that serves runs its pre_stop first; when that fails it goes back all the same, as do the others.
local function let_go(job, name)
  local fine, problem = xpcall(act, err.trace, job, "instance.stop", name)
  if fine then return end
  if not err.is(problem, "EPRESTOP") then error(problem, 0) end
  job.runs_on[name] = nil
  job.warn(("%s: %s; it goes back all the same"):format(name, problem.what))
end

-- What was put back already is only written down, as is one whose turn had not come.
local function one_back(world, job, name)
  if back.is_untouched(world, job.state, job.record, name) then return back.restore(world, job.state, job.record, name) end
  let_go(job, name)
  M["instance.go_back"](world, job, { instance = name })
  local entry = job.record.instances[name]
  if entry.desired ~= "running" then return end
  act(job, "instance.launch", name)
  local goal = gate.goal(entry.spec)
  if goal ~= "running" then act(job, "instance.await", name, goal) end
end

-- One that does not come back keeps none of the others from it.
---@param left table<string, boolean>  those
local function group_back(world, job, names, left)
  task.map(names, #names, function(name)
    local fine, problem = xpcall(one_back, err.trace, world, job, name)
    if not fine and not err.is_failure(problem) then error(problem, 0) end
    if fine then return end
    left[name] = true
    job.warn(("%s: going back: %s"):format(name, tostring(problem)))
  end)
end

local function all_back(world, job, action)
  local names, has_new_disks = back.decide(world, job.state, job.record, action.instances)
  local most, left = action.parallelism > 0 and action.parallelism or math.max(1, #names), {}
  for first = 1, #names, most do
    if first > 1 and action.delay_ms > 0 then task.wait { at_ms = task.now_ms() + action.delay_ms } end
    group_back(world, job, { table.unpack(names, first, math.min(#names, first + most - 1)) }, left)
  end
  return names, left, has_new_disks
end

-- "web was rolled back: web-1, web-2; not so web-0"
local function told(service, names, left)
  local lists = { [true] = {}, [false] = {} }
  for _, name in ipairs(names) do table.insert(lists[left[name] == true], name) end
  local back_text, left_text = table.concat(lists[false], ", "), table.concat(lists[true], ", ")
  if #names == 0 then return "nothing of " .. service .. " had to go back" end
  if back_text == "" then return ("%s could not be rolled back: %s"):format(service, left_text) end
  return ("%s was rolled back: %s%s"):format(service, back_text, left_text ~= "" and "; not so " .. left_text or "")
end

--- Too many have failed: each goes back to what it was.
M["rollout.back"] = function(world, job, action)
  local names, left, has_new_disks = task.shield(BACK_MS, all_back, world, job, action)
  local problem, text = job.tally:problem(action.service), told(action.service, names, left)
  local more = has_new_disks and "; the new disks are in the trash: holos trash ls " .. job.record.name or ""
  problem.exit = 4
  problem.hint = (problem.hint and problem.hint .. "\n" or "") .. text .. more
  return text
end

return M
