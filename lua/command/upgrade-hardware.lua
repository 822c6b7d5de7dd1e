--- holos upgrade-hardware
local planning = require "holos.command.planning"
local shared = require "holos.command.shared"
local up = require "holos.command.up"

local M = {
  summary = "give machines the hardware that this QEMU offers by now; disks stay, what runs is restarted",
  arguments = { shared.SERVICES },
  options = {
    { "--dry-run", help = "print the plan and change nothing" },
    { "-d", "--detach", help = "return when all run, without waiting for provisioning" },
    planning.WAIT, planning.PARALLEL, shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  options.renews, options.leave_known, options.no_deps = true, true, true
  return up.carry_out(world, options, "upgrade-hardware")
end

return M
