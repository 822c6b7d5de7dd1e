--- Runs the actions of a plan: each as soon as what it comes after has ended, siblings in parallel. Effects: all of
--- them. The first failure stops new work; what runs is left running.
local disk = require "holos.run.action.disk"
local err = require "holos.core.err"
local instance = require "holos.run.action.instance"
local live = require "holos.run.action.live"
local replace = require "holos.run.action.replace"
local task = require "holos.core.task"

local M = {}

--- One entry for each kind of action: fn(world, job, action) → what it came to; `job` is what M.run got.
M.actions = {}
for _, actions in ipairs { disk, instance, live, replace } do
  for kind, action in pairs(actions) do M.actions[kind] = action end
end

-- What costs processor time and memory; what waits does not.
local HEAVY = { ["disk.create"] = true, ["volume.create"] = true, ["instance.launch"] = true }

local function allowed_and_done(world, job, action)
  job.before(action)
  return M.actions[action.kind](world, job, action)
end

local function in_its_turn(world, job, action)
  if job.slots and HEAVY[action.kind] then return job.slots:with(allowed_and_done, world, job, action) end
  return allowed_and_done(world, job, action)
end

-- A new disk that does not serve makes room for the old one; not when we are only asked to stop.
local function undo(world, job, action, problem)
  if not action.undo or err.is(problem, "ECANCELED") then return end
  M.actions["instance.put_back"](world, job, action)
  if not err.is(problem) or action.kind == "instance.set_aside" then return end -- there was nothing new yet
  problem.hint = "what failed is in the trash: holos trash ls " .. job.record.name
end

--- Performs one action; a failure is told to `job.on_end` and raised.
function M.perform(world, job, action)
  job.on_start(action)
  local begun_ms = task.now_ms()
  local ok, result = xpcall(in_its_turn, err.trace, world, job, action)
  local took_ms = task.now_ms() - begun_ms
  job.on_end(action, ok, result, took_ms)
  if not ok then
    undo(world, job, action, result)
    error(result, 0)
  end
  job.after(action, result, took_ms)
end

-- Waits until everything that an action comes after has ended; false when something that it needs has failed.
local function may_begin(ended, action)
  for _, id in ipairs(action.after_any or {}) do
    if ended[id] then ended[id]:wait() end
  end
  local fine = true
  for _, id in ipairs(action.after) do
    if ended[id] then fine = ended[id]:wait() and fine end
  end
  return fine
end

-- One action in its turn. What fails and is optional fails for those alone that come after it.
local function take_turn(world, job, ended, action, failures)
  local fine = may_begin(ended, action)
  if not fine and action.kind == "instance.launch" then
    job.warn(action.instance .. " was not started: what it depends on has failed")
  end
  if fine and action.optional then
    local problem
    fine, problem = pcall(M.perform, world, job, action)
    if not fine and (not err.is(problem) or err.is(problem, "ECANCELED")) then error(problem, 0) end
    if not fine then failures[#failures + 1] = problem end
  elseif fine then
    M.perform(world, job, action)
  end
  ended[action.id]:fire(fine)
end

--- Runs all actions. The first failure of an optional one is raised when all else has been done.
---@param job table  {state, record, facts, batch?, parallel? (so many disks and launches at a time), take_lock(instance),
---                  wait_timeout_ms, grace_ms?, warn(text),
---                  on_start(action), on_change(instance, told), on_end(action, ok, result, took_ms), and from
--- use/hooks
---                  before(action), which may refuse it, and after(action, result, took_ms)}
---@param actions holos.Action[]
function M.run(world, job, actions)
  local ended, failures = {}, {}
  job.slots = job.parallel and job.parallel > 0 and task.semaphore(job.parallel) or nil
  job.launched = {} -- instance -> what its runtime.json holds
  for _, action in ipairs(actions) do ended[action.id] = task.event() end
  task.scope(function(scope)
    for _, action in ipairs(actions) do
      scope:spawn(action.id, take_turn, world, job, ended, action, failures)
    end
  end)
  if failures[1] then error(failures[1], 0) end
end

return M
