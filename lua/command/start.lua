--- holos start
local goal = require "holos.command.goal"
local shared = require "holos.command.shared"
local start = require "holos.use.start"
local talk_ = require "holos.command.talk"

local M = {
  summary = "start stopped instances as they were created",
  arguments = { shared.SERVICES },
  options = {
    { "-d", "--detach", help = "return when all run, without waiting for the guests" },
    shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  options.goal = goal.of(world, options)
  local context = shared.recorded(world, options, "start")
  local talk <close> = talk_.new(world, "start")
  start.start(context, context.words, talk)
  return 0
end

return M
