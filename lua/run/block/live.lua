--- Copies a disk of a VM that runs, by that VM's own QEMU: as it is at the moment of asking, while the guest goes on.
--- Effects: the VM's monitor, which is asked for moments only, so that it is there for others; writes to the target.
local block_job = require "holos.run.block.job"
local err = require "holos.core.err"
local lock = require "holos.run.lock"
local monitor = require "holos.run.monitor"
local task = require "holos.core.task"

local M = {}

M.CONNECT_MS = 10000
--- Closing a large image writes its tables.
M.CLOSE_MS = 60000
--- How long a cancelled copy is cleared up after.
local CLEAR_MS = 15000
-- The copy's own names in that QEMU.
local JOB, NODE, FILE, OPAQUE = "holos-copy", "holos-copy", "holos-copy-file", "holos-copy"
local LOG_BYTES = 65536

---@class holos.LiveWork
---@field directory string  of the instance
---@field project   string
---@field name      string  of the instance
---@field node      string  of its QEMU
---@field target    holos.BlockLayer
---@field compress  boolean?
---@field bytes_per_s integer?

local function with_session(world, work, fn)
  local session <close> = err.check(nil, monitor.try_connect(world, work.directory, M.CONNECT_MS))
  return fn(session)
end

-- Raises the failures of none of the steps.
local function attempt(session, command, arguments)
  local ok, problem = pcall(session.execute, session, command, arguments, { timeout_ms = M.CLOSE_MS })
  if not ok and not err.is_failure(problem) then error(problem, 0) end
  return ok
end

-- Those that copies have given to QEMU, which would hold the room of files that are gone.
local function remove_descriptors(session)
  for _, set in ipairs(session:execute("query-fdsets")) do
    for _, fd in ipairs(set.fds) do
      if fd.opaque == OPAQUE then attempt(session, "remove-fd", { ["fdset-id"] = set["fdset-id"] }) end
    end
  end
end

-- What a copy has left in QEMU, this one or one whose command was killed. QEMU needs a moment to end a job.
local function clear(world, work)
  with_session(world, work, function(session)
    attempt(session, "job-cancel", { id = JOB })
    task.within(CLEAR_MS, function()
      while not attempt(session, "job-dismiss", { id = JOB }) do
        local is_there = false
        for _, job in ipairs(session:execute("query-jobs")) do is_there = is_there or job.id == JOB end
        if not is_there then break end
        task.wait { at_ms = task.now_ms() + block_job.TICK_MS }
      end
    end)
    for _, node in ipairs { NODE, FILE } do attempt(session, "blockdev-del", { ["node-name"] = node }) end
    remove_descriptors(session)
  end)
end

-- After a copy that failed: a guest that it has paused goes on.
local function give_up(world, work)
  clear(world, work)
  with_session(world, work, function(session)
    if session:execute("query-status").status == "io-error" then monitor.resume(session) end
  end)
end

-- One whose guest stands still already would not be told from one that the copy has stopped.
local function require_running(world, work)
  with_session(world, work, function(session) monitor.require_running(session, { name = work.name, project = work.project }) end)
end

local function begin(world, work)
  local target <close> = err.check(nil, world.fs.open(work.target.path, { read = true, write = true, nofollow = true }))
  with_session(world, work, function(session)
    local set = session:execute("add-fd", { opaque = OPAQUE }, { fd = target })["fdset-id"]
    session:execute("blockdev-add", { driver = "file", ["node-name"] = FILE, filename = "/dev/fdset/" .. set,
      ["auto-read-only"] = false, discard = "unmap" })
    session:execute("blockdev-add", { driver = work.target.format, ["node-name"] = NODE, file = FILE, discard = "unmap",
      ["detect-zeroes"] = "unmap" })
    session:execute("blockdev-backup", { ["job-id"] = JOB, device = work.node, target = NODE, sync = "top",
      compress = work.compress or false, speed = work.bytes_per_s or 0, ["auto-dismiss"] = false })
  end)
end

-- What a guest overwrites is copied first; where that fails, QEMU fails the guest's own write, which pauses it. The copy is
-- not worth that.
local function require_undisturbed(status, what)
  if status ~= "io-error" then return end
  err.raise { message = what .. ": the copy could not be written, and held the guest up", code = "EIO",
    hint = "is there room for it, and does its file system keep up?" }
end

-- Asked for moments: a session that stays would keep other commands from the monitor.
local function ask(world, work, what)
  return function()
    return with_session(world, work, function(session)
      require_undisturbed(session:execute("query-status").status, what)
      return session:execute("query-jobs")
    end)
  end
end

local function await(timeout_ms) task.wait { at_ms = task.now_ms() + timeout_ms } end

-- QEMU passes over what fails when it closes an image, and only says so.
local function said_since(world, work, from)
  local text = world.fs.read_at(work.directory .. "/qemu.log", from, LOG_BYTES) or ""
  return text:match("[^\n]*Failed to flush[^\n]*")
end

local function log_bytes(world, work)
  local stat = world.fs.stat(work.directory .. "/qemu.log")
  return stat and stat.size_bytes or 0
end

local function copy(world, work, what, tell)
  begin(world, work)
  block_job.follow(what, JOB, ask(world, work, what), await, tell)
  with_session(world, work, function(session)
    session:execute("job-dismiss", { id = JOB })
    for _, node in ipairs { NODE, FILE } do
      session:execute("blockdev-del", { ["node-name"] = node }, { timeout_ms = M.CLOSE_MS })
    end
    remove_descriptors(session)
  end)
end

-- A VM that has ended takes the copy with it.
local function explain(work, what, problem)
  if not err.is_failure(problem) or problem.code ~= "ECONNREFUSED" and problem.code ~= "EPIPE" and problem.code ~= "ENOENT" then
    return problem
  end
  return err.new { message = ("%s: %s has ended meanwhile, and the copy with it"):format(what, work.name), code = "EEXITED",
    hint = "try it again" }
end

--- Copies a disk into `work.target`, an empty image of its size. Raises when that fails; the target is then worth nothing.
--- When this is cancelled, the job in QEMU is as well.
---@param work holos.LiveWork
---@param what string  begins error messages
---@param tell fun(progress: holos.BlockProgress)
function M.copy(world, work, what, tell)
  local flushed <close> = err.check(what, world.fs.open(work.target.path, { read = true, nofollow = true }))
  -- What one finds in QEMU is left over from a copy that was killed, and not somebody's.
  local _alone <close> = lock.take(world, work.directory .. "/copy.lock", { no_wait = true, owner_text = what,
    name = "the copying of disks of " .. work.name })
  require_running(world, work)
  clear(world, work)
  local log_from = log_bytes(world, work)
  local ok, problem = xpcall(copy, err.trace, world, work, what, tell)
  if not ok then
    task.shield(CLEAR_MS, pcall, give_up, world, work)
    error(explain(work, what, problem), 0)
  end
  local said = said_since(world, work, log_from)
  if said then error(block_job.failure(what, said), 0) end
  err.check(what, flushed:sync())
end

return M
