--- Changes that a machine takes over while it runs: its ports, the names it knows, what is only written down. Pure.
local diff = require "holos.plan.diff"
local ports = require "holos.plan.ports"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- Whether all that is to change on a running machine can be done while it runs.
---@param decision holos.Decision
---@param seen table  as observed
function M.is_possible(decision, seen)
  return seen.running and not seen.is_cut and seen.applied ~= nil and not decision.needs_restart
    and not (seen.halt and seen.halt.cure == "restart") and diff.is_live(decision.changes)
end

--- Ports that are given up come first: others may be about to take them.
function M.close(plan, context, decisions)
  context.closed = {}
  for _, decision in ipairs(decisions) do
    local seen = context.observed.instances[decision.spec.name]
    local is_live = decision.kind == "go" and not context.no_start and M.is_possible(decision, seen)
    if is_live and #ports.without(seen.applied.ports, decision.spec.ports) > 0 then
      context.closed[#context.closed + 1] = sheet.add(plan, { id = "close/" .. decision.spec.name, kind = "ports.close",
        instance = decision.spec.name, after = {}, because = sheet.change_text(decision.changes) })
    end
  end
end

--- The machine takes over what has changed.
function M.apply(plan, context, decision)
  local text = sheet.change_text(decision.changes)
  sheet.row(plan, "~", decision.spec.name, ("live   %s   (it runs on)"):format(text),
    sheet.where_of(context, decision.spec, decision.changes))
  sheet.add(plan, { id = "apply/" .. decision.spec.name, kind = "instance.apply", instance = decision.spec.name,
    after = table_.copy(context.closed), because = text })
end

return M
