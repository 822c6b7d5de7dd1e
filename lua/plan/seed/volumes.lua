--- Volumes in a guest: found by serial number, formatted when they are blank, filled, mounted, grown. Pure.
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

local DISKS = [[

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

holos_sectors_of() { cat "/sys/block/${1##*/}/size"; }
]]

-- A volume is formatted when its first and last MiB are all zeros, and only then: whatever Linux knows, file systems,
-- RAID, volume managers and partition tables, leaves something in one of these places. What cannot be read is not
-- blank. A disk that holos has not made itself is formatted only when the host has read it to its end ("-" else).
local FORMAT = [[

# holos_is_zero DISK SECTOR: whether the 2048 sectors from there could be read and hold zeros only.
holos_is_zero() {
    [ "$(dd if="$1" bs=512 skip="$2" count=2048 2>/dev/null | wc -c)" -eq 1048576 ] &&
        [ "$(dd if="$1" bs=512 skip="$2" count=2048 2>/dev/null | tr -d '\000' | wc -c)" -eq 0 ]
}

holos_is_blank() {
    holos_sectors=$(holos_sectors_of "$1")
    holos_is_zero "$1" 0 && holos_is_zero "$1" $((holos_sectors - 2048))
}

# holos_make_fs DISK ext4|xfs
holos_make_fs() {
    if [ "$2" = xfs ]; then
        if command -v mkfs.xfs >/dev/null; then mkfs.xfs -q -f "$1"; return; fi
        echo "this guest has no mkfs.xfs: it needs the package xfsprogs in its image, or fs: ext4"
        return 1
    fi
    if command -v mkfs.ext4 >/dev/null; then mkfs.ext4 -q -F "$1"; else mke2fs -q -F -t ext4 "$1"; fi
}

# holos_format SERIAL DISK ext4|xfs: what fails by itself leaves nothing in the books; what a signal ends is as after a power cut.
holos_format() {
    echo "making an $3 file system on the blank volume $1"
    mkdir -p "$holos_books/making" && echo "$3" >"$holos_books/making/$1" && sync && holos_make_fs "$2" "$3" || {
        [ $? -gt 128 ] || holos_is_made "$1"
        return 1
    }
    holos_new=yes
    holos_note_size "$1" "$2" && sync
}
]]

-- The books say which volumes are being made: from before mkfs until they have all that they begin with. A boot after a power
-- cut goes on from there. Another machine may have had the volume since: what can be mounted, is not empty and was not being
-- filled is nobody's to format or to fill, and what has the magic number of a file system is not formatted though it cannot be
-- mounted here (ext4: at byte 1080, which mke2fs writes last; XFS: the first four bytes, while byte 126, which mkfs.xfs clears
-- last, is zero; more, where there is blkid).
local MAKE = [[

holos_has_fs() {
    if [ "$(dd if="$1" bs=4 count=1 2>/dev/null)" = XFSB ]; then
        [ "$(dd if="$1" bs=1 skip=126 count=1 2>/dev/null | tr -d '\000' | wc -c)" -eq 0 ]
        return
    fi
    [ "$(dd if="$1" bs=2 skip=540 count=1 2>/dev/null)" = "$(printf 'S\357')" ] ||
        { command -v blkid >/dev/null && [ -n "$(blkid "$1" 2>/dev/null)" ]; }
}

# holos_make_volume SERIAL DISK ext4|xfs|-: sets holos_new where it is to be filled.
holos_make_volume() {
    if [ "$3" != - ] && holos_is_blank "$2"; then holos_format "$@"; return; fi
    [ -e "$holos_books/making/$1" ] || return 0
    mkdir -p /run/holos/filled || return 1
    if mount -o rw "$2" /run/holos/filled; then
        case $(ls -A /run/holos/filled) in
            "" | lost+found) holos_new=yes ;;
            *) [ ! -e /run/holos/filled/.holos-filling ] || holos_new=yes ;;
        esac
        umount /run/holos/filled
    elif [ "$3" != - ] && ! holos_has_fs "$2"; then
        holos_format "$@"
    fi
}

# holos_is_made SERIAL: before anybody writes to it.
holos_is_made() {
    [ -e "$holos_books/making/$1" ] || return 0
    rm -f "$holos_books/making/$1" && sync
    rmdir "$holos_books/making" 2>/dev/null || :
}
]]

-- Which disk is how large is in the guest's books: a file system is looked at when its disk has another size only.
local GROW = [[

# holos_note_size SERIAL DISK
holos_note_size() { mkdir -p "$holos_books/volumes" && holos_sectors_of "$2" >"$holos_books/volumes/$1"; }

# holos_mounted_as DISK: sets holos_type and holos_place of its file system.
holos_mounted_as() {
    while read -r holos_source holos_place holos_type holos_rest; do
        if [ "$holos_source" = "$1" ]; then
            holos_place=$(printf '%b' "$holos_place")
            return 0
        fi
    done </proc/mounts
    return 1
}

# holos_grow_fs DISK: of what holos_mounted_as has found.
holos_grow_fs() {
    case $holos_type in
        ext4) holos_tool=resize2fs holos_place=$1 ;;
        xfs) holos_tool=xfs_growfs ;;
        *) return 0 ;;
    esac
    if command -v "$holos_tool" >/dev/null; then "$holos_tool" "$holos_place"; return; fi
    echo "this guest has no $holos_tool to make the file system as large as its disk"
    return 1
}

# holos_follow_size SERIAL DISK: the file system follows a disk that has grown.
holos_follow_size() {
    holos_known=$(cat "$holos_books/volumes/$1" 2>/dev/null)
    if [ "$holos_known" != "$(holos_sectors_of "$2")" ] && holos_mounted_as "$2"; then
        holos_grow_fs "$2" || [ -z "$holos_known" ] || return 1
        holos_note_size "$1" "$2"
    fi
}
]]

local MOUNT = [[

# holos_fill_volume DISK TARGET: what the image has at the target is what a new volume begins with, as in Docker. A file on
# it tells every machine that it has not all of that yet; the one that has it in its books ends the filling.
holos_fill_volume() {
    holos_filled=/run/holos/filled
    mkdir -p "$holos_filled" && mount -o rw "$1" "$holos_filled" || return 1
    touch "$holos_filled/.holos-filling" && sync && cp -a "$2/." "$holos_filled/" && sync && rm -f "$holos_filled/.holos-filling"
    holos_fill_status=$?
    umount "$holos_filled" && return "$holos_fill_status"
}

# holos_mount_disk DISK TARGET ro|rw [FROM]: a disk that has just been made is filled from that directory.
holos_mount_disk() {
    if [ -n "$holos_new" ] && [ -n "${4-}" ] && [ -n "$(ls -A "$4" 2>/dev/null)" ]; then holos_fill_volume "$1" "$4" || return 1; fi
    mount -o "$3" "$1" "$2" || return 1
    if [ -e "$2/.holos-filling" ]; then
        echo "it was not filled to the end: start the machine that began to, or delete .holos-filling on it to have it as it is"
        umount "$2"
        return 1
    fi
    # Databases want an empty directory; XFS has none of these.
    if [ -n "$holos_new" ] && [ -d "$2/lost+found" ]; then rmdir "$2/lost+found"; fi
}

# holos_mount_volume SERIAL TARGET ro|rw ext4|xfs|- [FROM]
holos_mount_volume() {
    holos_new=
    if holos_is_mounted "$2"; then return 0; fi
    holos_find_disk "$1" || return 1
    case $4 in
        xfs | -) modprobe xfs 2>/dev/null ;;
    esac
    if [ "$3" = rw ]; then holos_make_volume "$1" "$holos_disk" "$4" || return 1; fi
    (holos_enter "$2") && holos_mount_disk "$holos_disk" "$2" "$3" "${5-}" && holos_is_made "$1"
}

# holos_grow_volume SERIAL: at every boot.
holos_grow_volume() {
    holos_find_disk "$1" && holos_follow_size "$1" "$holos_disk"
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

-- What was attached while the guest ran stands in the seed only from the next launch on: until then a script for each of these
-- volumes is in the guest's books, for boots between.
local ATTACHED = [[

# holos_mount_attached SERIAL... : of the seed.
holos_mount_attached() {
    for holos_file in "$holos_books"/attached/*; do
        [ -e "$holos_file" ] || continue
        case " $* " in
            *" ${holos_file##*/} "*) rm -f "$holos_file" ;;
            *) if holos_find_disk "${holos_file##*/}" >/dev/null; then . "$holos_file" || return 1; else rm -f "$holos_file"; fi ;;
        esac
    done
}
]]

M.FUNCTIONS = DISKS .. FORMAT .. MAKE .. GROW .. MOUNT .. ATTACHED

local function is_filled(mount) return not mount.nocopy and not mount.read_only and not mount.subpath end

local function mode_of(mount) return mount.read_only and "ro" or "rw" end

--- What is mounted of each volume, by serial number: how often, whether anything of it is written to, and the first place
--- that a new one is filled from.
---@param mounts table[]  of a spec
function M.disks(mounts)
  local disks = {}
  for _, mount in ipairs(mounts) do
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

-- What a blank one is formatted with.
local function format_of(mount)
  return (mount.disk or mount.is_copied) and not mount.is_blank and "-" or mount.fs or "ext4"
end

local function whole(mount, disk, target)
  return { "holos_mount_volume", mount.serial, target, disk.mode, format_of(mount), disk.from }
end

--- Where a volume is mounted as a whole whose parts have places of their own.
function M.place_of_whole(serial) return "/run/holos/volumes/" .. serial end

--- The commands that one mount of a volume takes, each a list of words.
---@param disk table  of M.disks
function M.commands(mount, disk)
  if not disk.is_split then return { whole(mount, disk, mount.target) } end
  local list = {}
  if not disk.is_mounted then list[1] = whole(mount, disk, M.place_of_whole(mount.serial)) end
  disk.is_mounted = true
  list[#list + 1] = { "holos_mount_part", mount.serial, mount.target, mode_of(mount), mount.subpath or "." }
  return list
end

--- The lines of boot.sh for one mount of a volume.
---@param disk table  of M.disks
function M.lines(mount, disk, lines)
  for _, words in ipairs(M.commands(mount, disk)) do
    lines[#lines + 1] = library.attempt("mount volume " .. mount.volume, table.unpack(words))
    -- The sizes of disks that are not the project's own are not ours to follow.
    if words[1] == "holos_mount_volume" and disk.mode == "rw" and not mount.disk then
      lines[#lines + 1] = library.attempt_beside("grow volume " .. mount.volume, "holos_grow_volume", mount.serial)
    end
  end
end

--- The line of boot.sh for volumes that were attached since the launch.
function M.attached_line(spec)
  local words = { "holos_mount_attached" }
  for serial in table_.sorted_pairs(M.disks(spec.mounts)) do words[#words + 1] = serial end
  return library.attempt("mount what was attached", table.unpack(words))
end

return M
