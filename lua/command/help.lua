--- holos help
local err = require "holos.core.err"
local list = require "holos.command.list"
local manual = require "holos.core.manual"
local out = require "holos.command.out"
local text = require "holos.core.text"

local M = {
  summary = "show this help, or that of a command",
  arguments = { { name = "COMMAND", optional = true, help = "a command", complete = list.names() } },
  options = {},
  bare = true, -- nothing is waited for
}

--- The overview of all commands, as lines.
function M.overview() return manual.overview("holos", list.TAGLINE, list.groups(), list.OPTIONS) end

--- The help of one command, as lines.
function M.of(name) return manual.help("holos", name, list.load(name) or M.unknown(name)) end

--- How a command is written, as one line.
function M.usage(name, command) return "usage: " .. manual.usage("holos", name, command) end

--- Raises: there is no such command; names the nearest.
function M.unknown(name)
  local near = text.nearest(name, list.names())
  err.raise { message = ("there is no command %q"):format(name), code = "EUSAGE", exit = 64,
    hint = near and ("did you mean %q?"):format(near) or "holos help lists them" }
end

function M.run(_, options)
  local name = options.arguments[1]
  for _, line in ipairs(name and M.of(name) or M.overview()) do out.result(line) end
  return 0
end

return M
