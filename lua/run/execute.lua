--- Runs the actions of a plan: each as soon as what it comes after has ended, siblings in parallel. Effects: all of
--- them. The first failure stops new work; what runs is left running.
local disk = require "holos.run.action.disk"
local err = require "holos.core.err"
local instance = require "holos.run.action.instance"
local live = require "holos.run.action.live"
local replace = require "holos.run.action.replace"
local rollout = require "holos.run.action.rollout"
local table_ = require "holos.core.table"
local tally = require "holos.run.tally"
local task = require "holos.core.task"

local M = {}

--- One entry for each kind of action: fn(world, job, action) → what it came to; `job` is what M.run got.
M.actions = {}
for _, actions in ipairs { disk, instance, live, replace, rollout } do
  for kind, action in pairs(actions) do M.actions[kind] = action end
end

-- What costs processor time and memory; what waits does not.
local HEAVY = { ["disk.create"] = true, ["volume.create"] = true, ["instance.launch"] = true }

-- Who has waited for his turn learns here that there is nothing more to do.
local NOT_BEGUN = {}

local function allowed_and_done(world, job, action)
  if job.is_stopped and not action.is_for_failure then return NOT_BEGUN end
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

-- Whether a failure ends nothing that does not come after it. Otherwise nothing new is begun from now on, also while a disk is
-- being put back.
local function bear(job, action, problem)
  if err.is(problem, "ECANCELED") then return false end
  local is_borne = err.is(problem) and (job.tally:bears(action, problem) or action.optional) or false
  if not is_borne then job.is_stopped = true end
  return is_borne
end

local function tell(job, action, ok, result, took_ms)
  job.on_end(action, ok, result, took_ms)
  if ok then job.after(action, result, took_ms) end
end

--- Performs what is part of an action that comes after a failure, told as if it stood in the plan; its own failure is raised.
function M.part(world, job, action)
  job.on_start(action)
  local begun_ms = task.now_ms()
  local ok, result = xpcall(in_its_turn, err.trace, world, job, action)
  tell(job, action, ok, result, task.now_ms() - begun_ms)
  if not ok then error(result, 0) end
end

--- Performs one action; a failure is told to `job.on_end`, and raised unless it is borne.
---@return boolean done
function M.perform(world, job, action)
  job.on_start(action)
  local begun_ms = task.now_ms()
  local ok, result = xpcall(in_its_turn, err.trace, world, job, action)
  if result == NOT_BEGUN then return false end
  local took_ms, is_borne = task.now_ms() - begun_ms, not ok and bear(job, action, result)
  tell(job, action, ok, result, took_ms)
  if ok then return true end
  undo(world, job, action, result)
  if not is_borne then error(result, 0) end
  job.failures[#job.failures + 1] = result
  return false
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

-- What waits has no more to wait for when the change that it belongs to is given up.
local WAITS = { ["instance.await"] = true, ["rollout.wait"] = true, ["rollout.monitor"] = true }

-- Performs an action as long as the change that it belongs to is not given up.
local function perform(world, job, action)
  if not action.rollout or not WAITS[action.kind] then return M.perform(world, job, action) end
  return task.race {
    function() return M.perform(world, job, action) end,
    function()
      job.tally:until_over(action.rollout.service)
      return false
    end,
  }
end

-- One that still runs, as its stop was held back too, is left as it is.
local function tell_unstarted(job, ended, name)
  if job.runs_on[name] then return end
  local stopped = ended["stop/" .. name]
  local runs = stopped ~= nil and not stopped:wait()
  job.warn(name .. (runs and " is left as it is: what it waits for has failed"
    or " was not started: what it depends on has failed"))
end

-- One action in its turn. A failure that is borne fails for those alone that come after it.
local function take_turn(world, job, ended, action)
  local fine = may_begin(ended, action)
  if not fine and action.kind == "instance.launch" and not action.rollout and not job.is_stopped then
    tell_unstarted(job, ended, action.instance)
  end
  job.begun[action.id] = true
  ended[action.id]:fire(fine and job.tally:may_begin(action) and perform(world, job, action))
end

local function each_told(problems)
  local messages, hints = {}, {}
  for _, problem in ipairs(problems) do
    messages[#messages + 1], hints[#hints + 1] = problem.message, problem.hint
  end
  return err.new { message = table.concat(messages, "\n"), code = problems[1].code, exit = problems[1].exit,
    hint = hints[1] and table.concat(hints, "\n") }
end

-- That changes were given up is what the user has to hear first; and what ended it all.
---@param last any  what was raised, nil where all failures were borne
local function gravest(job, last)
  if last ~= nil and not err.is_failure(last) then return last end
  local told = table_.filter(job.failures, function(problem) return job.tally:is_given_up(problem) end)
  told[#told + 1] = last
  return #told > 1 and each_told(told) or told[1] or job.failures[1]
end

-- Changes that were given up go back whatever else has failed meanwhile.
local function keep_promises(world, job, actions)
  for _, action in ipairs(actions) do
    if action.is_for_failure and not job.begun[action.id] and job.tally:may_begin(action) then M.perform(world, job, action) end
  end
end

--- Runs all actions. A failure that was borne is raised when all else has been done.
---@param job table  {state, record, facts, batch?, parallel? (so many disks and launches at a time), take_lock(instance),
---                  wait_timeout_ms, grace_ms?, warn(text),
---                  on_start(action), on_change(instance, told), on_end(action, ok, result, took_ms), and from
--- use/hooks
---                  before(action), which may refuse it, and after(action, result, took_ms)}
---@param actions holos.Action[]
function M.run(world, job, actions)
  local ended = {}
  job.failures, job.runs_on = {}, {} -- runs_on: instances that were not stopped, as a command of theirs failed
  job.slots = job.parallel and job.parallel > 0 and task.semaphore(job.parallel) or nil
  job.launched, job.tally, job.begun = {}, tally.new(), {} -- launched: instance -> what its runtime.json holds
  function job.part(action) M.part(world, job, action) end
  for _, action in ipairs(actions) do ended[action.id] = task.event() end
  local fine, last = xpcall(task.scope, err.trace, function(scope)
    for _, action in ipairs(actions) do
      scope:spawn(action.id, take_turn, world, job, ended, action)
    end
  end)
  keep_promises(world, job, actions)
  if not fine or job.failures[1] then error(gravest(job, not fine and last or nil), 0) end
end

return M
