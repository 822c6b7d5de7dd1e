--- holos supervise
local all = require "holos.supervise.all"
local err = require "holos.core.err"
local main = require "holos.supervise.main"
local standby = require "holos.supervise.standby"
local state = require "holos.use.state"

-- It lives long, so it collects soon.
local PAUSE_PERCENT = 110

local M = {
  is_endless = true,
  summary = "look after a project's instances until none is to run: restarts, health checks (up starts it)",
  arguments = { { name = "PROJECT", optional = true, help = "its name" } },
  options = { { "--all", help = "every project, also those that come; for a unit of an appliance" } },
}

function M.run(world, options)
  collectgarbage() -- from now on as usual: commands that end soon collect nothing before they have a few MiB
  collectgarbage("setpause", PAUSE_PERCENT)
  local located, name = state.locate(world, options), options.arguments[1] or options.project_name
  if options.all then
    main.settle(world, located, nil, all.names(world, located))
    all.run(world, located)
    return 0
  end
  if not name then err.raise { message = "which project?", exit = 64, hint = "holos supervise PROJECT, or --all" } end
  main.settle(world, located, name, { name })
  standby.stay(world, located, name)
  return 0
end

return M
