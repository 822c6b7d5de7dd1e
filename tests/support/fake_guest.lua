--- Runs the scripts of a seed on this machine, in a directory that stands for a guest: every place that they touch is
--- put below it, and the programs that would change a real system are only recorded. Effects: below that directory.
local fs = require "sys.fs"
local host = require "sys.host"
local seed = require "holos.plan.seed"
local seed_spec = require "tests.support.seed_spec"
local tool = require "tests.support.tool"

local M = {}
M.__index = M

local PLACES = { "/run/", "/var/lib/", "/var/log/", "/proc/sys/", "/etc/ho", "/etc/environment.d", "/etc/profile",
  "/etc/resolv.conf", "/etc/init.d", "/etc/passwd", "/proc/mounts", "/dev/${", "/dev/shm", "/dev/console" }
local EXECUTABLE = tonumber("755", 8)
-- Instead of these programs functions run that say so in the file called, and fail when the file fails has the same line.
-- Programs on PATH would not do: busybox's shell takes its own.
local RECORDED = { "mount", "umount", "modprobe", "hostname", "systemctl", "sync", "kill", "poweroff", "ip", "busybox" }

local function plain_gsub(text, from, to)
  return (text:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%"))))
end

--- The script as it is, but for where it looks, and a report port that is a plain file.
function M:adapt(script)
  for _, place in ipairs(PLACES) do script = plain_gsub(script, place, self.root .. place) end
  script = plain_gsub(script, '"/sys/', '"' .. self.root .. "/sys/")
  script = plain_gsub(script, " /sys/", " " .. self.root .. "/sys/")
  script = plain_gsub(script, "PATH=/usr/local", self:recorders() .. ("PATH=%s/bin:/usr/local"):format(self.root))
  script = plain_gsub(script, '[ -c "$holos_port" ]', '[ -e "$holos_port" ]')
  return plain_gsub(script, '>"$holos_port"', '>>"$holos_port"')
end

function M:recorders()
  local lines = {}
  for i, name in ipairs(RECORDED) do
    lines[i] = ('NAME() { echo "NAME $*" >>ROOT/called; ! grep -qxF "NAME $*" ROOT/fails 2>/dev/null; }\n')
      :gsub("%u%u+", { NAME = name, ROOT = self.root })
  end
  return table.concat(lines)
end

function M:path(name) return self.root .. "/" .. name end

function M:write(name, text, mode)
  assert(fs.mkdir_all(self:path(name):match("^(.*)/"), EXECUTABLE))
  assert(fs.write_atomic(self:path(name), text, { mode = mode or EXECUTABLE, sync = false }))
end

function M:read(name) return fs.read(self:path(name), { max_bytes = 64 << 20 }) end

--- Puts the seed of a spec into the guest, in place of an older one.
---@param paths table<string, string>?  contents of configs and secrets
function M:insert(spec, paths)
  fs.remove_tree(self:path "run/holos/seed")
  for _, file in ipairs(seed.files(spec, seed_spec.KEYS, seed_spec.HOSTS, paths)) do
    local is_script = file.name:find("%.sh$") and not file.name:find("/steps/", 1, true)
    local data = file.data or assert(fs.read(file.path, { max_bytes = 1 << 20 }))
    self:write("run/holos/seed/" .. file.name, is_script and self:adapt(data) or data)
  end
end

--- A disk of the guest: bytes at offsets, zeros between.
function M:add_disk(device, serial, size_bytes, bytes)
  self:write("sys/block/" .. device .. "/serial", serial .. "\n")
  self:write("sys/block/" .. device .. "/size", (size_bytes // 512) .. "\n")
  local disk <close> = assert(io.open(self:path("dev/" .. device), "wb"))
  assert(fs.truncate(self:path("dev/" .. device), size_bytes))
  for offset, text in pairs(bytes or {}) do
    disk:seek("set", offset)
    disk:write(text)
  end
end

--- Runs boot.sh or first.sh. Gives the tool's result. Root runs it where neither a mount nor a host name would reach
--- this machine, should a script get past the functions.
function M:run(script)
  local argv = host.uid() == 0 and { "unshare", "--mount", "--uts", "--" } or {}
  argv[#argv + 1] = self:path "bin/sh"
  argv[#argv + 1] = self:path("run/holos/seed/holos/" .. script)
  return tool.run(argv, { timeout_ms = 60000 })
end

--- The lines of the report since the last call.
function M:report()
  local text = self:read "dev/vport1p1"
  self:write("dev/vport1p1", "")
  local lines = {}
  for line in text:gmatch("holos1 ([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

--- A guest below `root`, whose shell is `shell`: the full path of dash, busybox or bash.
function M.new(root, shell)
  local guest = setmetatable({ root = root }, M)
  assert(fs.mkdir_all(root .. "/bin", EXECUTABLE))
  guest:write("sys/class/virtio-ports/vport1p1/name", "org.holos.report\n")
  guest:write("dev/vport1p1", "")
  guest:write("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n")
  guest:write("run/holos/boot.log", "")
  guest:write("etc/hosts", "127.0.0.1 localhost\n")
  assert(fs.symlink(shell, guest:path "bin/sh"))
  guest:write("bin/rc-service", ('#!/bin/sh\necho "rc-service $*" >>%s/called\n'):format(root))
  return guest
end

return M
