--- Volumes of a plan: those that are missing are made, none is ever made smaller or anew. Pure.
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- The volumes of a project by the names under which they are kept: {key, size_bytes}.
---@param project {volumes: table<string, {name: string?, size_bytes: integer}>}
function M.kept(project)
  local kept = {}
  for key, volume in pairs(project.volumes) do kept[volume.name or key] = { key = key, size_bytes = volume.size_bytes } end
  return kept
end

-- "data (old)" is the volume that the file calls data.
local function shown(name, volume)
  return volume.key == name and name or ("%s (%s)"):format(volume.key, name)
end

local function lost(plan, context, name, volume)
  sheet.refuse(plan, { instance = "volume " .. shown(name, volume), where = context.where("volumes." .. volume.key),
    change = { name = "its disk", class = "recreate", from = "made", to = "gone" } })
end

local function create(plan, context, name, volume)
  sheet.row(plan, "+", "volume " .. shown(name, volume), context.describe.volume(volume), context.where("volumes." .. volume.key))
  return sheet.add(plan, { id = "volume/" .. name, kind = "volume.create", volume = name, size_bytes = volume.size_bytes,
    after = {}, because = "does not exist" })
end

-- Whoever gives a volume another name finds a new, empty one; what he had is still there.
local function warn_of_left(plan, context, kept)
  for _, name in ipairs(table_.keys(context.observed.volumes)) do
    if not kept[name] then
      sheet.warn(plan, ("volume %s is no longer in the file; it stays as it is, with all that is in it"):format(name))
    end
  end
end

--- Plans the volumes.
---@param context table  volumes: the project's
---@return table<string, string> ids  of the actions that make those which are missing, by the names they are kept under
function M.plan(plan, context)
  local ids, kept = {}, M.kept(context)
  for name, volume in table_.sorted_pairs(kept) do
    local known = context.observed.volumes[name]
    if not known and (context.record.volumes[name] or {}).made then
      lost(plan, context, name, volume)
    elseif not known then
      ids[name] = create(plan, context, name, volume)
    elseif known.size_bytes ~= volume.size_bytes then
      sheet.warn(plan, ("volume %s stays at %s; the file says %s"):format(shown(name, volume),
        context.describe.bytes(known.size_bytes), context.describe.bytes(volume.size_bytes)))
    end
  end
  if next(ids) then warn_of_left(plan, context, kept) end
  return ids
end

return M
