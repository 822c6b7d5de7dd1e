--- Questions to a person at the terminal. Effects: writes to standard error, reads standard input.
local answer = require "holos.use.answer"
local out = require "holos.command.out"

local M = {}

--- Whether there is somebody to ask.
function M.is_possible(world) return answer.is_possible(world) end

--- The first letter of the answer, in lower case, asked for until it is one of `letters`; the first of them for an empty
--- line, the last where there is no more input.
---@param letters string  "yen"
function M.letter(world, question, letters)
  while true do
    local line = answer.line(world, function() out.raw(question .. " ") end)
    if not line then
      out.raw("\n")
      return letters:sub(-1)
    end
    local letter = line == "" and letters:sub(1, 1) or line:sub(1, 1):lower()
    if letters:find(letter, 1, true) then return letter end
  end
end

return M
