--- holos logs
local logs = require "holos.use.logs"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local text = require "holos.core.text"

local M = {
  summary = "show the console and the provisioning of instances",
  arguments = { shared.SERVICES },
  options = {
    shared.FOLLOW,
    { "-n", "--tail", value = "LINES", kind = "integer", least = 0, help = "the last LINES of each only" },
    { "--since", value = "WHEN", kind = "moment",
      help = "what came since then (10m ago, or 2026-11-21T09:30:00Z), as far as the supervisor has seen it come" },
    { "--source", value = "WHICH", kind = "choice", choices = { "console", "provision", "qemu", "all" },
      help = "console, provision, qemu or all (default: console and provision)" },
    { "--no-prefix", help = "lines without the instance's name" },
  },
  rewrite = shared.rewrite_f "--follow",
  is_endless = true,
}

local SOURCES = { all = { "console", "provision", "qemu" } }

function M.run(world, options)
  local context <close> = shared.recorded(world, options)
  local sources = SOURCES[options.source] or { options.source }
  if not options.source then sources = { "console", "provision" } end
  local since = options.since
  local since_ms = since and (since.utc_ms or world.clock.utc_ms() - since.ago_ms)
  local on_terminal = world.tty.is_terminal(1)
  logs.run(context, context.words, { tail = options.tail, since_ms = since_ms, follow = options.follow, sources = sources },
    function(name, source, line)
      if on_terminal then line = text.escape_terminal(line) end
      local mark = source == "console" and "" or " " .. source
      out.result(options.no_prefix and line or ("%s%s | %s"):format(name, mark, line))
    end)
  return 0
end

return M
