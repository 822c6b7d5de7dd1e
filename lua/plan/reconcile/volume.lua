--- Volumes of a plan: those that are missing are made, none is ever made smaller or anew. Pure.
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

local function lost(plan, context, name)
  sheet.refuse(plan, { instance = "volume " .. name, where = context.where("volumes." .. name),
    change = { name = "its disk", class = "recreate", from = "made", to = "gone" } })
end

local function create(plan, context, name, volume)
  sheet.row(plan, "+", "volume " .. name, context.describe.volume(volume), context.where("volumes." .. name))
  return sheet.add(plan, { id = "volume/" .. name, kind = "volume.create", volume = name, size_bytes = volume.size_bytes,
    after = {}, because = "does not exist" })
end

--- Plans the volumes.
---@return table<string, string> ids  of the actions that make those which are missing
function M.plan(plan, context)
  local ids = {}
  for _, name in ipairs(table_.keys(context.volumes)) do
    local volume = context.volumes[name]
    local known = context.observed.volumes[name]
    if not known and (context.record.volumes[name] or {}).made then
      lost(plan, context, name)
    elseif not known then
      ids[name] = create(plan, context, name, volume)
    elseif known.size_bytes ~= volume.size_bytes then
      sheet.warn(plan, ("volume %s stays at %s; the file says %s"):format(name, context.describe.bytes(known.size_bytes),
        context.describe.bytes(volume.size_bytes)))
    end
  end
  return ids
end

return M
