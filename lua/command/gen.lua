--- holos gen
local completion = require "holos.core.completion"
local list = require "holos.command.list"
local manual = require "holos.core.manual"
local out = require "holos.command.out"

local M = {
  summary = "write shell completion, the man page or the command reference",
  arguments = {
    { name = "WHAT", help = "bash, zsh, fish, man or markdown",
      choices = { "bash", "zsh", "fish", "man", "markdown" } },
  },
  options = {},
}

local makers = {}

function makers.bash() return completion.bash("holos", list.all(), list.OPTIONS) end
function makers.zsh() return completion.zsh("holos", list.all(), list.OPTIONS) end
function makers.fish() return completion.fish("holos", list.all(), list.OPTIONS) end
function makers.markdown() return manual.markdown("holos", list.TAGLINE, list.all(), list.OPTIONS, list.EXIT_CODES) end
function makers.man(world)
  return manual.man("holos", list.TAGLINE, world.build.version, list.all(), list.OPTIONS, list.EXIT_CODES)
end

--- The text of one kind.
function M.text(world, what) return makers[what](world) end

function M.run(world, options)
  out.bytes(M.text(world, options.arguments[1]))
  return 0
end

return M
