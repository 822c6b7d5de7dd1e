--- The streams of a remote command: ours into it, its into ours. Effects: reads, calls back.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

local CHUNK_BYTES = 65536

-- -- in -----------------------------------------------------------------------------------------------------------

-- An iterator over the chunks of an input.
local function chunks_of(input)
  if type(input) == "function" then return input end
  if type(input) == "string" or input == nil then
    local rest = input
    return function()
      local text = rest
      rest = nil
      return text
    end
  end
  return function()
    local chunk = err.check("stdin", io_.await(input, "try_read", CHUNK_BYTES))
    return chunk ~= "" and chunk or nil
  end
end

-- False when the connection is lost, which the task that reads reports after the last output.
local function write_all(session, channel, text)
  local from = 1
  while from <= #text do
    local count, message, code = session:await(channel, "try_write", text, from)
    if not count and code == "ECONNRESET" then return false end
    from = from + session:check(count, message, code)
    task.yield()
  end
  return true
end

--- Writes all of `input` to the command, then its end.
---@param input nil|string|function|table  see holos.SshStreams
function M.feed(session, channel, input)
  for chunk in chunks_of(input) do
    if not write_all(session, channel, chunk) then return end
  end
  session:await(channel, "try_send_eof")
end

-- -- out ----------------------------------------------------------------------------------------------------------

-- Both output streams of a channel as one thing to await. The one that gave something goes to the end of the list, so
-- that neither starves.
local Outputs = {}
Outputs.__index = Outputs

function Outputs:try_next()
  local direction
  for position, name in ipairs(self.open) do
    local chunk, message, code = self.channel:try_read(name, CHUNK_BYTES)
    if chunk or message ~= "EAGAIN" then
      table.remove(self.open, position)
      if chunk ~= "" then table.insert(self.open, name) end
      return chunk and { name = name, chunk = chunk }, message, code
    end
    direction = code
  end
  return nil, "EAGAIN", direction
end

local function discard() end

--- Calls options.stdout and options.stderr with all that the command writes, until it has ended both.
---@param options holos.SshStreams
function M.drain(session, channel, options)
  local outputs = setmetatable({ channel = channel, open = { "stdout", "stderr" } }, Outputs)
  while #outputs.open > 0 do
    local got = session:check(session:await(outputs, "try_next"))
    if got.chunk ~= "" then (options[got.name] or discard)(got.chunk) end
    task.yield()
  end
end

return M
