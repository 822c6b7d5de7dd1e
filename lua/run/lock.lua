--- Locks among holos processes: taken, waited for by an event, let go at the end of a scope. Effects: lock files.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

-- The event is what wakes a waiter: of 1000 holders that were killed, each one's lock was had at the first event (Linux
-- 6.18, also with a waiter that does not sleep). Yet it cannot stand alone. The kernel tells of the close before it drops
-- the lock (__fput calls fsnotify_close, then locks_remove_file), so a waiter may come too early and never be told again;
-- and nothing is told of those who opened the file for reading only, as flock(1) does, or on another host. So somebody who
-- waits also looks this often.
local LOOK_AGAIN_MS = 1000

--- What the holder says of itself, fit to be printed.
function M.owner(lock)
  local note = (lock:read_owner() or ""):gsub("%c", " ")
  return note ~= "" and note or "another process"
end

local function refuse(lock, path, options, waited_ms)
  err.raise { code = "ELOCKED", exit = 5,
    message = ("%s is locked by %s%s"):format(options.name or path, M.owner(lock),
      waited_ms >= 1000 and (" (waited %d s)"):format(waited_ms // 1000) or ""),
    hint = ("wait for it, or give a longer --lock-timeout; the lock file is %s"):format(path) }
end

--- Until the lock may be free, or `at_ms`.
local function wait_for_change(lock, at_ms)
  task.race {
    function() task.wait { fd = lock:fileno(), dir = "r" } end,
    function() task.wait { at_ms = at_ms } end,
  }
end

--- true when taken, false when another has it, nil when the file was removed meanwhile.
local function try(lock, path)
  local taken, message, code = lock:try_take()
  if taken then return true end
  if message == "EAGAIN" then return false end
  if code == "ESTALE" then return nil end
  err.check(path, nil, message, code)
end

local function wait(lock, path, options, started_ms)
  local deadline_ms = started_ms + (options.timeout_ms or 0)
  if options.no_wait or task.now_ms() >= deadline_ms then refuse(lock, path, options, task.now_ms() - started_ms) end
  if options.on_wait then options.on_wait(M.owner(lock)) end
  repeat
    local now_ms = task.now_ms()
    if now_ms >= deadline_ms then refuse(lock, path, options, now_ms - started_ms) end
    wait_for_change(lock, math.min(deadline_ms, now_ms + (options.look_ms or LOOK_AGAIN_MS)))
    local taken = try(lock, path)
  until taken ~= false
  return lock:is_held()
end

--- The lock, held; nil when its file was removed while it was waited for.
local function attempt(world, path, options, started_ms)
  local lock = err.check(options.name or path, world.lock.open(path))
  local _unless_held <close> = setmetatable({}, { __close = function()
    if not lock:is_held() then lock:release() end
  end })
  local taken = try(lock, path)
  if taken == false then taken = wait(lock, path, options, started_ms) end
  return taken and lock or nil
end

--- The lock in `path`, when nobody has it.
---@return table? lock  let go by <close>
function M.try(world, path)
  local lock = world.lock.open(path)
  if not lock then return nil end
  if lock:try_take() then return lock end
  lock:release()
end

--- Takes the lock in `path`; on_wait(owner) is called when that has to wait. Raises ELOCKED (exit 5) when time is over.
---@param options {name: string?, timeout_ms: integer?, no_wait: boolean?, owner_text: string?, on_wait: function?,
---   look_ms: integer?} options  look_ms: how often one looks who waits for very long
---@return table lock  let go by <close>
function M.take(world, path, options)
  local started_ms = task.now_ms()
  local lock
  repeat lock = attempt(world, path, options, started_ms) until lock
  -- Only for those who wait: a full disk does not keep anybody from freeing some.
  local me = world.proc.self()
  lock:write_owner((options.owner_text or "holos") .. (me and ", pid " .. me.pid or ""))
  return lock
end

return M
