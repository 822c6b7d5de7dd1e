--- Lines as they come to a file that others append to. Effects: reads, inotify.
local err = require "holos.core.err"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

local CHUNK_BYTES = 65536

--- Gives the whole lines behind byte `from` to on_lines(lines), then all that come, for ever. A file that was emptied or
--- replaced is read from its beginning.
---@param watched string  what tells of changes: the file, or its directory where it may be replaced
function M.lines(world, file, watched, from, on_lines)
  local watch <close> = err.check(watched, world.fs.watch())
  err.check(watched, watch:add(watched, { "modify", "create", "move" }))
  local rest = ""
  while true do
    local stat = world.fs.stat(file)
    if stat and stat.size_bytes < from then from, rest = 0, "" end
    local chunk = world.fs.read_at(file, from, CHUNK_BYTES) or ""
    if chunk == "" then
      task.wait { fd = watch:fileno(), dir = "r" }
      while watch:try_next() do end
    else
      from, rest = from + #chunk, rest .. chunk
      local whole, left = rest:match("^(.*\n)([^\n]*)$")
      if whole then on_lines(text.lines(whole)) end
      rest = left or rest
      if #rest >= CHUNK_BYTES then
        on_lines { rest } -- a line without end comes in parts
        rest = ""
      end
    end
  end
end

return M
