--- holos gen
local list = require "holos.command.list"
local manual = require "holos.core.manual"

local M = {
  summary = "write shell completion, the man page or the command reference",
  arguments = { { name = "WHAT", choices = { "bash", "zsh", "fish", "man", "markdown" }, help = "bash, zsh, fish, man or markdown" } },
  options = {},
}

local makers = {}

function makers.bash() return manual.bash("holos", list.all(), list.OPTIONS) end
function makers.zsh() return manual.zsh("holos", list.all(), list.OPTIONS) end
function makers.fish() return manual.fish("holos", list.all(), list.OPTIONS) end
function makers.markdown() return manual.markdown("holos", list.TAGLINE, list.all(), list.OPTIONS, list.EXIT_CODES) end
function makers.man(world)
  return manual.man("holos", list.TAGLINE, world.build.version, list.all(), list.OPTIONS, list.EXIT_CODES)
end

--- The text of one kind.
function M.text(world, what) return makers[what](world) end

function M.run(world, options)
  io.stdout:write(M.text(world, options.arguments[1]))
  return 0
end

return M
