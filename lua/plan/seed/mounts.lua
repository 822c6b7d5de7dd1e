--- Mounts of a guest: volumes, shared directories, tmpfs. Pure.
local library = require "holos.plan.seed.library"
local volumes = require "holos.plan.seed.volumes"

local M = {}

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

M.FUNCTIONS = volumes.FUNCTIONS .. SHARES .. TMPFS

--- As Docker mounts them, but that programs may lie there.
local function tmpfs_options(mount)
  local options = { "nosuid", "nodev", ("mode=%o"):format(mount.mode or tonumber("1777", 8)) }
  if mount.read_only then table.insert(options, 1, "ro") end
  if mount.size_bytes then options[#options + 1] = "size=" .. mount.size_bytes end
  options[#options + 1] = mount.options
  return table.concat(options, ",")
end

local function mode_of(mount) return mount.read_only and "ro" or "rw" end

--- The lines of boot.sh, in the order of the file.
---@return string[]
function M.lines(spec)
  local lines, disks = {}, volumes.disks(spec.mounts)
  for _, mount in ipairs(spec.mounts) do
    if mount.kind == "volume" then
      volumes.lines(mount, disks[mount.serial], lines)
    elseif mount.kind == "tmpfs" then
      lines[#lines + 1] = library.attempt("mount tmpfs " .. mount.target, "holos_mount_tmpfs", mount.target,
        tmpfs_options(mount))
    else
      lines[#lines + 1] = library.attempt("mount share " .. mount.target, "holos_mount_share", mount.tag, mount.target,
        mount.driver, mode_of(mount))
    end
  end
  lines[#lines + 1] = volumes.attached_line(spec)
  return lines
end

return M
