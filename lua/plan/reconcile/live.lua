--- Changes that a machine takes over while it runs: its ports, the names it knows, what is only written down. Pure.
local lazy = require "holos.core.lazy"
local attach = lazy "holos.plan.attach"
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

local function has_volumes(changes)
  for _, change in ipairs(changes) do
    if change.name == "volumes" then return true end
  end
  return false
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

-- What its volumes have to do with it: those that it gives up go first, those that it takes are there and large enough.
local function move_volumes(plan, context, decision, text, after)
  local seen, spec = context.observed.instances[decision.spec.name], decision.spec
  local moves = has_volumes(decision.changes) and attach.moves(seen.applied, spec)
  if not moves then return nil end
  if #moves.detach > 0 then
    after[#after + 1] = sheet.add(plan, { id = "detach/" .. spec.name, kind = "volume.detach", instance = spec.name, after = {},
      because = text })
  end
  for _, mount in ipairs(attach.mounts_of(spec, moves.attach)) do after[#after + 1] = context.volume_ids[mount.volume] end
  return #moves.attach > 0 or nil
end

--- The machine takes over what has changed.
function M.apply(plan, context, decision)
  local text, after = sheet.change_text(decision.changes), table_.copy(context.closed)
  local takes_volumes = move_volumes(plan, context, decision, text, after)
  sheet.row(plan, "~", decision.spec.name, ("live   %s   (it runs on)"):format(text),
    sheet.where_of(context, decision.spec, decision.changes))
  sheet.add(plan, { id = "apply/" .. decision.spec.name, kind = "instance.apply", instance = decision.spec.name,
    after = after, takes_volumes = takes_volumes, because = text })
end

return M
