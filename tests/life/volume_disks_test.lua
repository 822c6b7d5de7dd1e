-- Volumes that are no files of the project's own: disks and directories of the host, volumes of other projects; and who may
-- have one.
local blank = require "holos.run.blank"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local instead = require "tests.support.instead"
local json = require "sys.json"
local prepare = require "holos.use.prepare"
local project_ = require "holos.use.project"
local stack_ = require "tests.support.stack"
local world = require "holos.run.world"

local MIB = 1 << 20
local SERVICE = "{image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, volumes: [%s], vm: {memory_mb: %d}}"

local function yaml(name, services, volumes, memory_mib)
  local lines = { "name: " .. name, "services:" }
  for key, mounts in pairs(services) do lines[#lines + 1] = ("  %s: %s"):format(key, SERVICE:format(mounts, memory_mib or 512)) end
  return table.concat(lines, "\n") .. ("\nvolumes: {%s}\n"):format(volumes or "")
end

--- A file of zeros, but for what is put at offsets.
local function disk(stack, name, bytes)
  files.write(stack.directory .. "/" .. name, "")
  assert(fs.truncate(stack.directory .. "/" .. name, 4 * MIB))
  local file <close> = assert(io.open(stack.directory .. "/" .. name, "r+b"))
  for offset, text in pairs(bytes or {}) do
    file:seek("set", offset)
    file:write(text)
  end
end

-- What the guest is told to do with the volume data.
local function told(stack, project, instance)
  local seed = assert(fs.read(("%s/instances/%s/%s/seed.iso"):format(stack.state, project, instance), { max_bytes = 16 * MIB }))
  return seed:match("holos_attempt 'mount volume data' (holos_mount_volume [^\n]*)")
end

test("a file is a disk as it is: never formatted unless all of it is zeros, never removed", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw, fs: xfs}"))
  local missing = stack:expect({ "up" }, 2)
  ok(missing.stderr:find("volumes.data.device: " .. stack.directory .. "/disk.raw does not exist", 1, true), missing.stderr)
  disk(stack, "disk.raw", { [2 * MIB + 12345] = "x" }) -- beyond where a guest looks
  ok(stack:expect({ "plan" }).stdout:find("  · volume data  as it is   ./disk.raw, 4 MiB, has data ", 1, true))
  stack:expect { "up" }
  equal(told(stack, "pair", "db-0"), "holos_mount_volume vol-data /data rw - /data")
  local args = stack:expect({ "args", "db-0" }).stdout
  ok(args:find("driver=raw,node-name=vol-data,file=vol-data-file,read-only=off", 1, true), args)
  ok(stack:expect({ "validate" }).stdout:find("uses +%./disk%.raw +formatted only where all of it is zeros"))
  stack:expect { "down", "-v" }
  disk(stack, "disk.raw")
  local planned = stack:expect({ "plan" }).stdout
  ok(planned:find("  ~ volume data  format xfs   ./disk.raw, 4 MiB, is blank ", 1, true), planned)
  ok(stack:expect({ "up" }).stderr:find("~ volume data  format xfs", 1, true))
  equal(told(stack, "pair", "db-0"), "holos_mount_volume vol-data /data rw xfs /data")
  equal(stack:expect({ "plan" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
  stack:expect { "down", "-v", "--purge" }
  ok(fs.stat(stack.directory .. "/disk.raw"))
end)

test("a plan for programs says of each disk of the host whether it is to be formatted", function()
  local mounts = '"data:/data", "old:/old", "seen:/seen:ro"'
  local stack <close> = stack_.on_fake(yaml("pair", { db = mounts },
    "data: {device: ./disk.raw}, old: {device: ./old.raw}, seen: {device: ./seen.raw}"))
  disk(stack, "disk.raw")
  disk(stack, "old.raw", { [0x438] = "\x53\xef" })
  disk(stack, "seen.raw")
  local planned_text = stack:expect({ "plan", "--format", "json" }).stdout
  ok(planned_text:find('"after":[]', 1, true) and not planned_text:find('"after":{}', 1, true), planned_text)
  local planned, found = assert(json.decode(planned_text, {})), {}
  for _, row in ipairs(planned.rows) do
    local at = row.disk
    if at then found[#found + 1] = { row.mark, row.name, at.path:match "[^/]+$", at.content, at.fs or "-" } end
  end
  equal(found, { { "~", "volume data", "disk.raw", "blank", "ext4" }, { "·", "volume old", "old.raw", "data", "-" },
    { "·", "volume seen", "seen.raw", "blank", "-" } })
end)

-- As a command of this stack would; its environment names the stand-in for QEMU.
local function here(stack)
  local env = world.host.env
  return instead(world.host, { env = function(name) return name == "HOLOS_QEMU_SYSTEM" and stack.qemu or env(name) end })
end

test("a disk of the host is read once for a command, however often that plans", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw}"))
  disk(stack, "disk.raw")
  local _env <close>, reads, look = here(stack), 0, blank.look
  local _look <close> = instead(blank, { look = function(...)
    reads = reads + 1
    return look(...)
  end })
  local options = { file = { stack.directory .. "/holos.yaml" }, state_dir = stack.state, arguments = {} }
  local context = project_.from_file(world, options)
  local row
  for _ = 1, 3 do row = prepare.make(context, {}).plan.rows[1] end
  equal({ reads, row.disk.content }, { 1, "blank" })
  disk(stack, "disk.raw", { [MIB] = "x" })
  equal(prepare.make(project_.from_file(world, options), {}).plan.rows[1].disk.content, "data") -- the next command reads anew
end)

test("a large disk with holes is blank at once, and one byte at its end is found at once", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw}"))
  disk(stack, "disk.raw")
  local made, message = fs.truncate(stack.directory .. "/disk.raw", 1 << 40)
  if not made then skip("no file of 1 TiB can be made here: " .. message) end
  stack:expect({ "up" }, 0, { timeout_ms = 60000 })
  equal(told(stack, "pair", "db-0"), "holos_mount_volume vol-data /data rw ext4 /data")
  stack:expect { "stop" }
  local file <close> = assert(io.open(stack.directory .. "/disk.raw", "r+b"))
  file:seek("set", (1 << 40) - 1)
  file:write("x")
  file:flush()
  stack:expect({ "up" }, 0, { timeout_ms = 60000 })
  equal(told(stack, "pair", "db-0"), "holos_mount_volume vol-data /data rw - /data")
end)

test("a disk is one disk by whatever path, in one file and across projects", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"', web = '"more:/data"' },
    "data: {device: ./disk.raw}, more: {device: ./link.raw}"))
  disk(stack, "disk.raw")
  assert(fs.symlink("disk.raw", stack.directory .. "/link.raw"))
  assert(fs.link(stack.directory .. "/disk.raw", stack.directory .. "/hard.raw"))
  local twice = stack:expect({ "up" }, 2)
  ok(twice.stderr:find(("volumes.more.device: %s/link.raw is volume data too, which names it %s/disk.raw"):format(stack.directory,
    stack.directory), 1, true), twice.stderr)
  stack:write(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw}"))
  stack:expect { "up" }
  for _, name in ipairs { "link.raw", "hard.raw" } do
    files.write(stack.directory .. "/other.yaml", yaml("other", { web = '"more:/data"' }, ("more: {device: ./%s}"):format(name)))
    local refused = stack:expect({ "-f", "other.yaml", "up" }, 3)
    ok(refused.stderr:find(("volume more: in use by db-0 of project pair as %s/disk.raw, the same disk as %s/%s"):format(
      stack.directory, stack.directory, name), 1, true), refused.stderr)
  end
  equal(#stack:pids(), 1)
end)

test("guests follow the sizes of volumes that the project made, and of no others", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data", "own:/own"' }, "data: {device: ./disk.raw}, own: {}"))
  disk(stack, "disk.raw")
  stack:expect { "up" }
  local seed = assert(fs.read(stack.state .. "/instances/pair/db-0/seed.iso", { max_bytes = 16 * MIB }))
  ok(seed:find("'grow volume own'", 1, true) and not seed:find("'grow volume data'", 1, true))
end)

test("a volume that a machine of another project has does not grow below it", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {size: 64M}"))
  stack:expect { "up", "--no-start" }
  files.write(stack.directory .. "/other.yaml",
    yaml("other", { web = '"theirs:/srv"' }, "theirs: {external: true, name: pair_data}"))
  stack:expect { "-f", "other.yaml", "up" }
  stack:write(yaml("pair", { db = '"data:/data"' }, "data: {size: 96M}"))
  local refused = stack:expect({ "up", "--no-start" }, 3)
  ok(refused.stderr:find("in use by web-0 of project other", 1, true), refused.stderr)
  stack:expect { "-f", "other.yaml", "stop" }
  stack:expect { "up", "--no-start" }
end)

test("a file that is no whole number of sectors, or empty, is refused by its name", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw}"))
  for text, message in pairs { [""] = "disk.raw is empty", [("x"):rep(513)] = "disk.raw has 513 bytes; a disk has" } do
    files.write(stack.directory .. "/disk.raw", text)
    local refused = stack:run { "up" }
    ok(refused.status ~= 0 and refused.stderr:find(message, 1, true), refused.stderr)
  end
end)

test("a block device is a disk; one that is mounted on the host is not taken", function()
  if host.uid() ~= 0 then skip "only root makes block devices" end
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {driver_opts: {type: ext4, device: DEVICE}}"))
  disk(stack, "disk.raw")
  local made = run_tool { "losetup", "--find", "--show", stack.directory .. "/disk.raw" }
  if made.status ~= 0 then skip("no block device can be made here: " .. made.stderr:match "[^\n]*") end
  local device = made.stdout:match "%S+"
  local _gone <close> = setmetatable({}, { __close = function() run_tool { "losetup", "--detach", device } end })
  stack:write((yaml("pair", { db = '"data:/data"' }, "data: {driver_opts: {type: ext4, device: DEVICE}}"):gsub("DEVICE", device)))
  stack:expect { "up" }
  equal(told(stack, "pair", "db-0"), "holos_mount_volume vol-data /data rw ext4 /data")
  ok(stack:expect({ "args", "db-0" }).stdout:find("driver=host_device,node-name=vol-data-file", 1, true))
  -- Another node of it is the same device.
  local number = tonumber(device:match "%d+$")
  equal(run_tool({ "mknod", stack.directory .. "/node", "b", "7", ("%d"):format(number) }).status, 0)
  equal(fs.stat(stack.directory .. "/node").id, fs.stat(device).id)
  -- While the machine has it, nobody on the host can mount it.
  local claimed, _, code = fs.open(device, { read = true, exclusive = true })
  equal({ claimed, code }, { nil, "EBUSY" })
  stack:expect { "stop" }
  local in_use <close> = assert(fs.open(device, { read = true, exclusive = true })) -- as a mount has it
  local refused = stack:run { "start" }
  ok(refused.status ~= 0 and refused.stderr:find(device .. " is in use by this host", 1, true), refused.stderr)
  equal(in_use:fileno() >= 0, true)
end)

test("driver_opts of Docker that bind a directory share it", function()
  local stack <close> = stack_.on_fake ""
  assert(fs.mkdir_all(stack.directory .. "/www", tonumber("755", 8)))
  stack:write(yaml("pair", { db = '"data:/data"' }, ("data: {driver_opts: {type: none, o: 'bind,ro', device: %s/www}}"):format(
    stack.directory)))
  stack:expect { "up" }
  ok(stack:expect({ "args", "db-0" }).stdout:find("mount_tag=share0", 1, true))
  ok(stack:expect({ "validate" }).stdout:find("shares +%./www +read%-only"))
  ok(not fs.stat(stack.state .. "/volumes/pair/data.qcow2"))
end)

test("an external volume is that of another project, which keeps it", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {size: 64M}"))
  files.write(stack.directory .. "/other.yaml",
    yaml("other", { web = '"theirs:/srv"' }, "theirs: {external: true, name: pair_data}"))
  local function other(words, status) return stack:expect({ "-f", "other.yaml", table.unpack(words) }, status) end
  local absent = stack:run { "-f", "other.yaml", "up" }
  ok(absent.status ~= 0 and absent.stderr:find('there is no volume "pair_data"', 1, true), absent.stderr)
  stack:expect { "up" }
  local refused = other({ "up" }, 3)
  ok(refused.stderr:find("volume pair_data: in use by db-0 of project pair", 1, true), refused.stderr)
  stack:expect { "stop" }
  other { "up" }
  equal(#stack:pids(), 1)
  ok(other({ "up", "--dry-run", "--force-recreate" }).stdout:find(
    "  ~ volume theirs (pair_data)  format ext4   ./state/volumes/pair/data.qcow2, 64 MiB, is blank ", 1, true))
  local back = stack:expect({ "up" }, 3)
  ok(back.stderr:find("volume data: in use by web-0 of project other", 1, true), back.stderr)
  local held = stack:expect({ "down", "-v" }, 3)
  ok(held.stderr:find("volume data is also that of web-0 of project other", 1, true), held.stderr)
  local kept = fs.stat(stack.state .. "/volumes/pair/data.qcow2").inode
  other { "down", "-v", "--purge" }
  equal(fs.stat(stack.state .. "/volumes/pair/data.qcow2").inode, kept)
  stack:expect { "down", "-v" }
  ok(not fs.stat(stack.state .. "/volumes/pair/data.qcow2"))
end)

test("a volume of its own that the file calls external stays when down takes the others", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {size: 64M}, logs: {size: 64M}"))
  stack:expect { "up" }
  stack:write(yaml("pair", { db = '"data:/data"' }, "data: {external: true}, logs: {size: 64M}"))
  stack:expect { "up" }
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
  ok(stack:expect({ "down", "-v" }).stderr:find("volume data", 1, true))
  equal({ fs.stat(stack.state .. "/volumes/pair/data.qcow2") ~= nil, fs.stat(stack.state .. "/volumes/pair/logs.qcow2") ~= nil },
    { true, false })
  stack:expect { "up" }
end)

test("a machine waits for the one that gives its volume up; one that keeps it is a refusal", function()
  local stack <close> = stack_.on_fake(yaml("pair", { old = '"data:/data"', new = "" }, "data: {size: 64M}"))
  stack:expect { "up" }
  stack:write(yaml("pair", { old = "", new = '"data:/data"' }, "data: {size: 64M}", 600)) -- so that both are restarted
  stack:expect { "up" }
  stack:write(yaml("pair", { third = '"data:/data"' }, "data: {size: 64M}"))
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("third-0: volume data: in use by new-0", 1, true), refused.stderr)
  ok(not fs.stat(stack.state .. "/instances/pair/third-0"))
  stack:expect { "up", "--remove-orphans" }
  equal(#stack:pids(), 1)
end)

-- As a disk that takes long to be read.
local SLOW = [[
holos.override("holos.run.blank", "look", function(base, world, disk, options)
  if options.tell then options.tell { done_bytes = 1 << 20, total_bytes = 4 << 20, bytes_per_s = 1 << 20, eta_ms = 3000 } end
  return base(world, disk, options)
end)
return require "holos.main" { ... }
]]

test("up tells how far the reading of a disk is", function()
  local stack <close> = stack_.on_fake(yaml("pair", { db = '"data:/data"' }, "data: {device: ./disk.raw}"))
  disk(stack, "disk.raw")
  files.write(stack.directory .. "/slow.lua", SLOW)
  local said = stack:expect({ "lua", stack.directory .. "/slow.lua", "--progress", "tty", "up" }).stderr
  ok(said:find("db-0  reading " .. stack.directory .. "/disk.raw: 25%", 1, true), said)
end)
