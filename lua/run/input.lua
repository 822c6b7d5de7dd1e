--- Our standard input, for whoever wants to wait for it. Effects: reads descriptor 0.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"

local M = {}

local CHUNK_BYTES = 65536

--- Our standard input as something to await. It is shared with whoever started us, so it stays blocking: it is read
--- only when poll says that there is something.
function M.open(world)
  local fd = world.fd.standard(0)
  return {
    fileno = function() return fd:fileno() end,
    close = function() return fd:close() end,
    try_read = function(_, max_bytes)
      if #world.poll.wait({ fd:fileno(), "r" }, 0) == 0 then return nil, "EAGAIN", "r" end
      return fd:try_read(max_bytes)
    end,
  }
end

--- All of it, until its end; raises EFBIG beyond `max_bytes`.
---@return string text
function M.read_all(world, max_bytes)
  local input <close> = setmetatable(M.open(world), { __close = function(self) self:close() end })
  local parts, bytes = {}, 0
  repeat
    local chunk = err.check("<stdin>", io_wait.await(input, "try_read", CHUNK_BYTES))
    parts[#parts + 1], bytes = chunk, bytes + #chunk
    if bytes > max_bytes then
      err.raise { message = ("<stdin>: larger than %d bytes"):format(max_bytes), code = "EFBIG", exit = 2 }
    end
  until chunk == ""
  return table.concat(parts)
end

return M
