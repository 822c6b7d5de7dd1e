--- Locks among holos processes: taken, waited for by an event, let go at the end of a scope. Effects: lock files.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

local function holder(lock)
  local note = lock:read_owner() or ""
  return note ~= "" and note:gsub("[%c]", " ") or "another process"
end

local function refuse(lock, path, options, waited_ms)
  err.raise { code = "ELOCKED", exit = 5,
    message = ("%s is locked by %s%s"):format(options.name, holder(lock),
      waited_ms > 0 and (" (waited %d s)"):format(waited_ms // 1000) or ""),
    hint = ("wait for it, or give a longer --lock-timeout; the lock file is %s"):format(path) }
end

local function wait(lock, path, options)
  if options.no_wait or options.timeout_ms <= 0 then refuse(lock, path, options, 0) end
  if options.on_wait then options.on_wait(holder(lock)) end
  local ok, problem = pcall(task.within, options.timeout_ms, io_.await, lock, "try_take")
  if ok then return end
  if not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  refuse(lock, path, options, options.timeout_ms)
end

--- Takes the lock in `path`.
---@param options {name: string, timeout_ms: integer, no_wait: boolean?, owner_text: string?, on_wait: fun(owner: string)?}
---@return table lock  let go by <close>
function M.take(world, path, options)
  local lock = err.check(options.name, world.lock.open(path))
  local ok, problem = pcall(function()
    local taken, message, code = lock:try_take()
    if taken then return end
    if message ~= "EAGAIN" then err.check(path, nil, message, code) end
    wait(lock, path, options)
  end)
  if not ok then
    lock:release()
    error(problem, 0)
  end
  local me = world.proc.self()
  lock:write_owner(("%s, pid %d"):format(options.owner_text or "holos", me.pid))
  return lock
end

return M
