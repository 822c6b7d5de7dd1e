--- Whether a disk is blank: zeros from end to end, or nothing that was ever written. Effects: reads.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

local KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
local SLICE_BYTES = MIB -- so that others run meanwhile, also while a slow disk is read
local EDGE_BYTES, SIGN_BYTES = MIB, 64 * KIB

--- Where a disk in use is known at once, besides its first and last MiB, which have partition tables, labels of RAID, LVM and
--- ZFS, and most superblocks: second headers of LUKS2, copies that ext4 (8, 32, 128 MiB) and btrfs (64 MiB, 256 GiB) keep.
M.SIGNS = { 2 * MIB, 4 * MIB, 8 * MIB, 32 * MIB, 64 * MIB, 128 * MIB, 256 * GIB }

--- How often it is told how far the reading is.
M.TICK_MS = 200

-- Nothing was ever written to an image whose first table is empty (docs/interop/qcow2.txt of QEMU: l1_size at 36,
-- l1_table_offset at 40, nb_snapshots at 60). Of what is no image, or whose tables lie nowhere, nothing can be said.
local function is_untouched(world, path)
  err.check(nil, world.qcow2.info(path))
  local header = err.check(nil, world.fs.read_at(path, 0, 64))
  if #header < 64 then return false end
  local backing, entries, offset, snapshots = (">I8"):unpack(header, 9), (">I4"):unpack(header, 37), (">I8"):unpack(header, 41),
    (">I4"):unpack(header, 61)
  local l1 = backing == 0 and snapshots == 0 and entries > 0 and err.check(nil, world.fs.read_at(path, offset, entries * 8))
  return l1 and #l1 == entries * 8 and not l1:find("[^%z]")
end

local function tell_now_and_then(reading, at)
  local now_ms = task.now_ms()
  if not reading.tell or now_ms < reading.next_ms then return end
  reading.next_ms = now_ms + M.TICK_MS
  local rate = reading.read_bytes * 1000 // math.max(1, now_ms - reading.begun_ms)
  reading.tell { done_bytes = at, total_bytes = reading.size_bytes, bytes_per_s = rate,
    eta_ms = rate > 0 and (reading.size_bytes - at) * 1000 // rate or nil }
end

-- Looks at a part of a disk: "blank", "data", or "unknown" when it may read no more.
local function part(reading, from, to)
  while from < to do
    if reading.read_bytes >= reading.most_bytes then return "unknown" end
    local at, has_found, count = reading.fd:skip_zeros(from, to, SLICE_BYTES)
    err.check(reading.path, at, has_found, count)
    if has_found then return "data" end
    from, reading.read_bytes = at, reading.read_bytes + count
    tell_now_and_then(reading, at)
    task.yield()
  end
  return "blank"
end

local function has_signs(reading)
  local size_bytes = reading.size_bytes
  local parts = { { 0, EDGE_BYTES }, { math.max(0, size_bytes - EDGE_BYTES), size_bytes } }
  for _, at in ipairs(M.SIGNS) do parts[#parts + 1] = { at, at + SIGN_BYTES } end
  for _, one in ipairs(parts) do
    if part(reading, one[1], math.min(one[2], size_bytes)) == "data" then return true end
  end
  return false
end

--- What is on a disk: "blank", nothing at all; "data"; "unknown": the first `most_bytes` that were read are zeros.
---@param disk {path: string, format: "raw"|"qcow2"}
---@param options {most_bytes: integer?, tell: fun(progress: holos.BlockProgress)?}?  most_bytes: all of it unless given
---@return "blank"|"data"|"unknown"
function M.look(world, disk, options)
  if disk.format == "qcow2" then return is_untouched(world, disk.path) and "blank" or "data" end
  local fd <close> = err.check(nil, world.fs.open(disk.path, { read = true }))
  local reading = { fd = fd, path = disk.path, size_bytes = err.check(nil, world.fs.size(disk.path)), read_bytes = 0,
    most_bytes = math.huge, begun_ms = task.now_ms(), next_ms = task.now_ms() + M.TICK_MS }
  if has_signs(reading) then return "data" end
  reading.most_bytes, reading.tell = options and options.most_bytes or math.huge, options and options.tell
  reading.read_bytes = 0
  return part(reading, 0, reading.size_bytes)
end

return M
