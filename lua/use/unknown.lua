--- A word of the command line that names nothing. Pure.
local err = require "holos.core.err"
local tables = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

M.USAGE = 64

--- Raises that there is none of that name, with the nearest one or all.
---@param what string     what was looked for: "service"
---@param word string     what was typed
---@param known table     by name, all that there are
---@param exit integer?   default: wrong usage
function M.refuse(what, word, known, exit)
  local names = tables.keys(known)
  local near = text.nearest(word, names)
  err.raise { message = ("there is no %s %q"):format(what, word), code = "ENOENT", exit = exit or M.USAGE,
    hint = near and ("did you mean %q?"):format(near) or #names > 0 and "there are: " .. table.concat(names, " ") or nil }
end

return M
