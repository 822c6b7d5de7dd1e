--- Copies of large files: a slice at a time, so that others run meanwhile and whoever waits can be interrupted.
--- Effects: reads, writes.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

-- So much may wait for the disk: what is flushed at the end takes moments only.
local FLUSH_BYTES = 64 << 20

--- Copies a file, its holes too, into one that is there and empty, and onto the disk. What is in that one after an error or an
--- interrupt is worth nothing: it is a draft, which its owner removes.
---@param what string  begins error messages: "exporting"
---@param on_progress (fun(done_bytes: integer, total_bytes: integer))?
function M.into(world, from, draft, what, on_progress)
  local source <close> = err.check(what, world.fs.open(from, { read = true }))
  local target <close> = err.check(what, world.fs.open(draft, { write = true, nofollow = true }))
  local total_bytes = err.check(what, world.fs.stat(from)).size_bytes
  local at, flushed, before = 0, 0
  repeat
    before, at = at, err.check(what, world.fs.copy_part(source, target, at))
    if at - flushed >= FLUSH_BYTES or at == before then
      err.check(what, target:sync())
      flushed = at
    end
    if on_progress then on_progress(at, total_bytes) end
    task.yield()
  until at == before
end

return M
