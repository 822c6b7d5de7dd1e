--- holos restart
local goal = require "holos.command.goal"
local shared = require "holos.command.shared"
local start = require "holos.use.start"
local talk_ = require "holos.command.talk"

local M = {
  summary = "shut instances down and start them again as they were created; disks stay",
  arguments = { shared.SERVICES },
  options = {
    { "-d", "--detach", help = "return when all run, without waiting for the guests" },
    { "--no-deps", help = "leave alone those that are restarted with them (restart: true of depends_on)" },
    { "-t", "--timeout", value = "DURATION", kind = "duration", help = "grace instead of stop_grace_period" },
    shared.NO_PRE_STOP,
    shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  options.goal = goal.of(world, options)
  local context = shared.recorded(world, options, "restart")
  local talk <close> = talk_.new(world, "restart")
  start.restart(context, context.words, talk)
  return 0
end

return M
