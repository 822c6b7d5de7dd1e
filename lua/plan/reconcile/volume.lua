--- Volumes of a plan: those that are missing are made, those that are to be larger grow, none is ever made smaller or anew.
--- Pure.
local lazy = require "holos.core.lazy"
local disks = lazy "holos.plan.reconcile.disks"
local holders = lazy "holos.plan.reconcile.holders"
local identity = require "holos.plan.identity"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

local SECTOR = 512

--- The volumes that a project keeps itself, by the names under which they are kept: {key, size_bytes, is_sized, fs}.
---@param project {volumes: table<string, {name: string?, size_bytes: integer, is_sized: boolean?, fs: string?}>}
function M.kept(project)
  local kept = {}
  for key, volume in pairs(project.volumes) do
    local is_own = not volume.device and not volume.external
    kept[volume.name or key] = is_own and { key = key, size_bytes = (volume.size_bytes + SECTOR - 1) // SECTOR * SECTOR,
      is_sized = volume.is_sized, fs = volume.fs } or nil
  end
  return kept
end

-- "data (old)" is the volume that the file calls data.
local function shown(name, volume)
  return volume.key == name and name or ("%s (%s)"):format(volume.key, name)
end

local function where_of(context, volume) return context.where("volumes." .. volume.key) end

local function lost(plan, context, name, volume)
  sheet.refuse(plan, { instance = "volume " .. shown(name, volume), where = where_of(context, volume),
    change = { name = "its disk", class = "recreate", from = "made", to = "gone" } })
end

-- Where guests have the disk, when its name does not say so.
local function guest_path(context, name)
  for _, spec in ipairs(context.specs) do
    for _, mount in ipairs(spec.mounts) do
      local is_it = mount.volume == name and not mount.anonymous
      if is_it and mount.serial and mount.serial ~= "vol-" .. name then return identity.volume_path(mount.serial) end
    end
  end
end

local function create(plan, context, name, volume)
  sheet.row(plan, "+", "volume " .. shown(name, volume), context.describe.volume(volume, guest_path(context, name)),
    where_of(context, volume))
  return sheet.add(plan, { id = "volume/" .. name, kind = "volume.create", volume = name, size_bytes = volume.size_bytes,
    fs = volume.fs, after = {}, because = "does not exist" })
end

-- Less room would cut off what is in it.
local function warn_of_size(plan, context, name, volume, known)
  local where = where_of(context, volume)
  sheet.warn(plan, ("%svolume %s has %s and keeps them; the file says size: %s, and volumes never become smaller"):format(
    where and where .. ": " or "", shown(name, volume), context.describe.bytes(known.size_bytes),
    context.describe.bytes(volume.size_bytes)))
end

--- The machines that run and have a volume: {name, can_write}, sorted by name.
---@param observed {instances: table<string, {running: boolean, applied: table?}>}
function M.users(observed, name)
  local users = {}
  for instance, seen in table_.sorted_pairs(observed.instances) do
    local user
    for _, mount in ipairs(seen.running and seen.applied and seen.applied.mounts or {}) do
      if mount.kind == "volume" and mount.volume == name and not mount.anonymous then
        user = user or { name = instance }
        user.can_write = user.can_write or not mount.read_only
      end
    end
    users[#users + 1] = user
  end
  return users
end

--- The names of the volumes that are there already, as the file says.
---@return table<string, boolean>
function M.external(volumes)
  local names = {}
  for key, volume in pairs(volumes) do
    if volume.external then names[volume.name or key] = true end
  end
  return names
end

local function names_of(users)
  return table.concat(table_.map(users, function(user) return user.name end), ", ")
end

local function add_growth(plan, context, name, volume, text, user, size_bytes)
  sheet.row(plan, "~", "volume " .. shown(name, volume), text, where_of(context, volume))
  return sheet.add(plan, { id = "volume/" .. name, kind = "volume.grow", volume = name, size_bytes = size_bytes,
    holder = user and user.name, after = {}, because = text })
end

-- The QEMU of another project's machine would go on with the old size, and no other program may write to its disk.
local function foreign_user(context, name)
  if not context.disk_of then return nil end
  local id = context.disk_of { volume = name }
  return context.foreign_users(id)[1]
end

local function refuse_foreign(plan, context, name, volume, sizes, user)
  sheet.refuse(plan, { instance = "volume " .. shown(name, volume), where = where_of(context, volume),
    cure = ("it runs with it: stop %s first"):format(user.name), change = { name = "size", class = "restart",
      from = sizes, to = "in use by " .. user.name } })
end

-- The disk of a machine that runs grows below it, then its file system; else the next start sees to that.
local function grow(plan, context, name, volume, known)
  local users = M.users(context.observed, name)
  local sizes = ("%s → %s"):format(context.describe.bytes(known.size_bytes), context.describe.bytes(volume.size_bytes))
  local other = foreign_user(context, name)
  if other then return refuse_foreign(plan, context, name, volume, sizes, other) end
  if users[1] and not users[1].can_write then
    return sheet.warn(plan, ("volume %s: %s has to wait until nobody reads it: stop %s, then up"):format(shown(name, volume), sizes,
      names_of(users)))
  end
  local text = users[1] and ("grow   %s   (%s runs on)"):format(sizes, users[1].name) or "grow   " .. sizes
  return add_growth(plan, context, name, volume, text, users[1], volume.size_bytes)
end

-- The disk has grown, and nobody has told the guest that its file system may.
local function finish_growth(plan, context, name, volume, known)
  local user = M.users(context.observed, name)[1]
  if not user or not user.can_write then return nil end
  return add_growth(plan, context, name, volume, ("grow its file system   (%s runs on)"):format(user.name), user,
    known.size_bytes)
end

local function warn_of_fs(plan, context, name, volume)
  local fs = context.record.volumes[name] and context.record.volumes[name].fs or "ext4"
  if not volume.fs or volume.fs == fs then return end
  sheet.warn(plan, ("volume %s keeps its %s; the file says %s, which only a new volume gets"):format(shown(name, volume), fs,
    volume.fs))
end

local function users_among(specs, name)
  return table_.filter(specs, function(spec)
    for _, mount in ipairs(spec.mounts) do
      if mount.volume == name and not mount.anonymous and not mount.disk then return true end
    end
  end)
end

-- Those that mount it could not start; all others can.
local function damaged(plan, context, name, volume, problem)
  local users = users_among(context.specs, name)
  if #users == 0 then return sheet.warn(plan, ("volume %s is damaged: %s"):format(name, problem)) end
  sheet.refuse(plan, { instance = "volume " .. name, where = volume and where_of(context, volume),
    cure = ("%s cannot start with it: holos volumes rm %s (to the trash), or put a copy of it back"):format(names_of(users), name),
    change = { name = "damaged", class = "recreate", from = problem, to = problem } })
end

-- The id of what is to be done with a volume that is there.
local function change(plan, context, name, volume, known)
  warn_of_fs(plan, context, name, volume)
  if volume.is_sized and volume.size_bytes < known.size_bytes then warn_of_size(plan, context, name, volume, known) end
  if volume.is_sized and volume.size_bytes > known.size_bytes then return grow(plan, context, name, volume, known) end
  local entry = context.record.volumes[name]
  return entry and entry.is_growing and finish_growth(plan, context, name, volume, known) or nil
end

-- Whoever gives a volume another name finds a new, empty one; what he had is still there.
local function warn_of_left(plan, context, kept)
  local external = M.external(context.volumes)
  for _, name in ipairs(table_.keys(context.observed.volumes)) do
    if not kept[name] and not external[name] then
      local is_copied = (context.record.volumes[name] or {}).is_copied -- by a command, and maybe never in a file
      sheet.warn(plan, ("volume %s is %s in the file; it stays as it is, with all that is in it"):format(name,
        is_copied and "not" or "no longer"))
    end
  end
end

--- Plans the volumes.
---@param context table  volumes: the project's
---@return table<string, string> ids  of the actions that make or change them, by the names they are kept under
function M.plan(plan, context)
  local ids, kept, is_any_new = {}, M.kept(context), false
  for name, known in table_.sorted_pairs(context.observed.volumes) do
    if known.problem then damaged(plan, context, name, kept[name], known.problem) end
  end
  for name, volume in table_.sorted_pairs(kept) do
    local known = context.observed.volumes[name]
    if known and known.problem then -- told above
      ids[name] = nil
    elseif known then
      ids[name] = change(plan, context, name, volume, known)
    elseif (context.record.volumes[name] or {}).made then
      lost(plan, context, name, volume)
    else
      ids[name], is_any_new = create(plan, context, name, volume), true
    end
  end
  if is_any_new then warn_of_left(plan, context, kept) end
  return ids
end

local function any_volume(specs)
  for _, spec in ipairs(specs) do
    for _, mount in ipairs(spec.mounts) do
      if mount.kind == "volume" and not mount.anonymous then return true end
    end
  end
  return false
end

--- Has machines wait for those that give up volumes which they take, and says which disks of others they get; at the end, when
--- all actions are there.
function M.settle(plan, context)
  if not any_volume(plan.specs) then return end
  holders.settle(plan, context)
  disks.tell(plan, context)
end

return M
