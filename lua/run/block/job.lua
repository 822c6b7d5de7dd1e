--- Follows a block job of QEMU to its end: copying, committing. Effects: asks a monitor, waits.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

--- How often a job is asked how far it is, when it says nothing itself.
M.TICK_MS = 200
--- A job that gets no further for so long is given up: a file system that hangs, a QEMU that does.
M.STALL_MS = 10 * 60 * 1000

---@class holos.BlockProgress
---@field done_bytes  integer
---@field total_bytes integer
---@field bytes_per_s integer
---@field eta_ms      integer?  nil as long as nobody can tell

local CODES = { ["No space left on device"] = "ENOSPC", ["Disk quota exceeded"] = "EDQUOT", ["Input/output error"] = "EIO",
  ["File too large"] = "EFBIG" }

--- QEMU's words for a failure as an error that is not raised yet.
---@param what string  "copying a.qcow2"
function M.failure(what, words)
  if words:find("Failed to get", 1, true) or words:find("another process using", 1, true) then
    return err.new { message = what .. ": another process has the disk open", code = "EBUSY" }
  end
  local code = "EBLOCK"
  for text, known in pairs(CODES) do
    if words:find(text, 1, true) then code = known end
  end
  return err.new { message = ("%s: %s"):format(what, words), code = code }
end

local function find(jobs, id)
  for _, job in ipairs(jobs) do
    if job.id == id then return job end
  end
  err.raise { message = "QEMU has forgotten the job " .. id, code = "EPROTO" }
end

local function count(job, field) return math.max(0, math.tointeger(job[field]) or 0) end

--- How far a job is.
---@param job table  of query-jobs
---@return holos.BlockProgress
function M.progress(job, begun_ms)
  local done, total = count(job, "current-progress"), count(job, "total-progress")
  local took_ms = math.max(1, task.now_ms() - begun_ms)
  local rate = done * 1000 // took_ms
  return { done_bytes = done, total_bytes = math.max(done, total), bytes_per_s = rate,
    eta_ms = rate > 0 and math.max(0, total - done) * 1000 // rate or nil }
end

--- Waits until a job has concluded; raises what it failed with.
---@param what string  begins the message of a failure
---@param id string
---@param ask fun(): table[]        query-jobs
---@param await fun(timeout_ms: integer)  until something may have changed, for so long at most
---@param tell fun(progress: holos.BlockProgress)
function M.follow(what, id, ask, await, tell)
  local begun_ms, moved_ms, done = task.now_ms(), task.now_ms(), -1
  while true do
    local job = find(ask(), id)
    local progress = M.progress(job, begun_ms)
    tell(progress)
    if job.error then error(M.failure(what, tostring(job.error)), 0) end
    if job.status == "concluded" then return end
    if progress.done_bytes ~= done then moved_ms, done = task.now_ms(), progress.done_bytes end
    if task.now_ms() - moved_ms > M.STALL_MS then
      err.raise { message = ("%s: nothing has moved for %d minutes"):format(what, M.STALL_MS // 60000), code = "ETIMEDOUT" }
    end
    await(M.TICK_MS)
  end
end

return M
