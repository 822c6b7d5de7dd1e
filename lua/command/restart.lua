--- holos restart
local command = require "holos.command.start"
local shared = require "holos.command.shared"
local start = require "holos.use.start"
local stopping = require "holos.command.stopping"

local M = {
  summary = "shut instances down and start them again as they were created; disks stay",
  arguments = { shared.SERVICES },
  options = {
    shared.DETACH,
    { "--no-deps", help = "leave alone those that are restarted with them (restart: true of depends_on)" },
    stopping.TIMEOUT, stopping.NO_PRE_STOP, shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options) return command.carry_out(world, options, "restart", start.restart) end

return M
