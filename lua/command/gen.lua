--- holos gen
local completion = require "holos.core.completion"
local list = require "holos.command.list"
local manual = require "holos.core.manual"
local out = require "holos.command.out"
local reference = require "holos.compose.reference"
local rules = require "holos.compose.schema.project"

local M = {
  summary = "write shell completion, the man page or a reference page",
  arguments = {
    { name = "WHAT", help = "bash, zsh, fish, man, markdown (commands), compose (keys) or from-docker",
      choices = { "bash", "zsh", "fish", "man", "markdown", "compose", "from-docker" } },
  },
  options = {},
}

local makers = {}

function makers.bash() return completion.bash("holos", list.all(), list.OPTIONS) end
function makers.zsh() return completion.zsh("holos", list.all(), list.OPTIONS) end
function makers.fish() return completion.fish("holos", list.all(), list.OPTIONS) end
function makers.markdown() return manual.markdown("holos", list.TAGLINE, list.all(), list.OPTIONS, list.EXIT_CODES) end
function makers.compose() return reference.compose(rules) end
makers["from-docker"] = function() return reference.from_docker(rules) end
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
