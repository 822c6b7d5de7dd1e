--- Options of commands that plan: plan, up, scale. Pure.
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local unknown = require "holos.use.unknown"

local M = {}

--- Answers to what a changed file asks: the options of commands that plan.
M.CONSENT = {
  { "--reprovision", value = "SERVICE", bare = "", repeated = true,
    help = "changed or failed first steps: run them again on the present disks" },
  { "--keep", value = "SERVICE", bare = "", repeated = true,
    help = "changed first steps or image: leave disks and first steps as they are" },
  { "--recreate", value = "SERVICE", bare = "", repeated = true,
    help = "changed first steps or image: new disks; the old ones go to the trash" },
  { "--force-recreate", help = "new disks for the services named, changed or not" },
  { "--no-recreate", help = "as --keep, for all" },
}

--- Which services are meant, what is waited for, how much is done at a time.
M.SCALE = { "--scale", value = "SERVICE=NUMBER", repeated = true, help = "so many instances, whatever the file says" }
M.NO_DEPS = { "--no-deps", help = "the named services alone, without what they depend on" }
M.ORPHANS = { "--remove-orphans", help = "instances whose service the file no longer has go to the trash" }
M.PULL = { "--pull", value = "POLICY", help = "instead of pull_policy: missing, never, always, daily, weekly, every_12h" }
M.LOCKED = { "--locked", help = "take images only as holos.lock names them; refuse what it does not name" }
M.DRY_RUN = { "--dry-run", help = "print the plan and change nothing" }
M.DETACH = { "-d", "--detach", help = "return when all run, without waiting for provisioning" }
M.WAIT = { "--wait", help = "wait until all is provisioned, whatever -d and HOLOS_WAIT say" }
M.PARALLEL = { "--parallel", value = "NUMBER", kind = "integer", least = -1,
  help = "launch so many at a time; -1: all (default: by cores and free memory)" }

local function usage(message, hint) err.raise { message = message, code = "EUSAGE", exit = unknown.USAGE, hint = hint } end

--- Raises where options of one command line contradict each other.
function M.require_sense(options)
  if options.no_start and options.wait then
    usage("--no-start and --wait exclude each other", "what is not started is not waited for")
  end
  if options.parallel == 0 then usage("--parallel 0 would launch nothing", "-1 launches all at a time") end
end

--- A command's own options with others behind them.
function M.options(own, ...)
  for _, more in ipairs { ... } do table_.extend(own, more) end
  return own
end

return M
