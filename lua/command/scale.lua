--- holos scale
local select_ = require "holos.use.select"
local planning = require "holos.command.planning"
local shared = require "holos.command.shared"
local table_ = require "holos.core.table"
local up = require "holos.command.up"

local M = {
  summary = "change the number of instances of services; those that are there are left as they are",
  arguments = { { name = "SERVICE=NUMBER", repeated = true, help = "web=3; disks of surplus instances go to the trash" } },
  options = {
    planning.DRY_RUN, planning.DETACH, planning.WAIT, planning.NO_DEPS, planning.PARALLEL,
    shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

function M.run(world, options)
  options.scale, options.leave_known = options.arguments, true
  options.arguments = table_.keys(select_.counts(options.scale))
  return up.carry_out(world, options, "scale")
end

return M
