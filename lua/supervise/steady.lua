--- Counts the attempts of a guest anew once one of them has served for a while. Effects: as of supervise/checks; runtime.json.
local checks = require "holos.supervise.checks"
local restart = require "holos.plan.restart"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

local function forget(project, spec, now)
  runtime.update(project.world, project.state, project.name, spec.name, now, function(other)
    other.restarts = restart.served(other.restarts) or other.restarts
  end)
end

--- Beside a guest for as long as it runs. Who takes over from another supervisor counts its time again.
---@param guest table  of supervise/guest
function M.run(project, spec, now, guest)
  if restart.served(now.restarts) then
    if spec.healthcheck then guest.is_healthy:wait() else checks.until_reported(project, spec, now, "provisioned") end
    task.wait { at_ms = task.now_ms() + restart.window_ms(spec.restart) }
    if guest.health ~= "unhealthy" and not guest.halt then forget(project, spec, now) end
  end
  task.event():wait()
end

return M
