-- Volumes on the full Debian guest: what fills them, XFS, a disk of the host, names by udev, and a reboot of the guest alone.
local files = require "tests.support.files"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local host = require "sys.host"
local stack_ = require "tests.support.stack"

local MIB = 1 << 20
local LONG = "a-name-that-is-longer-than-sixteen"

local YAML = [[
name: disks
services:
  db:
    image: IMAGE
    image_os: systemd
    vm: {memory_mb: 512}
    stop_grace_period: 2m
    volumes:
      - LONG:/etc/skel
      - {type: volume, source: empty, target: /usr/share/common-licenses, volume: {nocopy: true}}
MORE
    cloud_init: {user: debian, packages: [xfsprogs]}
volumes:
  LONG: {size: 64M}
  empty: {size: 64M}
REST
]]

local function yaml(more, rest)
  return (YAML:gsub("%u%u%u%u", { LONG = LONG, MORE = more or "", REST = rest or "" }))
end

local function inside(stack, script)
  return (full_guest.wait_for(stack, { "exec", "db-0", "--", "sh", "-c", script }).stdout:match("^(.-)%s*$"))
end

local function kind(stack, place) return inside(stack, ("findmnt -no FSTYPE %s || true"):format(place)) end

local function first_boot(stack)
  full_guest.wait_for(stack, { "up" })
  equal(inside(stack, "ls -A /etc/skel | sort | head -n 3; ls -A /usr/share/common-licenses"), ".bash_logout\n.bashrc\n.profile")
  local name = LONG:gsub("%-", "%%-")
  local path = stack:expect({ "validate" }).stdout:match("volume " .. name .. ".-(/dev/disk/by%-id/virtio%-vol%-%x+)")
  ok(path and #path:match("[^-]*$") == 16, path)
  equal(inside(stack, ("readlink -f %s; findmnt -no SOURCE /etc/skel"):format(path)):match("^(%S+)\n%1$") ~= nil, true)
end

local XFS = "      - logs:/usr/share/base-files"

local function xfs_comes_and_grows(stack)
  local before = inside(stack, "cd /usr/share/base-files && cat * | sha256sum; cat /proc/sys/kernel/random/boot_id")
  stack:write(yaml(XFS, "  logs: {size: 400M, fs: xfs}"))
  full_guest.wait_for(stack, { "up" })
  equal(inside(stack, "cd /usr/share/base-files && cat * | sha256sum; cat /proc/sys/kernel/random/boot_id"), before)
  equal(kind(stack, "/usr/share/base-files"), "xfs")
  local small = tonumber(inside(stack, "stat -f -c %b /usr/share/base-files"))
  stack:write(yaml(XFS, "  logs: {size: 800M, fs: xfs}"))
  full_guest.wait_for(stack, { "up" })
  ok(tonumber(inside(stack, "stat -f -c %b /usr/share/base-files")) > 1.5 * small)
  equal(inside(stack, "cd /usr/share/base-files && cat * | sha256sum; cat /proc/sys/kernel/random/boot_id"), before)
end

local function device_comes(stack, device)
  stack:write(yaml(XFS .. "\n      - disk:/srv/disk", ("  logs: {size: 800M, fs: xfs}\n  disk: {device: %s}"):format(device)))
  full_guest.wait_for(stack, { "up" })
  equal(kind(stack, "/srv/disk"), "ext4")
  local busy, _, code = fs.open(device, { read = true, exclusive = true })
  equal({ busy, code }, { nil, "EBUSY" })
  return inside(stack, "sudo sh -c 'dd if=/dev/urandom of=/srv/disk/bytes bs=1M count=8 2>/dev/null; sync'; "
    .. "sha256sum </srv/disk/bytes")
end

-- Not a launch: the seed is the one it was started with.
local function guest_reboots(stack)
  local boot = inside(stack, "cat /proc/sys/kernel/random/boot_id")
  stack:run { "exec", "db-0", "--", "sudo", "systemctl", "reboot" }
  stack:eventually("the guest is up again", function()
    local said = stack:run({ "exec", "db-0", "--", "cat", "/proc/sys/kernel/random/boot_id" }, { timeout_ms = full_guest.BOOT_MS })
    return said.status == 0 and said.stdout:match("%S+") ~= boot
  end, full_guest.BOOT_MS)
  stack:eventually("its volumes are mounted", function() return kind(stack, "/usr/share/base-files") == "xfs" end,
    full_guest.BOOT_MS)
end

test("volumes of Debian: filled, XFS, grown, a disk of the host, and all of them after a reboot of the guest alone", function()
  full_guest.only_when_all_is_asked_for()
  if host.uid() ~= 0 then skip "only root makes block devices" end
  local stack <close> = stack_.new { yaml = yaml(), image = stack_.image("debian") }
  files.write(stack.directory .. "/disk.raw", "")
  assert(fs.truncate(stack.directory .. "/disk.raw", 64 * MIB))
  local made = run_tool { "losetup", "--find", "--show", stack.directory .. "/disk.raw" }
  if made.status ~= 0 then skip("no block device can be made here: " .. made.stderr:match "[^\n]*") end
  local device = made.stdout:match "%S+"
  local _gone <close> = setmetatable({}, { __close = function() run_tool { "losetup", "--detach", device } end })
  first_boot(stack)
  xfs_comes_and_grows(stack)
  local sum = device_comes(stack, device)
  guest_reboots(stack)
  equal({ kind(stack, "/srv/disk"), inside(stack, "sha256sum </srv/disk/bytes") }, { "ext4", sum })
  full_guest.wait_for(stack, { "down", "-v", "--purge" })
  equal(run_tool({ "e2fsck", "-fn", device }).status, 0)
end, { timeout_ms = 4 * full_guest.BOOT_MS })
