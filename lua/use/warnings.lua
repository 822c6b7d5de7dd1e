--- What is to be said of a plan beside what it does. Effects: reads only.
local capacity = require "holos.plan.capacity"
local expired = require "holos.use.expired"
local neighbours = require "holos.plan.neighbours"
local ports = require "holos.plan.ports"
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

return M
