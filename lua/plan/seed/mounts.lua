--- Mounts of a guest: volumes, shared directories, tmpfs. Pure.
local library = require "holos.plan.seed.library"

local M = {}

-- A volume is formatted when its first and last MiB are all zeros, and only then: whatever Linux knows, file systems,
-- RAID, volume managers and partition tables, leaves something in one of these places. What cannot be read is not
-- blank.
local VOLUMES = [[

holos_find_disk() {
    for holos_disk in /sys/block/vd*; do
        if [ "$(cat "$holos_disk/serial" 2>/dev/null)" = "$1" ]; then
            holos_disk=/dev/${holos_disk##*/}
            return 0
        fi
    done
    echo "no disk has the serial number $1"
    return 1
}

# holos_is_zero DISK SECTOR: whether the 2048 sectors from there could be read and hold zeros only.
holos_is_zero() {
    [ "$(dd if="$1" bs=512 skip="$2" count=2048 2>/dev/null | wc -c)" -eq 1048576 ] &&
        [ "$(dd if="$1" bs=512 skip="$2" count=2048 2>/dev/null | tr -d '\000' | wc -c)" -eq 0 ]
}

holos_is_blank() {
    holos_sectors=$(cat "/sys/block/${1##*/}/size")
    holos_is_zero "$1" 0 && holos_is_zero "$1" $((holos_sectors - 2048))
}

holos_make_ext4() {
    if command -v mkfs.ext4 >/dev/null; then mkfs.ext4 -q -F "$1"; else mke2fs -q -F -t ext4 "$1"; fi
}

# holos_fill_volume DISK TARGET: what the image has at the target is what a new volume begins with, as in Docker. A mark
# tells the next boot that the power went meanwhile.
holos_fill_volume() {
    holos_filled=/run/holos/filled
    mkdir -p "$holos_filled" && mount -o rw "$1" "$holos_filled" || return 1
    touch "$holos_filled/.holos-filling" && cp -a "$2/." "$holos_filled/" && sync && rm -f "$holos_filled/.holos-filling"
    holos_fill_status=$?
    umount "$holos_filled" && return "$holos_fill_status"
}

# holos_mount_disk DISK TARGET ro|rw [FROM]: a disk that has just been made is filled from that directory.
holos_mount_disk() {
    if [ -n "$holos_new" ] && [ -n "${4-}" ] && [ -n "$(ls -A "$4" 2>/dev/null)" ]; then holos_fill_volume "$1" "$4" || return 1; fi
    mount -o "$3" "$1" "$2" || return 1
    if [ -e "$2/.holos-filling" ]; then
        umount "$2" && holos_fill_volume "$1" "${4:-$2}" && mount -o "$3" "$1" "$2" || return 1
    fi
    # Databases want an empty directory.
    [ -z "$holos_new" ] || rmdir "$2/lost+found"
}

# holos_mount_volume SERIAL TARGET ro|rw [FROM]
holos_mount_volume() {
    holos_new=
    if holos_is_mounted "$2"; then return 0; fi
    holos_find_disk "$1" || return 1
    if [ "$3" = rw ] && holos_is_blank "$holos_disk"; then
        echo "making an ext4 file system on the blank volume $1"
        holos_make_ext4 "$holos_disk" || return 1
        holos_new=yes
    fi
    (holos_enter "$2") && holos_mount_disk "$holos_disk" "$2" "$3" "${4-}"
}

# holos_mount_part SERIAL TARGET ro|rw DIRECTORY: a directory of a volume that is mounted as a whole, "." for all of it.
# The kernel takes one disk at two places only when both are read-only or neither is.
holos_mount_part() {
    if holos_is_mounted "$2"; then return 0; fi
    holos_part_of=/run/holos/volumes/$1
    if ! holos_is_mounted "$holos_part_of"; then
        echo "the volume $1 is not mounted"
        return 1
    fi
    if [ "$4" != . ]; then holos_part_of=$holos_part_of/$4; fi
    (holos_enter "$holos_part_of") && (holos_enter "$2") && mount -o bind "$holos_part_of" "$2" || return 1
    [ "$3" = rw ] || mount -o remount,bind,ro "$2"
}
]]

local SHARES = [[

# holos_mount_share TAG TARGET 9p|virtiofs ro|rw
holos_mount_share() {
    if holos_is_mounted "$2"; then return 0; fi
    (holos_enter "$2") || return 1
    case $3 in
        9p)
            modprobe 9pnet_virtio 2>/dev/null
            mount -t 9p -o "trans=virtio,version=9p2000.L,msize=131072,$4" "$1" "$2"
            ;;
        virtiofs) mount -t virtiofs -o "$4" "$1" "$2" ;;
    esac
}
]]

local TMPFS = [[

# holos_mount_tmpfs TARGET OPTIONS
holos_mount_tmpfs() {
    if holos_is_mounted "$1"; then return 0; fi
    (holos_enter "$1") && mount -t tmpfs -o "$2" tmpfs "$1"
}
]]

M.FUNCTIONS = VOLUMES .. SHARES .. TMPFS

--- As Docker mounts them, but that programs may lie there.
local function tmpfs_options(mount)
  local options = { "nosuid", "nodev", ("mode=%o"):format(mount.mode or tonumber("1777", 8)) }
  if mount.read_only then table.insert(options, 1, "ro") end
  if mount.size_bytes then options[#options + 1] = "size=" .. mount.size_bytes end
  options[#options + 1] = mount.options
  return table.concat(options, ",")
end

local function is_filled(mount) return not mount.nocopy and not mount.read_only and not mount.subpath end

local function mode_of(mount) return mount.read_only and "ro" or "rw" end

-- What is mounted of each volume, by serial number: how often, whether anything of it is written to, and the first place
-- that a new one is filled from.
local function disks_of(spec)
  local disks = {}
  for _, mount in ipairs(spec.mounts) do
    if mount.kind == "volume" then
      local disk = disks[mount.serial] or { count = 0, mode = "ro" }
      disks[mount.serial] = disk
      disk.count, disk.is_split = disk.count + 1, disk.count > 0 or mount.subpath ~= nil
      if not mount.read_only then disk.mode = "rw" end
      if is_filled(mount) then disk.from = disk.from or mount.target end
    end
  end
  return disks
end

local function volume_lines(mount, disk, lines)
  local title = "mount volume " .. mount.volume
  if not disk.is_split then
    lines[#lines + 1] = library.attempt(title, "holos_mount_volume", mount.serial, mount.target, disk.mode, disk.from)
    return
  end
  if not disk.is_mounted then
    disk.is_mounted = true
    lines[#lines + 1] = library.attempt(title, "holos_mount_volume", mount.serial, "/run/holos/volumes/" .. mount.serial,
      disk.mode, disk.from)
  end
  lines[#lines + 1] = library.attempt(title, "holos_mount_part", mount.serial, mount.target, mode_of(mount),
    mount.subpath or ".")
end

--- The lines of boot.sh, in the order of the file.
---@return string[]
function M.lines(spec)
  local lines, disks = {}, disks_of(spec)
  for _, mount in ipairs(spec.mounts) do
    if mount.kind == "volume" then
      volume_lines(mount, disks[mount.serial], lines)
    elseif mount.kind == "tmpfs" then
      lines[#lines + 1] = library.attempt("mount tmpfs " .. mount.target, "holos_mount_tmpfs", mount.target,
        tmpfs_options(mount))
    else
      lines[#lines + 1] = library.attempt("mount share " .. mount.target, "holos_mount_share", mount.tag, mount.target,
        mount.driver, mode_of(mount))
    end
  end
  return lines
end

return M
