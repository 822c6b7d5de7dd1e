--- Lines over a socket, of bounded length. Effects: reads and writes a descriptor.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"

local M = {}

--- What is longer is no line of ours.
M.MOST_BYTES = 64 << 10
local CHUNK_BYTES = 4096

local Lines = {}
Lines.__index = Lines

--- The lines of a connected descriptor; `name` begins error messages.
function M.new(fd, name) return setmetatable({ fd = fd, name = name, text = "" }, Lines) end

--- The next line without its end; nil when the peer has closed. Raises EMSGSIZE for a line that is too long.
---@return string?
function Lines:next()
  while true do
    local line, rest = self.text:match("^([^\n]*)\n(.*)$")
    if line then
      self.text = rest
      return line
    end
    if #self.text > M.MOST_BYTES then err.raise { message = self.name .. ": a line is too long", code = "EMSGSIZE" } end
    local more = err.check(self.name, io_wait.await(self.fd, "try_read", CHUNK_BYTES))
    if more == "" then return nil end
    self.text = self.text .. more
  end
end

--- Writes one line.
function Lines:write(line) err.check(self.name, io_wait.write_all(self.fd, line .. "\n")) end

--- Closes the descriptor.
function Lines:close() self.fd:close() end
Lines.__close = Lines.close

return M
