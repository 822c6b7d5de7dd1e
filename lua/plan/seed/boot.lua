--- The boot part of a seed: a POSIX shell script for every boot (also busybox's), and what it shares with the first
--- part. Pure. Every value that lands in shell text goes through shell_quote.
local text = require "holos.core.text"

local M = {}

local function quote(word) return text.shell_quote(word) end

-- The port's node is looked up by name: numbers vary, and a redirect to a node that is not there would make a plain
-- file.
local LIBRARY = [[
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(dirname "$0")
books=/var/lib/holos

report_port() {
    for name in /sys/class/virtio-ports/*/name; do
        if [ "$(cat "$name" 2>/dev/null)" = org.holos.report ]; then
            port=${name%/name}
            port=/dev/${port##*/}
            if [ -c "$port" ]; then
                echo "$port"
                return 0
            fi
        fi
    done
    return 1
}

report() {
    port=$(report_port) || return 0
    printf 'holos1 %s\n' "$*" >"$port"
}

# report_failure STEP STATUS TITLE LOG: the last lines of a step's output, then that it failed.
report_failure() {
    tail -n 20 "$4" 2>/dev/null | cut -c 1-400 | while IFS= read -r line; do report "log $line"; done
    report "failed $1 $2 $3"
}

is_provisioned() { [ "$(cat "$books/provisioned" 2>/dev/null)" = "$instance_id" ]; }
]]

--- lib.sh: what both scripts begin with.
function M.library(spec)
  return ("# Made by holos for %s of project %s.\ninstance_id=%s\n%s"):format(spec.name, spec.project,
    quote(spec.instance_id), LIBRARY)
end

-- A volume is formatted when its first MiB is all zeros and only then: every file system that Linux knows, and every
-- partition table, leaves something there.
local FUNCTIONS = [[
mkdir -p "$books" /run/holos
log=/run/holos/boot.log
: >"$log"
modprobe -a virtio_console 9pnet_virtio 9p virtiofs 2>/dev/null

# A part of the boot that does not work is reported, and the boot goes on: the guest stays there to be looked at.
attempt() {
    title=$1
    shift
    "$@" >>"$log" 2>&1 || report_failure 0 $? "$title" "$log"
}

write_hosts() {
    sed '/^# holos begin$/,/^# holos end$/d' /etc/hosts >/run/holos/hosts 2>/dev/null
    cat "$here/hosts" >>/run/holos/hosts
    cat /run/holos/hosts >/etc/hosts
}

find_disk() {
    for disk in /sys/block/vd*; do
        if [ "$(cat "$disk/serial" 2>/dev/null)" = "$1" ]; then
            echo "/dev/${disk##*/}"
            return 0
        fi
    done
    echo "no disk has the serial $1"
    return 1
}

is_blank() { [ "$(dd if="$1" bs=65536 count=16 2>/dev/null | tr -d '\000' | head -c 1 | wc -c)" -eq 0 ]; }

make_ext4() {
    if command -v mkfs.ext4 >/dev/null; then mkfs.ext4 -q -F "$1"; else mke2fs -q -F -t ext4 "$1"; fi
}

is_mounted() { grep -q " $(printf '%s' "$1" | sed 's/ /\\\\040/g') " /proc/mounts; }

# mount_volume SERIAL TARGET ro|rw
mount_volume() {
    is_mounted "$2" && return 0
    disk=$(find_disk "$1") || { echo "$disk"; return 1; }
    if [ "$3" = rw ] && is_blank "$disk"; then make_ext4 "$disk" || return 1; fi
    mkdir -p "$2" && mount -t ext4 -o "$3" "$disk" "$2"
}

# mount_share TAG TARGET 9p|virtiofs ro|rw
mount_share() {
    is_mounted "$2" && return 0
    mkdir -p "$2" || return 1
    case $3 in
        9p) mount -t 9p -o "trans=virtio,version=9p2000.L,msize=131072,$4" "$1" "$2" ;;
        virtiofs) mount -t virtiofs -o "$4" "$1" "$2" ;;
    esac
}

# The console logs USER in by itself; systemd guests only, others decide for themselves.
log_in_on_console() {
    [ -d /run/systemd/system ] || return 0
    mkdir -p /run/systemd/system/serial-getty@ttyS0.service.d
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin %s --noclear %%I $TERM\n' "$1" \
        >/run/systemd/system/serial-getty@ttyS0.service.d/holos.conf
    systemctl daemon-reload && systemctl --no-block try-restart serial-getty@ttyS0.service
}
]]

local function mount_line(mount)
  local mode = mount.read_only and "ro" or "rw"
  if mount.kind == "volume" then
    return ("attempt %s mount_volume %s %s %s"):format(quote("mount volume " .. mount.volume), quote(mount.serial),
      quote(mount.target), mode)
  end
  return ("attempt %s mount_share %s %s %s %s"):format(quote("mount share " .. mount.target), quote(mount.tag),
    quote(mount.target), mount.driver, mode)
end

--- A command of the user's as shell words: a string is a shell line, a list an argv.
function M.command(command)
  if type(command) == "string" then return "sh -c " .. quote(command) end
  local words = {}
  for i, word in ipairs(command) do words[i] = quote(tostring(word)) end
  return table.concat(words, " ")
end

--- One line that names a command: "nginx -t".
function M.title(command)
  local line = type(command) == "string" and command or table.concat(command, " ")
  line = (line:match("^%s*([^\n]*)") or ""):gsub("%c", " ")
  return #line > 60 and line:sub(1, utf8.offset(line, 0, 58) - 1) .. "..." or line
end

--- boot.sh
function M.script(spec)
  local lines = { "#!/bin/sh", '. "$(dirname "$0")/lib.sh"', FUNCTIONS, "report boot", "attempt hosts write_hosts" }
  for _, mount in ipairs(spec.mounts) do lines[#lines + 1] = mount_line(mount) end
  if spec.console_login == "autologin" then
    lines[#lines + 1] = "attempt console log_in_on_console " .. quote(spec.user)
  end
  for _, command in ipairs(spec.cloud_init.bootcmd or {}) do
    lines[#lines + 1] = ("attempt %s %s"):format(quote("bootcmd " .. M.title(command)), M.command(command))
  end
  lines[#lines + 1] = "report ready"
  lines[#lines + 1] = 'if is_provisioned; then report "provisioned $instance_id"; fi'
  return table.concat(lines, "\n") .. "\n"
end

--- The block of /etc/hosts that holos keeps.
function M.hosts(spec)
  local lines = { "# holos begin" }
  if spec.image.os ~= "plain" then lines[2] = "127.0.1.1 " .. spec.hostname end
  for _, host in ipairs(spec.hosts) do lines[#lines + 1] = host.address .. " " .. table.concat(host.names, " ") end
  lines[#lines + 1] = "# holos end"
  return table.concat(lines, "\n") .. "\n"
end

return M
