--- What a command would do, printed. Effects: reads; writes to the standard streams.
local change = require "holos.use.change"
local out = require "holos.command.out"
local prepare = require "holos.use.prepare"
local render = require "holos.plan.render"

local M = {}

--- Prints the plan as the result, and raises when the command would be refused.
---@param words string[]  services; none = all
function M.show(context, words)
  local plan = prepare.preview(context, words).plan
  for _, warning in ipairs(plan.warnings) do out.warn(warning) end
  for _, line in ipairs(render.plan(plan)) do out.result(line) end
  change.refuse(plan)
end

return M
