--- Sections of QEMU's command line for disks: the root disk over its base, the seed, volumes. Pure.
local boot = require "holos.plan.qemu.boot"
local builder_ = require "holos.plan.qemu.builder"
local cause = require "holos.plan.qemu.cause"
local path = require "holos.core.path"

local M = {}

local function base_nodes(b, image)
  local why = cause.key "image"
  b:file_node("base-file", { role = "read", path = image.path }, why)
  if image.format == "qcow2" then
    b:qcow2_node("base", true, why)
  else
    b:option({ why, cause.key("image_format", "raw, by its name or its first bytes") }, "-blockdev",
      "driver=raw,node-name=base,file=base-file,read-only=on")
  end
end

--- The overlay over its base; the chain is spelled out, so that no name inside an image is ever followed. A machine
--- without an image has a blank disk.
function M.root(b)
  local image = b.spec.image
  if image.path then base_nodes(b, image) end
  local why = { cause.holos "root.qcow2: the instance's own disk, where all of its writes go",
    cause.number("disk", "20 GiB, or as much as the image has") }
  b:file_node("root-file", { role = "write", name = "root.qcow2" }, why)
  if image.path then
    b:option(why, "-blockdev", "driver=qcow2,node-name=root,file=root-file,backing=base,discard=unmap")
  else
    b:qcow2_node("root", false, why)
  end
  why = { table.unpack(why) } -- what is started from before it counts for its place alone
  for position, cdrom in ipairs(b.spec.cdroms or {}) do
    if cdrom.boot_index then why[#why + 1] = cause.items("cdrom", { position })[1] end
  end
  b:option(why, "-device", ("virtio-blk-pci,id=root-disk,drive=root,serial=root,bootindex=%d"):format(
    boot.root_index(b.spec.cdroms)) .. builder_.ON_ERROR)
end

--- The seed: virtio-blk, because Debian's cloud kernel has no AHCI for a CD-ROM.
function M.seed(b)
  local why = { cause.holos "seed.iso: what the guest is set up by when it starts",
    cause.key("cloud_init", "without it: names, network, keys and the report") }
  b:file_node("seed-file", { role = "read", name = "seed.iso" }, why)
  b:option(why, "-blockdev", "driver=raw,node-name=seed,file=seed-file,read-only=on")
  b:option(why, "-device", "virtio-blk-pci,id=seed-disk,drive=seed,serial=seed")
end

--- How large volumes without a name are when nothing says so: as those that have one.
M.ANONYMOUS_BYTES = 10 << 30

--- The disk of a volume without a name: it lies with its instance, and goes where that goes.
function M.anonymous_file(mount) return ("volume-%s.qcow2"):format(mount.volume) end

-- Each volume once, however many of its directories are mounted; written to when any of them is.
local function volumes_of(spec)
  local volumes, by_serial = {}, {}
  for position, mount in ipairs(spec.mounts) do
    local known = by_serial[mount.serial]
    if mount.kind == "volume" and known then
      known.read_only = known.read_only and mount.read_only
      table.insert(known.positions, position)
    elseif mount.kind == "volume" then
      by_serial[mount.serial] = { serial = mount.serial, volume = mount.volume, anonymous = mount.anonymous,
        disk = mount.disk, read_only = mount.read_only, positions = { position } }
      volumes[#volumes + 1] = by_serial[mount.serial]
    end
  end
  return volumes
end

--- What the steps of a Dockerfile take along.
function M.context(b)
  local build = b.spec.build
  if not build or not build.context then return end
  local why = cause.key "build"
  b:file_node("context-file", { role = "read", path = path.join(b.host.contents_directory, build.context .. ".iso") }, why)
  b:option(why, "-blockdev", "driver=raw,node-name=context,file=context-file,read-only=on")
  b:option(why, "-device", "virtio-blk-pci,id=context-disk,drive=context,serial=context")
end

-- QEMU's limit is 31 bytes; serials have at most 20 and differ.
local function simple(serial) return (serial:gsub("[^%w-]", "-")) end

--- A node's name for a volume: its serial made simple, or as it is where another one would be the same then.
local function volume_node(volumes, volume)
  local node = simple(volume.serial)
  for _, other in ipairs(volumes) do
    if other.serial ~= volume.serial and simple(other.serial) == node then return volume.serial end
  end
  return node
end

--- The node of a volume in a machine that was launched with a spec, and what there is to know of it; nil when it has no
--- such volume.
---@return string? node
---@return {serial: string, volume: string, read_only: boolean, disk: table?}? volume
function M.node_of(spec, serial)
  local volumes = volumes_of(spec)
  for _, volume in ipairs(volumes) do
    if volume.serial == serial and not volume.anonymous then return volume_node(volumes, volume), volume end
  end
end

--- The serial number of a volume in a machine; nil when it has no such volume.
---@return string?
function M.serial_of(spec, name)
  for _, volume in ipairs(volumes_of(spec)) do
    if volume.volume == name and not volume.anonymous then return volume.serial end
  end
end

local function file_of(b, volume)
  local what, disk = { role = volume.read_only and "read" or "write" }, volume.disk
  if disk then
    what.path, what.is_device = disk.path, disk.kind == "device" or nil
  elseif volume.anonymous then
    what.name = M.anonymous_file(volume)
  else
    what.path = path.join(b.host.volumes_directory, volume.volume .. ".qcow2")
  end
  return what
end

--- Volumes of all kinds.
function M.volumes(b)
  local volumes = volumes_of(b.spec)
  for _, volume in ipairs(volumes) do
    local node, why = volume_node(volumes, volume), cause.items("volumes", volume.positions)
    b:file_node(node .. "-file", file_of(b, volume), why)
    if volume.disk and volume.disk.format == "raw" then
      b:raw_node(node, volume.read_only or false, why)
    else
      b:qcow2_node(node, volume.read_only or false, why)
    end
    b:option(why, "-device", ("virtio-blk-pci,id=%s-disk,drive=%s,serial=%s%s"):format(node, node, volume.serial,
      builder_.ON_ERROR))
  end
end

return M
