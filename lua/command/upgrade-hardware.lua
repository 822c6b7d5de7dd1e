--- holos upgrade-hardware
local planning = require "holos.command.planning"
local shared = require "holos.command.shared"
local up = require "holos.command.up"

local M = {
  summary = "give machines the hardware that this QEMU offers by now; disks stay, what runs is restarted",
  arguments = { shared.SERVICES },
  options = {
    planning.DRY_RUN, planning.DETACH, planning.WAIT, planning.PARALLEL, shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  options.renews, options.leave_known, options.no_deps = true, true, true
  return up.carry_out(world, options, "upgrade-hardware")
end

return M
