--- Coroutines that may wait: the `coroutine` table of user scripts. Pure.
--
-- A task's wait is a yield that carries TOKEN. In a plain coroutine it would surface at that coroutine's resume as a
-- value; here resume passes it on to the scheduler, and passes the answer back down. Bodies run in a pcall inside their
-- coroutine, because a coroutine that dies by an error under resume runs none of its pending <close> variables.

local M = {}

M.TOKEN = setmetatable({}, { __name = "task.wait", __tostring = function() return "a task's wait" end })

local CLOSE = setmetatable({}, { __tostring = function() return "coroutine closed" end })
local FAILED = {}

local resumers = setmetatable({}, { __mode = "k" })   -- coroutine made here -> thread that resumes it now

--- The thread that resumes `thread` now and passes its waits on; nil for coroutines not made here.
function M.resumer(thread)
  return resumers[thread]
end

local function outcome(fine, ...)
  if fine then return ... end
  return FAILED, ...
end

--- As coroutine.create; the body may wait.
function M.create(fn)
  if type(fn) ~= "function" then error("coroutine.create wants a function, got a " .. type(fn), 2) end
  return coroutine.create(function(...) return outcome(pcall(fn, ...)) end)
end

local function answer(thread, fine, first, ...)
  if fine and rawequal(first, M.TOKEN) then
    return answer(thread, coroutine.resume(thread, coroutine.yield(M.TOKEN)))
  end
  resumers[thread] = nil
  if rawequal(first, FAILED) then return false, ... end
  return fine, first, ...
end

local function dead_or_running(thread)
  local status = coroutine.status(thread)
  return status ~= "suspended" and ("cannot resume %s coroutine"):format(status == "dead" and "dead" or "non-suspended")
end

--- As coroutine.resume; a wait inside goes to the scheduler, not to the caller.
function M.resume(thread, ...)
  local problem = dead_or_running(thread)
  if problem then return false, problem end
  resumers[thread] = coroutine.running()
  return answer(thread, coroutine.resume(thread, ...))
end

local function result_or_raise(fine, ...)
  if fine then return ... end
  error((...), 0)
end

--- As coroutine.wrap.
function M.wrap(fn)
  local thread = M.create(fn)
  return function(...) return result_or_raise(M.resume(thread, ...)) end
end

local function resumed(first, ...)
  if rawequal(first, CLOSE) then error(CLOSE, 0) end
  return first, ...
end

--- As coroutine.yield; only inside a coroutine made here.
function M.yield(...)
  if not resumers[coroutine.running()] then error("attempt to yield from outside a coroutine", 2) end
  return resumed(coroutine.yield(...))
end

--- As coroutine.close, but pending <close> variables may wait: CLOSE is raised where the coroutine yielded.
function M.close(thread)
  if coroutine.status(thread) ~= "suspended" or not debug.getinfo(thread, 0, "f") then
    return coroutine.close(thread)                      -- dead, not started, or an error to be reported by Lua
  end
  local fine, problem = M.resume(thread, CLOSE)
  if not fine and rawequal(problem, CLOSE) then return true end
  if fine and coroutine.status(thread) == "dead" then return true end
  return false, fine and "coroutine yielded while it was closed" or problem
end

M.status, M.running, M.isyieldable = coroutine.status, coroutine.running, coroutine.isyieldable

return M
