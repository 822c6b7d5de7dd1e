--- Disks that are not the project's own, devices and files of the host and volumes of other projects: a row for each that a
--- machine is about to get, and what becomes of it. Pure.
local attach = require "holos.plan.attach"
local holders = require "holos.plan.reconcile.holders"
local path = require "holos.core.path"
local table_ = require "holos.core.table"

local M = {}

-- The mounts that an action gives its machine.
local function taken(context, action, spec)
  if action.kind == "instance.launch" then return spec.mounts end
  local moves = attach.moves(context.observed.instances[spec.name].applied, spec)
  return attach.mounts_of(spec, moves and moves.attach or {})
end

-- The disks by what they are, whatever their paths, in the order in which machines get them.
local function disks_of(plan, context)
  local disks, specs = {}, {}
  for _, spec in ipairs(plan.specs) do specs[spec.name] = spec end
  for _, action in ipairs(plan.actions) do
    local spec = holders.takes(action) and specs[action.instance]
    for _, mount in ipairs(spec and taken(context, action, spec) or {}) do
      local id = mount.disk and context.disk_of(mount)
      local disk = disks[id] or { mount = mount, can_write = false }
      if id and not disks[id] then disks[id], disks[#disks + 1] = disk, disk end
      disk.can_write = disk.can_write or not mount.read_only
    end
  end
  return disks
end

-- What is done with a disk, and what it is formatted with.
local function fate(context, disk, seen)
  local fs, bytes = disk.mount.fs or "ext4", context.describe.bytes
  if not disk.can_write then return "as it is, read-only", "" end
  if seen.content == "data" then return "as it is", ", has data" end
  if seen.content == "blank" then return "format " .. fs, ", is blank", fs end
  return ("format %s if it is blank"):format(fs),
    (": %s of it are zeros, all is read before the start"):format(bytes(seen.read_bytes)), fs
end

local function key_of(volumes, name)
  for key, volume in table_.sorted_pairs(volumes) do
    if (volume.name or key) == name then return key end
  end
end

local function row(context, disk)
  local mount = disk.mount
  local seen, key = context.glance(mount.disk), key_of(context.volumes, mount.volume)
  local verb, what, fs = fate(context, disk, seen)
  local name = key and key ~= mount.volume and ("%s (%s)"):format(key, mount.volume) or mount.volume
  return { mark = fs and "~" or "·", name = "volume " .. name, text = ("%s   %s, %s%s"):format(verb,
    path.short(mount.disk.path, context.directory), context.describe.bytes(seen.size_bytes), what),
    where = key and context.where("volumes." .. key), disk = { path = mount.disk.path, size_bytes = seen.size_bytes,
    content = seen.content, fs = fs } }
end

--- Writes the rows before all others, as those of volumes are.
---@param context table  disk_of: see reconcile/holders; glance(disk) → {size_bytes, content = "blank"|"data"|"unknown",
---                      read_bytes}; absent: nothing can be told of disks
function M.tell(plan, context)
  if not context.glance then return end
  local rows = table_.map(disks_of(plan, context), function(disk) return row(context, disk) end)
  if #rows > 0 then plan.rows = table_.extend(rows, plan.rows) end
end

return M
