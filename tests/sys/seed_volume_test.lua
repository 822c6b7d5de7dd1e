-- Volumes in a guest, judged by shells: file systems that follow their disks, kinds of file systems, what is formatted.

local fake_guest = require "tests.support.fake_guest"
local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local live = require "holos.plan.seed.live"
local seed_spec = require "tests.support.seed_spec"
local tool = require "tests.support.tool"

local MIB = 1 << 20
local SHELLS = files.environment("HOLOS_TESTS") == "all" and { "dash", "busybox", "bash" } or { "dash", "busybox" }

--- A guest with one volume at srv/data.
local function guest_with(shell, mount)
  local guest = fake_guest.new(tmpdir(), tool.find(shell))
  local spec = seed_spec.new("plain", { console_login = "none" })
  spec.cloud_init = { runcmd = {}, write_files = {}, packages = {}, bootcmd = {} }
  spec.mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = guest:path "srv/data", read_only = false } }
  for key, value in pairs(mount or {}) do spec.mounts[1][key] = value end
  guest:insert(spec)
  return guest
end

--- A program of the guest that says in the file `called` how it was called, and ends with `status`.
local function stand_in(guest, name, status)
  guest:write("bin/" .. name, ('#!/bin/sh\necho "%s $*" >>%s/called\nexit %d\n'):format(name, guest.root, status or 0))
end

local function has_mounted(guest, kind)
  guest:write("proc/mounts", ("%s %s %s rw 0 0\n"):format(guest:path "dev/vdc", guest:path "srv/data", kind))
end

-- What was called of these since the last look; the guest is ROOT there.
local function calls(guest, ...)
  local said, found = guest:read "called" or "", {}
  guest:write("called", "")
  for line in said:gmatch("[^\n]+") do
    for _, name in ipairs { ... } do
      if line:find(name, 1, true) == 1 then found[#found + 1] = (line:gsub(guest.root:gsub("%p", "%%%0"), "ROOT")) end
    end
  end
  return found
end

for _, shell in ipairs(SHELLS) do
  test("a file system grows once with its disk, at the boot that finds it larger, with " .. shell, function()
    for kind, call in pairs { ext4 = "resize2fs ROOT/dev/vdc", xfs = "xfs_growfs ROOT/srv/data" } do
      local guest = guest_with(shell)
      guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
      has_mounted(guest, kind)
      stand_in(guest, "resize2fs")
      stand_in(guest, "xfs_growfs")
      for _, wanted in ipairs { { call }, {} } do
        guest:run "boot.sh"
        equal(calls(guest, "resize2fs", "xfs_growfs"), wanted)
      end
      guest:write("sys/block/vdc/size", "32768\n")
      for _, wanted in ipairs { { call }, {} } do
        guest:run "boot.sh"
        equal(calls(guest, "resize2fs", "xfs_growfs"), wanted)
      end
      equal(guest:report(), { "boot", "ready", "boot", "ready", "boot", "ready", "boot", "ready" })
    end
  end)

  test("one that does not grow is told, keeps nothing from starting, and is tried at the next boot, with " .. shell, function()
    local guest = guest_with(shell)
    guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
    has_mounted(guest, "ext4")
    stand_in(guest, "resize2fs")
    guest:run "boot.sh"
    guest:write("sys/block/vdc/size", "32768\n")
    stand_in(guest, "resize2fs", 3)
    for _ = 1, 2 do
      guest:report()
      guest:run "boot.sh"
      equal(guest:report(), { "boot", "failed 0 1 grow volume data", "ready" })
      equal(fs.stat(guest:path "run/holos/trouble"), nil)
    end
    equal(guest:run("first.sh").status, 0)
    stand_in(guest, "resize2fs")
    guest:run "boot.sh"
    ok(not table.concat(guest:report(), "\n"):find "grow volume")
  end)

  test("a guest without the tool says so when its disk has grown, and not before, with " .. shell, function()
    local guest = guest_with(shell)
    guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
    has_mounted(guest, "xfs") -- nobody has xfs_growfs where these tests run, or it fails on what is no mount
    guest:run "boot.sh"
    equal(guest:report(), { "boot", "ready" })
    guest:write("sys/block/vdc/size", "32768\n")
    guest:run "boot.sh"
    ok(table.concat(guest:report(), "\n"):find("failed 0 1 grow volume data", 1, true))
  end)

  test("a volume is formatted as its file says; without mkfs.xfs the guest says what it needs, with " .. shell, function()
    local guest = guest_with(shell, { fs = "xfs" })
    guest:add_disk("vdc", "vol-data", 8 * MIB)
    local before = hash.sha256(guest:read "dev/vdc")
    if tool.find "mkfs.xfs" then skip "this machine has mkfs.xfs, so its guest has it too" end
    guest:run "boot.sh"
    ok(table.concat(guest:report(), "\n"):find("it needs the package xfsprogs in its image, or fs: ext4", 1, true))
    equal(hash.sha256(guest:read "dev/vdc"), before)
    stand_in(guest, "mkfs.xfs")
    guest:run "boot.sh"
    equal(calls(guest, "mkfs.xfs", "mount", "modprobe xfs"), { "modprobe xfs", "modprobe xfs", "mkfs.xfs -q -f ROOT/dev/vdc",
      "mount -o rw ROOT/dev/vdc ROOT/srv/data" })
    equal(guest:report(), { "boot", "ready" })
  end)

  test("after an mkfs that failed what was written since is not formatted; a killed one is run again, with " .. shell, function()
    for _, case in ipairs { { 1, {} }, { 127, {} }, { 137, { "mkfs.ext4 -q -F ROOT/dev/vdc" } } } do
      local guest = guest_with(shell)
      guest:add_disk("vdc", "vol-data", 8 * MIB)
      stand_in(guest, "mkfs.ext4", case[1])
      guest:run "boot.sh"
      equal(calls(guest, "mkfs"), { "mkfs.ext4 -q -F ROOT/dev/vdc" })
      ok(table.concat(guest:report(), "\n"):find("failed 0 1 mount volume data", 1, true))
      guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "what no tool knows" })
      guest:write("fails", ("mount -o rw %s %s\n"):format(guest:path "dev/vdc", guest:path "run/holos/filled"))
      stand_in(guest, "mkfs.ext4")
      guest:run "boot.sh"
      equal(calls(guest, "mkfs"), case[2])
    end
  end)

  test("only the machine that began to fill a volume ends that; others do not take it, with " .. shell, function()
    for _, case in ipairs { { true, {} }, { true, { nocopy = true } }, { false, {} }, { false, { read_only = true } } } do
      local guest = guest_with(shell, case[2])
      local is_own, fills = case[1], case[1] and not case[2].nocopy
      guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
      guest:write("srv/data/of the image", "x")
      if is_own then guest:write("var/lib/holos/making/vol-data", "ext4\n") end
      for _, place in ipairs { "run/holos/filled", not fills and "srv/data" or nil } do
        guest:write(place .. "/.holos-filling", "")
      end
      guest:run "boot.sh"
      equal(guest:read "run/holos/filled/of the image", fills and "x" or nil)
      equal(fs.lstat(guest:path "run/holos/filled/.holos-filling") == nil, fills)
      equal(fs.lstat(guest:path "var/lib/holos/making/vol-data") ~= nil, is_own and not fills)
      local said, last = table.concat(guest:report(), "\n"), calls(guest, "mount", "umount")
      equal(said:find("mount volume data", 1, true) == nil, fills)
      equal(guest:read("run/holos/boot.log"):find("delete .holos-filling on it", 1, true) == nil, fills)
      equal(last[#last], fills and "mount -o rw ROOT/dev/vdc ROOT/srv/data" or "umount ROOT/srv/data")
    end
  end)

  test("the books say that a volume is being made, from before mkfs until it is filled, with " .. shell, function()
    local guest = guest_with(shell)
    guest:add_disk("vdc", "vol-data", 8 * MIB)
    guest:write("srv/data/of the image", "x")
    guest:write("bin/mkfs.ext4", ('#!/bin/sh\necho "mkfs beside $(ls %s)" >>%s/called\n'):format(guest:path "var/lib/holos/making",
      guest.root))
    guest:run "boot.sh"
    local filled = "mount -o rw ROOT/dev/vdc ROOT/run/holos/filled"
    equal(table.move(calls(guest, "mkfs", "sync", "mount", "umount"), 1, 9, 1, {}), { "sync ", "mkfs beside vol-data", "sync ",
      filled, "sync ", "sync ", "umount ROOT/run/holos/filled", "mount -o rw ROOT/dev/vdc ROOT/srv/data", "sync " })
    equal({ guest:read "run/holos/filled/of the image", (fs.lstat(guest:path "var/lib/holos/making/vol-data")) }, { "x" })
  end)

  test("after a power cut a volume that was being made is made, and what others have on it stays, with " .. shell, function()
    local filled = "mount -o rw ROOT/dev/vdc ROOT/run/holos/filled"
    for _, case in ipairs { { "", "x" }, { "lost+found/", "x" }, { "of another" },
      { "", nil, "mkfs.ext4 -q -F ROOT/dev/vdc", true },
      { "", nil, nil, true, { disk = { path = "/dev/sdz", kind = "device", format = "raw" } } },
      { "", nil, nil, true, nil, { [1080] = "S\xEF" } }, { "", nil, nil, true, nil, { [0] = "XFSB" } },
      { "", nil, "mkfs.ext4 -q -F ROOT/dev/vdc", true, nil, { [0] = "XFSB", [126] = "\1" } } } do
      local guest = guest_with(shell, case[5])
      guest:add_disk("vdc", "vol-data", 8 * MIB, case[6] or { [4096] = "half a file system" })
      if not case[4] then guest:write("srv/data/of the image", "x") end
      stand_in(guest, "mkfs.ext4")
      guest:write("var/lib/holos/making/vol-data", "ext4\n")
      if case[1] ~= "" then guest:write("run/holos/filled/" .. case[1]:gsub("/$", "/.keep"), "y") end
      if case[1] == "lost+found/" then fs.remove(guest:path "run/holos/filled/lost+found/.keep") end
      if case[4] then guest:write("fails", (filled:gsub("ROOT", guest.root)) .. "\n") end
      guest:run "boot.sh"
      equal({ calls(guest, "mkfs")[1] or "", guest:read "run/holos/filled/of the image" or "" }, { case[3] or "", case[2] or "" })
      equal((fs.lstat(guest:path "var/lib/holos/making/vol-data")), nil)
    end
  end)

  test("a disk that holos has not made is formatted only when the host knows it to be blank, with " .. shell, function()
    local disk = { path = "/dev/sdz", kind = "device", format = "raw" }
    for _, is_blank in ipairs { false, true } do
      local guest = guest_with(shell, { disk = disk, is_blank = is_blank or nil })
      guest:add_disk("vdc", "vol-data", 8 * MIB)
      local before = hash.sha256(guest:read "dev/vdc")
      guest:run "boot.sh"
      equal(hash.sha256(guest:read "dev/vdc") == before, not is_blank)
    end
  end)

  test("a guest that runs lets its file system follow, once its kernel has heard of the new size, with " .. shell, function()
    local guest = guest_with(shell)
    guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
    has_mounted(guest, "ext4")
    stand_in(guest, "resize2fs")
    local prelude = ("PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\nsleep() { echo 32768 >%s/sys/block/vdc/size; }\n"):format(
      guest.root) -- while we wait the kernel hears of it
    guest:write("grown.sh", guest:adapt(prelude .. live.grown("vol-data", 16 * MIB)))
    local result = tool.run({ guest:path "bin/sh", guest:path "grown.sh" }, { timeout_ms = 60000 })
    equal({ result.status, calls(guest, "resize2fs") }, { 0, { "resize2fs ROOT/dev/vdc" } })
    equal(guest:read "var/lib/holos/volumes/vol-data", "32768\n")
  end)

  test("what is attached while a guest runs is mounted at its boots too, until the seed says so itself, with " .. shell, function()
    local guest = guest_with(shell)
    guest:add_disk("vdc", "vol-data", 8 * MIB, { [0] = "x" })
    guest:add_disk("vdd", "vol-late", 8 * MIB, { [0] = "x" })
    local late = { kind = "volume", volume = "late", serial = "vol-late", target = guest:path "srv/late dir", read_only = false }
    local function run(script)
      guest:write("now.sh", guest:adapt("PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n" .. script))
      return tool.run({ guest:path "bin/sh", guest:path "now.sh" }, { timeout_ms = 60000 })
    end
    local function mounted() return #calls(guest, ("mount -o rw %s/dev/vdd %s/srv/late dir"):format(guest.root, guest.root)) end
    equal(run(live.attach("vol-late", { late })).status, 0)
    equal(mounted(), 1)
    guest:run "boot.sh"
    equal(mounted(), 1)
    guest:write("proc/mounts", ("%s %s/srv/late\\040dir ext4 rw 0 0\n"):format(guest:path "dev/vdd", guest.root))
    equal({ run(live.detach("vol-late", { late })).status, calls(guest, "umount") }, { 0, { "umount ROOT/srv/late dir" } })
    guest:write("proc/mounts", "")
    guest:run "boot.sh"
    equal(mounted(), 0)

    run(live.attach("vol-late", { late })) -- and now its disk goes with the launch, or the seed has it
    fs.remove(guest:path "sys/block/vdd/serial")
    calls(guest)
    guest:run "boot.sh"
    equal({ mounted(), fs.stat(guest:path "var/lib/holos/attached/vol-late") ~= nil }, { 0, false })
    guest:write("var/lib/holos/attached/vol-data", "echo twice >" .. guest:path "twice")
    guest:run "boot.sh"
    equal({ fs.stat(guest:path "var/lib/holos/attached/vol-data") ~= nil, fs.stat(guest:path "twice") ~= nil }, { false, false })
  end)

  test("a place that is in use keeps a volume where it is, with " .. shell, function()
    local guest = guest_with(shell)
    local place = guest:path "srv/data"
    guest:write("proc/mounts", ("%s %s ext4 rw 0 0\n"):format(guest:path "dev/vdc", place))
    guest:write("fails", ("umount %s\n"):format(place))
    guest:write("now.sh", guest:adapt(guest:recorders() .. live.detach("vol-data", { { target = place } })))
    local result = tool.run({ guest:path "bin/sh", guest:path "now.sh" }, { timeout_ms = 60000 })
    equal({ result.status, result.stdout }, { 1, place .. " is in use\n" })
  end)
end
