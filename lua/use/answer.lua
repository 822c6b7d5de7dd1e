--- What a person types as an answer. Effects: reads standard input.
local input = require "holos.run.input"
local io_wait = require "holos.run.io"

local M = {}

local LINE_BYTES = 4096

-- What was typed before a question was seen is no answer to it.
local function drop_typed(stdin)
  local typed
  repeat typed = stdin:try_read(LINE_BYTES) until not typed or typed == ""
end

--- Whether there is somebody to ask.
function M.is_possible(world) return world.tty.is_terminal(0) and world.tty.is_terminal(2) end

--- One line that is typed after `put_question()`, without the space around it; nil at the end of input.
---@return string?
function M.line(world, put_question)
  local stdin <close> = setmetatable(input.open(world), { __close = function(self) self:close() end })
  drop_typed(stdin)
  put_question()
  local line = ""
  while not line:find("\n", 1, true) do
    local chunk = io_wait.await(stdin, "try_read", LINE_BYTES) or ""
    if chunk == "" then return nil end
    line = line .. chunk
  end
  return line:match("^%s*(.-)%s*\n")
end

return M
