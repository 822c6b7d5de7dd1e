-- Faults that a tool of this kind can have, in what it puts into guests; docs/internals.md lists them. Each test is named
-- after one. Shells run the seed's scripts, Python's YAML reads the user-data, sshd stands for a guest.
local compose_health = require "holos.compose.health"
local cloudinit = require "holos.plan.seed.cloudinit"
local fake_guest = require "tests.support.fake_guest"
local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local health = require "holos.run.health"
local instead = require "tests.support.instead"
local remote = require "holos.run.remote"
local seed_spec = require "tests.support.seed_spec"
local sshd = require "tests.support.sshd"
local tool = require "tests.support.tool"
local world = require "holos.run.world"

local MIB = 1 << 20

local function guest_with(mounts, runcmd)
  local guest = fake_guest.new(tmpdir(), tool.find "dash")
  local spec = seed_spec.new("plain", { mounts = {}, console_login = "none" })
  spec.cloud_init = { runcmd = runcmd or { "true" }, write_files = {}, packages = {}, bootcmd = {} }
  for i, name in ipairs(mounts) do
    spec.mounts[i] = { kind = "volume", volume = name, serial = "vol-" .. name, target = guest:path("srv/" .. name),
      read_only = false }
  end
  return guest, spec
end

-- What cloud-init does after bootcmd it finds in keys of their own; nothing that mounts may be there.
local AFTER_BOOTCMD = [[
import sys, yaml
config = yaml.safe_load(sys.stdin.read())
bootcmd = config.pop("bootcmd")
print(len(bootcmd), "boot.sh" in str(bootcmd), "packages" in config, "mount" in str(config), "runcmd" in config)
]]

test("A5: volumes are mounted before any package is installed and any command run, in every kind of guest", function()
  for _, os in ipairs { "systemd", "openrc" } do
    local spec = seed_spec.new(os)
    local result = run_tool({ "python3", "-c", AFTER_BOOTCMD }, { stdin = cloudinit.user_data(spec, seed_spec.KEYS) })
    equal({ result.stdout, result.stderr }, { "1 True True False False\n", "" }, os)
  end
  local guest, spec = guest_with({ "data" }, { "true" })
  spec.cloud_init.runcmd = { "echo the first command >>" .. guest:path "called" }
  guest:add_disk("vdc", "vol-data", 4 * MIB, { [0] = "x" })
  guest:insert(spec)
  guest:run "boot.sh"
  equal(guest:run("first.sh").status, 0)
  local called = guest:read "called"
  local mounted = called:find(("mount -o rw %s %s\n"):format(guest:path "dev/vdc", guest:path "srv/data"), 1, true)
  local command = called:find("the first command", 1, true)
  ok(mounted and command and mounted < command, called)
end)

test("A5: no command runs on a place whose volume is not there", function()
  local guest, spec = guest_with { "data" }
  spec.cloud_init.runcmd = { "echo written >" .. guest:path "srv/here" }
  guest:insert(spec)
  guest:run "boot.sh"
  equal(guest:run("first.sh").status, 1)
  ok(not fs.lstat(guest:path "srv/here"))
end)

test("A6: a volume that cannot be mounted keeps none of the others from being mounted, and is told by its name", function()
  local guest, spec = guest_with { "missing", "broken", "good", "last" }
  for i, name in ipairs { "broken", "good", "last" } do
    guest:add_disk("vd" .. ("cde"):sub(i, i), "vol-" .. name, 4 * MIB, { [0] = "x" })
  end
  local function mount(device, name)
    return ("mount -o rw %s %s"):format(guest:path("dev/" .. device), guest:path("srv/" .. name))
  end
  guest:write("fails", mount("vdc", "broken") .. "\n")
  guest:insert(spec)
  equal(guest:run("boot.sh").status, 0)
  local called, told = guest:read "called", table.concat(guest:report(), "\n")
  for device, name in pairs { vdd = "good", vde = "last" } do ok(called:find(mount(device, name) .. "\n", 1, true), called) end
  for _, name in ipairs { "missing", "broken" } do ok(told:find("mount volume " .. name, 1, true), told) end
  ok(not told:find("mount volume good", 1, true) and not told:find("mount volume last", 1, true), told)
end)

test("A6: a command of the user's that ends its shell ends none of the boot's own work", function()
  local guest, spec = guest_with { "data" }
  spec.cloud_init.bootcmd = { "exit 1" }
  guest:add_disk("vdc", "vol-data", 4 * MIB, { [0] = "x" })
  guest:insert(spec)
  guest:run "boot.sh"
  ok(guest:read("called"):find("srv/data\n", 1, true), guest:read "called")
  ok(table.concat(guest:report(), "\n"):find("ready", 1, true))
end)

local WORD = "correct horse battery staple"

--- The files below a directory that hold the secret.
local function holders(directory)
  local found = {}
  for _, file in ipairs(files.below(directory, ".")) do
    if (files.read(file) or ""):find(WORD, 1, true) then found[#found + 1] = file:sub(#directory + 2) end
  end
  return found
end

test("A13: a secret is in memory only, for its owner only, and is in no user-data, log or book of the guest", function()
  local guest, spec = guest_with {}
  local source, digest = tmpdir() .. "/word", hash.sha256(WORD)
  files.write(source, WORD)
  spec.secrets = { { key = "word", target = "/run/secrets/word", uid = "0", gid = "0", mode = 256, digest = digest } }
  guest:write("proc/mounts", ("holos-secrets %s ramfs rw 0 0\n"):format(guest:path "run/secrets"))
  guest:insert(spec, { [digest] = source })
  guest:run "boot.sh"
  equal(guest:run("first.sh").status, 0)
  equal(holders(guest.root), { "run/holos/seed/holos/secrets/1", "run/secrets/word" })
  equal(fs.stat(guest:path "run/secrets/word").mode & 511, 256)
  for _, os in ipairs { "systemd", "openrc" } do
    local cloud = seed_spec.new(os, { secrets = spec.secrets })
    ok(not cloudinit.user_data(cloud, seed_spec.KEYS):find(WORD, 1, true))
  end
  ok(cloudinit.BOOT:find("chmod 700 /run/holos;", 1, true), "others than root may look into the mounted seed")
end)

test("A13: without memory to put it in, a secret is not put anywhere", function()
  local guest, spec = guest_with {}
  local source = tmpdir() .. "/word"
  files.write(source, WORD)
  spec.secrets = { { key = "word", target = "/run/secrets/word", uid = "0", gid = "0", mode = 256, digest = "d" } }
  guest:write("proc/mounts", ("/dev/vdz %s ext4 rw 0 0\n"):format(guest:path "run/secrets"))
  guest:insert(spec, { d = source })
  guest:run "boot.sh"
  equal(holders(guest.root), { "run/holos/seed/holos/secrets/1" })
  ok(table.concat(guest:report(), "\n"):find("failed", 1, true))
end)

-- What the file says, and the status of the check that comes of it.
local CHECKS = {
  { { "CMD", "test", "a b", "=", "a b" }, 0 }, { { "CMD", "test", "$HOME", "=", "$HOME" }, 0 }, { { "CMD", "false" }, 1 },
  { { "test", "a b", "=", "a b" }, 0 }, { { "CMD-SHELL", "[ -n \"$HOME\" ] && exit 7" }, 7 }, { "true && exit 3", 3 },
}

test("B17: the forms of a check mean what they mean in Docker", function()
  sshd.openssh({}, function(server)
    local _target <close> = instead(remote, { target = function() return server:target() end })
    for number, check in ipairs(CHECKS) do
      local spec = { healthcheck = { test = assert(compose_health.parse_test(check[1])), timeout_ms = 20000 } }
      equal(health.check(world, {}, spec, {}).exit, check[2], number)
    end
  end)
  equal(compose_health.is_wanted { test = assert(compose_health.parse_test { "NONE" }) }, false)
end)
