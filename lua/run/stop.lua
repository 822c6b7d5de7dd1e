--- Stop of one instance: power button, then SIGTERM, then SIGKILL; the end is seen on the pidfd before anything moves.
--- Effects: QMP, signals, runtime.json.
local lazy = require "holos.core.lazy"
local ending = lazy "holos.run.ending"
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local monitor = require "holos.run.monitor"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local task = require "holos.core.task"

local M = {}

--- A guest that is still booting loses the first press; it is pressed again this often.
local PRESS_AGAIN_MS = 5000
--- What a stop comes to that found nothing to stop.
M.WAS_NOT_RUNNING = "was not running"

local TERM_MS, KILL_MS = 10000, 10000
local CONNECT_MS, CONNECT_AGAIN_MS = 2000, 500

local function ended(process, timeout_ms)
  local ok, problem = pcall(task.within, timeout_ms, function() task.wait { process = process } end)
  if ok then return true end
  if err.is(problem, "ETIMEDOUT") then return false end
  error(problem, 0)
end

--- A monitor of the VM: the command socket, else the other one, tried again until the deadline while the VM lives.
local function connect(world, directory, process, deadline_ms)
  local left_ms = deadline_ms - task.now_ms()
  while left_ms > 0 and process:alive() do
    for _, socket in ipairs { monitor.SOCKET, monitor.OTHER_SOCKET } do
      local session = monitor.try_connect(world, directory, math.max(1, math.min(CONNECT_MS, left_ms)), socket)
      if session then return session end
    end
    if ended(process, math.max(1, math.min(CONNECT_AGAIN_MS, deadline_ms - task.now_ms()))) then return nil end
    left_ms = deadline_ms - task.now_ms()
  end
end

--- A paused guest hears no power button, so it goes on first; false when it cannot.
local function can_hear(session)
  local halt = monitor.halt(session)
  if halt and halt.cure == "resume" then monitor.resume(session) end
  return not halt or halt.cure ~= "restart"
end

--- pcall of fn(session), which takes no longer than the grace: a monitor that does not answer costs no more.
local function try(deadline_ms, fn, session)
  local ok, result = pcall(task.within, math.max(1, deadline_ms - task.now_ms()), fn, session)
  if not ok and not err.is_failure(result) then error(result, 0) end
  return ok, result
end

--- Presses the power button until the guest has ended or the grace is over.
---@return string? reason  of the exit, as QEMU's SHUTDOWN event says it
---@return boolean heard   whether anything of the VM was heard: without that a missing reason means nothing
local function power_down(world, directory, process, grace_ms)
  local deadline_ms = task.now_ms() + grace_ms
  local session <close> = connect(world, directory, process, deadline_ms)
  if not session then return nil, false end
  repeat
    local asked, hears = try(deadline_ms, can_hear, session)
    if asked and not hears then break end
    if not try(deadline_ms, monitor.power_down, session) and not process:alive() then break end
    local left_ms = deadline_ms - task.now_ms()
    if ended(process, math.max(1, math.min(PRESS_AGAIN_MS, left_ms))) then break end
  until task.now_ms() >= deadline_ms
  if process:alive() then return nil, true end
  return session:shutdown_reason(), true
end

local function signal(process, name, wait_ms)
  if not process:alive() then return true end
  local sent, message, code = process:signal(name)
  if not sent and code ~= "ESRCH" then err.raise { message = message, code = code } end
  return ended(process, wait_ms)
end

--- Ends the virtiofsd processes that a runtime names; QEMU's end takes them along, a cut launch does not.
function M.end_shares(world, now)
  for _, share in ipairs(now and now.shares or {}) do
    local process <close> = world.proc.open(share.pid, share.start_time)
    if process then signal(process, "TERM", TERM_MS) end
  end
end

--- Raises when an instance runs: no disk is moved under a living QEMU, whatever was observed before its lock was taken.
function M.require_ended(world, state, project, name)
  local now = runtime.load(world, state, project, name)
  M.end_shares(world, now)
  local process <close> = runtime.process(world, now)
  if process then err.raise { message = name .. ": runs again; nothing of it was moved", code = "EBUSY" } end
end

--- Ends a process that did not power off by itself.
local function terminate(process, name, pid)
  if signal(process, "TERM", TERM_MS) then return "terminated" end
  if signal(process, "KILL", KILL_MS) then return "killed" end
  err.raise { message = ("%s: process %d does not end; nothing was moved"):format(name, pid), code = "ESTUCK" }
end

local function note_end(world, options, now, how, reason)
  now.exit, now.pid, now.ending = how, nil, nil
  if options.on_end then options.on_end(now) end
  runtime.save(world, options.state, options.project, options.name, now)
  journal.append(world, options.state, options.project, { type = "instance.stopped", instance = options.name, how = how,
    reason = reason })
  return how
end

-- It ended before it was told to, by a command of its own or by a crash, and nobody has written so: whoever found it written
-- as running later would take its end for one that nobody wanted.
local function note_found(world, options, now)
  M.end_shares(world, now)
  if not now or not now.pid then return M.WAS_NOT_RUNNING end
  local how, _, reason = ending.unheard(world, options.state, options.project, options.name, now)
  return note_end(world, options, now, now.ending and now.ending.how or how, reason)
end

--- Stops an instance, proves that its process is gone, and writes down how it ended. The caller holds the instance's lock.
---@param options {state: table, project: string, name: string, grace_ms: integer, on_end: fun(now: table)?}  on_end changes
---                what is written of its end
---@return string how  "was not running"; "terminated", "killed"; or how the VM ended by itself, as plan/shutdown says it
function M.stop(world, options)
  local state, project, name = options.state, options.project, options.name
  local now = runtime.load(world, state, project, name)
  local process <close> = runtime.process(world, now)
  if not process then return note_found(world, options, now) end
  local reason, heard = power_down(world, state:instance(project, name), process, options.grace_ms)
  local how
  if process:alive() then how = terminate(process, name, now.pid) else how = heard and shutdown.explain(reason) or "ended" end
  M.end_shares(world, now)
  return note_end(world, options, now, how, reason)
end

return M
