--- holos rm
local down = require "holos.command.down"
local shared = require "holos.command.shared"
local stopping = require "holos.command.stopping"

local M = {
  summary = "move the root disks of stopped instances to the trash; volumes stay",
  arguments = { shared.SERVICES },
  options = {
    { "-s", "--stop", help = "stop them first, instead of leaving those that run" },
    { "--force", help = "nothing is asked anyhow (-f does the same here, unless a file's name comes behind it)" },
    stopping.PURGE, stopping.TIMEOUT, stopping.NO_PRE_STOP, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
  rewrite = shared.rewrite_f "--force",
}

function M.run(world, options)
  options.only_stopped = not options.stop
  return down.carry_out(world, options, "rm")
end

return M
