--- holos up
local change = require "holos.use.change"
local err = require "holos.core.err"
local out = require "holos.command.out"
local prepare = require "holos.use.prepare"
local project = require "holos.use.project"
local render = require "holos.plan.render"
local shared = require "holos.command.shared"
local talk_ = require "holos.command.talk"
local text = require "holos.core.text"
local up = require "holos.use.up"

local M = {
  summary = "create what is missing, start what is stopped, wait until it is provisioned",
  arguments = { shared.SERVICES },
  options = {
    { "--dry-run", help = "print the plan and change nothing" },
    { "-d", "--detach", help = "return when all run, without waiting for provisioning" },
    shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

local GOALS = { running = "running", ready = "ready", provisioned = false, [""] = false }

--- What to wait for: -d, HOLOS_HEALTH_BYPASS, HOLOS_WAIT; nil means provisioned, and healthy where there is a check.
function M.goal(world, options)
  local bypass, named = world.host.env("HOLOS_HEALTH_BYPASS"), world.host.env("HOLOS_WAIT")
  if options.detach or (bypass and bypass ~= "") then return "running" end
  local goal = GOALS[named or ""]
  if goal == nil then
    err.raise { message = ("HOLOS_WAIT is %q"):format(named), exit = 64, hint = "running, ready or provisioned" }
  end
  return goal or nil
end

local function finish(context, prepared)
  if #prepared.plan.rows == 0 then
    return out.talk(("%s is up to date (%d %s)."):format(context.name, #prepared.specs,
      #prepared.specs == 1 and "instance" or "instances"))
  end
  for _, line in ipairs(text.columns(shared.published(prepared.record))) do out.talk(line) end
  out.talk(("next: holos ps · holos logs %s · holos exec %s"):format(prepared.specs[1].service, prepared.specs[1].name))
end

function M.run(world, options)
  options.goal = M.goal(world, options)
  local context = project.from_file(world, options, not options.dry_run and "up" or nil)
  for _, warning in ipairs(context.project.warnings) do out.warn(warning) end
  if options.dry_run then
    local plan = prepare.make(context, options.arguments).plan
    for _, warning in ipairs(plan.warnings) do out.warn(warning) end
    for _, line in ipairs(render.plan(plan)) do out.result(line) end
    change.refuse(plan)
    return 0
  end
  local talk <close> = talk_.new(world, "up")
  local prepared = up.run(context, options.arguments, talk)
  talk:close()
  finish(context, prepared)
  return 0
end

return M
