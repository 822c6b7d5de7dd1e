--- holos stop
local down = require "holos.use.down"
local project = require "holos.use.project"
local shared = require "holos.command.shared"
local talk_ = require "holos.command.talk"

local M = {
  summary = "shut instances down; their disks stay",
  arguments = { shared.SERVICES },
  options = {
    { "-t", "--timeout", value = "DURATION", kind = "duration", help = "grace instead of stop_grace_period" },
    shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  local context = project.from_record(world, options, options.arguments)
  local talk <close> = talk_.new(world, "stop")
  down.stop(context, context.words, talk)
  return 0
end

return M
