--- holos plan
local out = require "holos.command.out"
local prepare = require "holos.use.prepare"
local project = require "holos.use.project"
local render = require "holos.plan.render"
local planning = require "holos.command.planning"
local shared = require "holos.command.shared"

local M = {
  summary = "show what `up` would do, and change nothing",
  arguments = { shared.SERVICES },
  options = planning.options({
    { "--exit-code", help = "exit with 10 when there is something to do" },
    shared.FORMAT, planning.NO_DEPS, planning.SCALE, planning.ORPHANS, planning.PULL, planning.LOCKED,
  }, planning.CONSENT),
}

local CHANGES = 10

function M.run(world, options)
  local context = project.from_file(world, options)
  local plan = prepare.preview(context, options.arguments).plan
  if options.format == "json" then
    shared.warn(context, plan)
    out.result(world.json.encode(render.data(plan), {}))
  else
    shared.show_plan(context, plan)
  end
  return options.exit_code and #plan.rows + #plan.refusals + #plan.questions > 0 and CHANGES or 0
end

return M
