--- holos/boot.sh: the boot part of a seed, a POSIX shell script for every boot (also busybox's). Pure.
--- It does all it can: what does not work is reported, and the guest stays there to be looked at.
local console = require "holos.plan.seed.console"
local hosts_ = require "holos.plan.hosts"
local library = require "holos.plan.seed.library"

local M = {}

-- A module that has just been loaded takes a moment to show its ports; afterwards nobody waits for them.
local BEGIN = [[
mkdir -p "$holos_books" /run/holos
rm -f "$holos_trouble" /run/holos/console-login
modprobe virtio_console 2>/dev/null
holos_tries=20
until holos_report_port || [ "$holos_tries" -eq 0 ]; do
    holos_tries=$((holos_tries - 1))
    sleep 0.1 2>/dev/null || sleep 1
done
holos_report boot
]]

-- What fails is noted in a file: first.sh does not start on a guest whose volumes are missing.
local ATTEMPT = [[

# holos_attempt TITLE COMMAND...
holos_attempt() {
    holos_title=$1
    shift
    holos_logged /run/holos/boot.log "$@"
    tail -c "+$holos_from" /run/holos/boot.log
    [ "$holos_status" -ne 0 ] || return 0
    printf 'holos: %s: failed with status %s\n' "$holos_title" "$holos_status" | tee -a "$holos_trouble"
    tail -c "+$holos_from" /run/holos/boot.log | holos_report_failure 0 "$holos_status" "$holos_title"
}
]]

-- Our block replaces the old one, and only a whole one; everything else in the file stays as it is.
local HOSTS = [=[

holos_write_hosts() {
    holos_hosts=/run/holos/hosts
    : >"$holos_hosts"
    if [ -e /etc/hosts ]; then cat /etc/hosts >"$holos_hosts"; fi
    if grep -qx '# holos end' "$holos_hosts"; then sed -i '/^# holos begin$/,/^# holos end$/d' "$holos_hosts"; fi
    if ! grep -q '[[:space:]]localhost' "$holos_hosts"; then printf '127.0.0.1 localhost\n' >>"$holos_hosts"; fi
    cat "$holos_here/hosts" >>"$holos_hosts"
    cmp -s "$holos_hosts" /etc/hosts || cat "$holos_hosts" >/etc/hosts
}
]=]

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

# /proc/mounts writes blanks and backslashes as octal numbers.
holos_is_mounted() {
    while read -r holos_source holos_target holos_rest; do
        if [ "$(printf '%b' "$holos_target")" = "$1" ]; then return 0; fi
    done </proc/mounts
    return 1
}

# holos_mount_volume SERIAL TARGET ro|rw
holos_mount_volume() {
    holos_new=
    if holos_is_mounted "$2"; then return 0; fi
    holos_find_disk "$1" || return 1
    if [ "$3" = rw ] && holos_is_blank "$holos_disk"; then
        echo "making an ext4 file system on the blank volume $1"
        holos_make_ext4 "$holos_disk" || return 1
        holos_new=yes
    fi
    mkdir -p "$2" && mount -o "$3" "$holos_disk" "$2" || return 1
    # Databases want an empty directory.
    [ -z "$holos_new" ] || rmdir "$2/lost+found"
}
]]

local SHARES = [[

# holos_mount_share TAG TARGET 9p|virtiofs ro|rw
holos_mount_share() {
    if holos_is_mounted "$2"; then return 0; fi
    mkdir -p "$2" || return 1
    case $3 in
        9p)
            modprobe 9pnet_virtio 2>/dev/null
            mount -t 9p -o "trans=virtio,version=9p2000.L,msize=131072,$4" "$1" "$2"
            ;;
        virtiofs) mount -t virtiofs -o "$4" "$1" "$2" ;;
    esac
}
]]

-- cloud-init runs what is in this directory at every boot, late, after packages and deferred files. Its runcmd would
-- run once only: a guest that lost power half way would never finish.
local CLOUD_INIT = [[

holos_arrange_first_steps() {
    holos_script=/var/lib/cloud/scripts/per-boot/holos
    if holos_is_provisioned; then
        rm -f "$holos_script"
    elif [ ! -e "$holos_script" ]; then
        mkdir -p "${holos_script%/*}"
        printf '#!/bin/sh\nif [ -e %s ]; then exec sh %s; fi\n' "$holos_here/first.sh" "$holos_here/first.sh" \
            >"$holos_script"
        chmod 755 "$holos_script"
    fi
}
]]

local HOSTNAME = [[

holos_set_hostname() {
    if [ "$(cat /etc/hostname 2>/dev/null)" != "$1" ]; then printf '%s\n' "$1" >/etc/hostname; fi
    hostname "$1"
}
]]

local FINISH = [[
holos_report ready
if holos_is_provisioned; then holos_report "provisioned $holos_instance_id"; fi
]]

local function attempt(title, ...)
  return "holos_attempt " .. library.words { title, ... }
end

local function mount_line(mount)
  local mode = mount.read_only and "ro" or "rw"
  if mount.kind == "volume" then
    return attempt("mount volume " .. mount.volume, "holos_mount_volume", mount.serial, mount.target, mode)
  end
  return attempt("mount share " .. mount.target, "holos_mount_share", mount.tag, mount.target, mount.driver, mode)
end

--- What is done, in order: a line of shell each.
function M.lines(spec)
  local lines = {}
  if spec.image.os == "plain" then
    lines[1] = attempt("host name", "holos_set_hostname", spec.hostname)
  else
    lines[1] = attempt("first steps", "holos_arrange_first_steps")
  end
  lines[#lines + 1] = attempt("hosts", "holos_write_hosts")
  for _, mount in ipairs(spec.mounts) do lines[#lines + 1] = mount_line(mount) end
  lines[#lines + 1] = console.line(spec)
  for _, command in ipairs(spec.cloud_init.bootcmd or {}) do
    lines[#lines + 1] = attempt("bootcmd " .. library.title(command), "sh", "-c", library.shell_text(command))
  end
  return lines
end

--- boot.sh
function M.script(spec)
  return table.concat { library.START, BEGIN, ATTEMPT, HOSTS, VOLUMES, SHARES, CLOUD_INIT, HOSTNAME,
    console.FUNCTIONS, "\n", table.concat(M.lines(spec), "\n"), "\n", FINISH }
end

local function is_among(spec, hosts)
  for _, host in ipairs(hosts) do
    for _, name in ipairs(host.names) do
      if name == spec.hostname then return true end
    end
  end
  return false
end

--- holos/hosts: the block of /etc/hosts that holos keeps.
---@param hosts holos.Host[]  all instances of the project
function M.hosts(spec, hosts)
  local lines = { "# holos begin" }
  -- Debian's way to have a host know its own name without a network (Debian Reference, 5.1.1).
  if not is_among(spec, hosts) then lines[2] = "127.0.1.1 " .. spec.hostname end
  for _, host in ipairs(hosts) do lines[#lines + 1] = hosts_.line(host) end
  lines[#lines + 1] = "# holos end"
  return table.concat(lines, "\n") .. "\n"
end

return M
