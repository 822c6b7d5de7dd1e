--- What is to be said of a plan beside what it does. Effects: reads only.
local capacity = require "holos.plan.capacity"
local expired = require "holos.use.expired"
local images = require "holos.use.images"
local lazy = require "holos.core.lazy"
local neighbours = require "holos.plan.neighbours"
local ports = require "holos.plan.ports"
local scope = lazy "holos.run.scope"
local table_ = require "holos.core.table"

local M = {}

--- Adds to a plan's warnings those of what is wanted, of ports that other projects want too, of the host's memory and of
--- the trash.
---@param at table  {wanted, said, record, observed, facts}
function M.complete(context, plan, at)
  local warnings = table_.copy(at.wanted.warnings)
  table_.extend(table_.extend(warnings, at.said), plan.warnings)
  local claims = neighbours.claims(at.facts.records, context.name, {})
  table_.extend(warnings, neighbours.warnings(claims, (ports.of_plan(plan.actions, plan.specs, at.observed.instances))))
  warnings[#warnings + 1] = capacity.memory_warning(plan.actions, plan.specs, at.observed.instances, at.facts.memory)
  for _, text in ipairs(expired.texts(context, at.record)) do
    warnings[#warnings + 1] = "up deletes from the trash: " .. text
  end
  plan.warnings = warnings
end

local function launches(plan)
  for _, action in ipairs(plan.actions) do
    if action.kind == "instance.launch" then return true end
  end
  return false
end

--- Adds to a plan that is only shown what is fetched before it, and where the machines that it launches would go.
---@param words string[]  services; none = all
function M.foresee(context, plan, words)
  images.foresee(context, plan, words)
  local foreseen = launches(plan) and scope.foreseen(context.world, context.name)
  if not foreseen then return end
  plan.warnings[#plan.warnings + 1] = foreseen.warning
  if foreseen.unit then
    plan.rows[#plan.rows + 1] = { mark = "·", name = foreseen.unit, text = foreseen.text }
  end
end

return M
