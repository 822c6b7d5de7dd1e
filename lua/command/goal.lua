--- What commands that start machines wait for. Effects: reads the environment.
local err = require "holos.core.err"

local M = {}

local GOALS = { running = "running", ready = "ready", provisioned = false, [""] = false }

--- What to wait for: --wait, -d, HOLOS_HEALTH_BYPASS, HOLOS_WAIT; nil means provisioned, and healthy where there is a check.
function M.of(world, options)
  if options.wait then return nil end
  local bypass, named = world.host.env("HOLOS_HEALTH_BYPASS"), world.host.env("HOLOS_WAIT")
  if options.detach or (bypass and bypass ~= "") then return "running" end
  local goal = GOALS[named or ""]
  if goal == nil then
    err.raise { message = ("HOLOS_WAIT is %q"):format(named), exit = 64, hint = "running, ready or provisioned" }
  end
  return goal or nil
end

return M
