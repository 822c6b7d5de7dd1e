--- holos stop
local down = require "holos.use.down"
local shared = require "holos.command.shared"
local stopping = require "holos.command.stopping"
local talk_ = require "holos.command.talk"

local M = {
  summary = "shut instances down; their disks stay",
  arguments = { shared.SERVICES },
  options = {
    stopping.TIMEOUT, stopping.NO_PRE_STOP, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  local context <close> = shared.recorded(world, options, "stop")
  local talk <close> = talk_.new(world, "stop", context)
  down.stop(context, context.words, talk)
  return 0
end

return M
