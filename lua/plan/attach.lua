--- Volumes that a machine takes or gives up while it runs, in the slots that QEMU keeps free for that. Pure.
local disks = require "holos.plan.qemu.disks"
local qemu = require "holos.plan.qemu"
local table_ = require "holos.core.table"

local M = {}

-- What can come and go: disks with a name. Everything else of a machine stays as it was launched.
local function is_movable(mount) return mount.kind == "volume" and not mount.anonymous end

-- Mounts by serial number, the others in their order, and the serial numbers of what is on its way.
local function sorted(spec)
  local by_serial, others, moving = {}, {}, {}
  for _, mount in ipairs(spec.mounts) do
    local copy = table_.copy(mount)
    copy.is_moving = nil
    if is_movable(mount) then
      by_serial[mount.serial] = by_serial[mount.serial] or {}
      table.insert(by_serial[mount.serial], copy)
      moving[mount.serial] = mount.is_moving or moving[mount.serial]
    else
      copy.create_host_path, others[#others + 1] = nil, copy
    end
  end
  return by_serial, others, moving
end

-- A disk that stays is the same, and is called the same in QEMU.
local function stays(applied, wanted, serial, before, now)
  return table_.deep_equal(before, now) and disks.node_of(applied, serial) == disks.node_of(wanted, serial)
end

--- What volumes come and go from one spec to another; nil when that is not all that changes with its mounts. What was
--- begun and not seen to its end, in whatever direction, is not there yet for who wants it, and not gone for who does not.
---@return {attach: string[], detach: string[]}? moves  serial numbers
function M.moves(applied, wanted)
  local before, others_before, moving = sorted(applied)
  local now, others = sorted(wanted)
  if not table_.deep_equal(others_before, others) then return nil end
  local moves = { attach = {}, detach = {} }
  for serial, mounts in table_.sorted_pairs(now) do
    if not before[serial] then table.insert(moves.attach, serial)
    elseif not stays(applied, wanted, serial, before[serial], mounts) then return nil
    elseif moving[serial] then table.insert(moves.attach, serial) end
  end
  for serial in table_.sorted_pairs(before) do
    if not now[serial] then table.insert(moves.detach, serial) end
  end
  return moves
end

-- Disks that were there when the machine was launched cannot be pulled out of it.
local function can_go(moves, attached)
  for _, serial in ipairs(moves.detach) do
    if not attached[serial] then return false end
  end
  return true
end

--- What was attached since the launch, by serial number: {serial, port, set}.
---@param runtime table
function M.attached(runtime)
  local attached = {}
  for _, entry in ipairs(runtime.attached or {}) do attached[entry.serial] = entry end
  return attached
end

--- The number of a free slot; nil when all are taken.
---@return integer?
function M.free_port(runtime)
  local taken = {}
  for _, entry in ipairs(runtime.attached or {}) do taken[entry.port] = true end
  for port = 1, qemu.SPARE_ROOT_PORTS do
    if not taken[port] then return port end
  end
end

-- Whether there are slots, and a guest that we have a way into.
local function can_be_told(spec)
  return spec.vm.machine:find "q35" and spec.image.path and spec.nics[1] and spec.nics[1].kind == "user"
end

--- Whether a machine can take over the mounts of another spec while it runs.
---@param runtime table?  of the machine that runs
function M.is_possible(applied, wanted, runtime)
  local moves = runtime and M.moves(applied, wanted)
  if not moves or not can_be_told(applied) then return false end
  local attached, count = M.attached(runtime), #(runtime.attached or {}) - #moves.detach
  for _, serial in ipairs(moves.attach) do count = count + (attached[serial] and 0 or 1) end
  return can_go(moves, attached) and count <= qemu.SPARE_ROOT_PORTS
end

--- The mounts of some volumes.
---@param serials string[]
function M.mounts_of(spec, serials)
  return table_.filter(spec.mounts, function(mount)
    return is_movable(mount) and table_.index_of(serials, mount.serial) ~= nil
  end)
end

--- The mounts of a spec with those of a volume as on their way: its machine has them, or may have them.
---@param mounts table[]  of the volume
function M.moving(spec, serial, mounts)
  local all = M.without(spec, { serial })
  for _, mount in ipairs(mounts) do
    all[#all + 1] = table_.copy(mount)
    all[#all].is_moving = true
  end
  return all
end

--- The mounts of a machine that has all it is to have but for some volumes, which stay as they are.
---@param left string[]  serial numbers
function M.arrived(applied, wanted, left)
  return table_.extend(M.without(wanted, left), M.mounts_of(applied, left))
end

--- The mounts of a spec without some volumes.
function M.without(spec, serials)
  return table_.list(table_.filter(spec.mounts, function(mount)
    return not (is_movable(mount) and table_.index_of(serials, mount.serial))
  end))
end

return M
