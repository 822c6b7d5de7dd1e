--- The end of an instance that nobody asked for, and its new start. Effects: runtime.json, launches, stops; all under the
--- instance's lock, and only while the instance is what was seen.
local ending_ = require "holos.run.ending"
local err = require "holos.core.err"
local lock = require "holos.run.lock"
local record_ = require "holos.run.record"
local relaunch = require "holos.supervise.relaunch"
local restart = require "holos.plan.restart"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local stop = require "holos.run.stop"
local task = require "holos.core.task"

local M = {}

local function take_lock(keeper)
  local project = keeper.project
  return lock.take(project.world, project.state:instance_lock(project.name, keeper.name), { name = keeper.name,
    timeout_ms = runtime.LOCK_MS, owner_text = "supervisor, for " .. keeper.name })
end

-- The record, when it still wants the instance to run. Otherwise what we know of it is old: it is taken over at once, or we
-- would come back for the same reason before anybody tells us.
local function wanting(keeper)
  local project = keeper.project
  local record = record_.load(project.world, project.state, project.name)
  local entry = record and record.instances[keeper.name]
  if entry and entry.desired == "running" then return record end
  project:take_over(record or { instances = {} })
end

--- What is written of the instance, when that is still what was seen, and the record still wants it to run.
local function unchanged(keeper, known)
  local project = keeper.project
  local now = runtime.load(project.world, project.state, project.name, keeper.name)
  if not now or now.pid ~= known.pid or now.start_time ~= known.start_time then return nil end
  local record = wanting(keeper)
  if record then return now, record end
end

-- What is written of an instance that has ended, and when it is to be started again; gives the event that tells of it.
local function mark_end(keeper, now, ended)
  local now_ms = task.now_ms()
  now.restarts = restart.ended(keeper.entry.spec.restart, now.restarts, { cause = ended.cause }, now_ms)
  now.exit, now.pid, now.health, now.ending = ended.how, nil, nil, nil
  local next_ms = now.restarts.next_ms
  return { type = "instance.exited", instance = keeper.name, how = ended.how, reason = ended.reason, text = ended.text,
    restart_in_ms = next_ms and next_ms - now_ms, gave_up = now.restarts.gave_up }
end

--- Writes down how an instance ended, and when it is to be started again.
local function note_end(keeper, now, ended)
  local project = keeper.project
  local event = mark_end(keeper, now, ended)
  runtime.save(project.world, project.state, project.name, keeper.name, now)
  project:emit(event)
end

local function heard(reason)
  local how, text = shutdown.explain(reason)
  return { how = how, text = text, reason = reason, cause = restart.cause(reason) }
end

-- As Docker has it of containers that ended while its daemon was away: what is not known to have ended well has failed.
local function unheard(project, name, now)
  local how, text, reason = ending_.unheard(project.world, project.state, project.name, name, now)
  return { how = how, text = text, cause = restart.cause(reason) }
end

--- An instance's process has ended. Who stopped it has written so before he let the lock go: then it is no business of
--- ours.
---@param ending {reason: string?, is_heard: boolean?}  is_heard: its monitor was listened to until the end
function M.settle(keeper, known, ending)
  local project = keeper.project
  local _held <close> = take_lock(keeper)
  local now = unchanged(keeper, known)
  if not now then return end
  project.world.proc.reap(now.pid) -- one that we launched is our child
  stop.end_shares(project.world, now)
  local ended = now.ending or ending.is_heard and heard(ending.reason) or unheard(project, keeper.name, now)
  note_end(keeper, now, ended)
end

--- A guest that lives and is of no use is ended, to be started again. Why is written down before it hears of its end: who
--- takes over from us ends it as well, or finds it ended, for the same reason.
---@param why {how: string, text: string, cause: "failure"|"unhealthy"}
function M.replace(keeper, known, why)
  local project = keeper.project
  local _held <close> = take_lock(keeper)
  local now = unchanged(keeper, known)
  if not now then return end
  now.ending = why
  runtime.save(project.world, project.state, project.name, keeper.name, now)
  local event
  stop.stop(project.world, { state = project.state, project = project.name, name = keeper.name,
    grace_ms = keeper.entry.spec.stop_grace_ms, on_end = function(after) event = mark_end(keeper, after, why) end })
  project.world.proc.reap(known.pid)
  project:emit(event)
end

-- Launches, or goes on with a launch. One that fails counts as another failure, but not when its QEMU runs and only what it
-- has shown could not be written down: that is still to be seen to its end.
local function launch(keeper, now, record, restarts)
  local project = keeper.project
  local ok, problem = xpcall(relaunch.run, err.trace, project, record, keeper.name, restarts)
  if ok or problem.can_go_on then return project:publish { type = "instance.launched", instance = keeper.name } end
  if not err.is_failure(problem) then error(problem, 0) end
  local failed = runtime.load(project.world, project.state, project.name, keeper.name) or now
  local process <close> = runtime.process(project.world, failed)
  if process then
    return project:emit { type = "supervisor.trouble", instance = keeper.name, message = problem.message }
  end
  failed.restarts = restarts
  note_end(keeper, failed, { how = "launch failed", text = problem.message, cause = "failure" })
end

--- Sees the launch of a running instance to its end when whoever began it was killed; who is still at it has its lock.
function M.finish_launch(keeper, known)
  local _held <close> = take_lock(keeper)
  local now, record = unchanged(keeper, known)
  if now and not runtime.is_proven(now) then launch(keeper, now, record, now.restarts) end
end

--- Starts an instance whose time has come, unless somebody asks to leave it alone.
function M.start_again(keeper)
  local project = keeper.project
  local _held <close> = take_lock(keeper)
  if project:is_held(keeper.name) then return end
  local now, record = unchanged(keeper, keeper.now)
  if not now or not now.restarts or not now.restarts.next_ms then return end
  local restarts = restart.begun(now.restarts)
  project:emit { type = "instance.restarting", instance = keeper.name, attempt = restarts.row }
  launch(keeper, now, record, restarts)
end

--- Starts an instance that ran when the host went down.
function M.start_after_boot(keeper)
  local project = keeper.project
  local _held <close> = take_lock(keeper)
  if project:is_held(keeper.name) then return end
  local now, why = runtime.load(project.world, project.state, project.name, keeper.name)
  local record = wanting(keeper)
  if now or why ~= "rebooted" or not record then return end
  project:emit { type = "instance.restarting", instance = keeper.name, text = "the host was rebooted" }
  launch(keeper, {}, record, restart.new())
end

return M
