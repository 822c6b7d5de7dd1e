-- Volumes that a running machine takes and gives up, on the stand-in for QEMU. What its guest is told is kept here, and done
-- by real guests in tests/vm.
local attach = require "holos.run.attach"
local err = require "holos.core.err"
local guest = require "tests.support.attached_guest"
local stack_ = require "tests.support.stack"
local world = require "holos.run.world"

local function yaml(db, volumes, more)
  return ("name: pair\nservices:\n  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, volumes: [%s]%s}\n"
    .. "volumes: {%s}\n"):format(db, more or "", volumes or "data: {size: 64M}, logs: {size: 64M}")
end

local function applied(stack)
  local words = {}
  for _, mount in ipairs(guest.at(stack).now.spec.mounts) do words[#words + 1] = mount.volume .. ":" .. mount.target end
  return table.concat(words, " ")
end

-- As an `up` that does nothing else: the record wants it, and the volumes are there.
local function moved(stack, text)
  stack:write(text)
  stack:run { "up" } -- its guest cannot be reached: the record says what is wanted, and nothing is attached
end

test("a volume is attached live where there is a slot; without a way into the guest nothing is touched", function()
  local stack <close> = stack_.on_fake(yaml "")
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  stack:write(yaml '"data:/data"')
  local plan = stack:expect { "plan" }
  ok(plan.stdout:find("~ db%-0 +live   volumes none → data:/data   %(it runs on%)"), plan.stdout)
  local up = stack:expect({ "up" }, 1)
  ok(up.stderr:find("db-0: nothing was attached, as its guest cannot be told", 1, true), up.stderr)
  equal({ stack:ps()["db-0"].pid, applied(stack), guest.at(stack).now.attached }, { pid, "" })
  ok(stack:expect({ "plan" }).stdout:find("live   volumes none → data:/data", 1, true))
  stack:expect { "stop" }
  stack:expect { "up" }
  equal(applied(stack), "data:/data")
end)

test("what was attached is QEMU's and the guest's, and goes again; what was there at the launch does not", function()
  local stack <close> = stack_.on_fake(yaml '"logs:/logs"')
  stack:expect { "up" }
  moved(stack, yaml '"logs:/logs", "data:/data"')
  guest.with(nil, function(told)
    attach.attach(world, guest.at(stack))
    equal(#told, 2)
    ok(told[2]:find("holos_mount_volume vol-data /data rw ext4 /data", 1, true))
  end)
  local at = guest.at(stack)
  equal({ applied(stack), at.now.attached[1].serial, at.now.attached[1].port }, { "logs:/logs data:/data", "vol-data", 1 })
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
  local lock = world.qcow2.grow(stack.state .. "/volumes/pair/data.qcow2", 128 << 20)
  equal(lock, nil) -- QEMU has it

  stack:write(yaml '"data:/data"')
  ok(stack:expect({ "plan" }).stdout:find("~ db%-0 +restart   volumes logs:/logs data:/data → data:/data"))
  moved(stack, yaml '"logs:/logs"')
  guest.with(nil, function(told)
    attach.detach(world, guest.at(stack))
    ok(told[1]:find("holos_leave /data", 1, true))
  end)
  equal({ applied(stack), #guest.at(stack).now.attached }, { "logs:/logs", 0 })
  ok(world.qcow2.grow(stack.state .. "/volumes/pair/data.qcow2", 128 << 20)) -- and nobody has it any more
end)

test("a guest that keeps a place keeps its volume; one that mounts nothing has its disk, and the next try goes on", function()
  local stack <close> = stack_.on_fake(yaml "")
  stack:expect { "up" }
  moved(stack, yaml '"data:/data"')
  local at = guest.at(stack)
  guest.with(function(script) return script:find("holos_mount_volume vol-data", 1, true) and "exit 1: no such thing" end, function()
    local ok_, problem = pcall(attach.attach, world, at)
    ok(not ok_ and err.is(problem) and problem.message:find("is attached, and could not be mounted in the guest: exit 1", 1, true))
  end)
  equal({ applied(stack), guest.at(stack).now.attached[1].is_there }, { "data:/data", true }) -- it is held
  guest.with(nil, function() attach.attach(world, guest.at(stack)) end)
  equal(applied(stack), "data:/data")
  moved(stack, yaml "")
  guest.with(function(script) return script:find("holos_leave /data", 1, true) and "exit 1: /data is in use" end, function()
    local ok_, problem = pcall(attach.detach, world, guest.at(stack))
    ok(not ok_ and problem.message:find("db-0: volume data cannot be taken out of the guest: exit 1: /data is in use", 1, true))
  end)
  equal(applied(stack), "data:/data")
end)

test("QEMU keeps four slots: the fifth volume is a restart, and so is whatever else changes", function()
  local names = { "a", "b", "c", "d", "e" }
  local declared, mounts = {}, {}
  for i, name in ipairs(names) do declared[i], mounts[i] = name .. ": {size: 16M}", ('"%s:/%s"'):format(name, name) end
  local volumes = table.concat(declared, ", ")
  local stack <close> = stack_.on_fake(yaml("", volumes))
  stack:expect { "up" }
  local function planned(count, more)
    stack:write(yaml(table.concat(mounts, ", ", 1, count), volumes, more))
    return stack:expect({ "plan" }).stdout:match "~ db%-0 +(%l+)"
  end
  equal({ planned(4), planned(5), planned(1, ", vm: {memory_mb: 600}") }, { "live", "restart", "restart" })
  moved(stack, yaml(table.concat(mounts, ", ", 1, 4), volumes))
  guest.with(nil, function() attach.attach(world, guest.at(stack)) end)
  equal(applied(stack), "a:/a b:/b c:/c d:/d")
  equal(planned(5), "restart")
end)

test("QEMU itself takes a volume, a file and makes a disk larger as it is asked to", function()
  local stack <close> = stack_.new { yaml = (yaml(""):gsub("image_os: plain", "image_os: plain, ready: running")) }
  assert(world.qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  assert(world.fs.write_atomic(stack.directory .. "/disk.raw", ("\0"):rep(1 << 20), {}))
  stack:expect { "up" }
  local at = guest.at(stack)
  at.spec.mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = "/data", read_only = false },
    { kind = "volume", volume = "disk", serial = "vol-disk", target = "/disk", read_only = true,
      disk = { path = stack.directory .. "/disk.raw", kind = "file", format = "raw" } } }
  guest.with(nil, function() attach.attach(world, at) end)
  local now = guest.at(stack).now
  equal({ #now.attached, now.attached[2].port }, { 2, 2 })
  local monitor <close> = assert(require("holos.run.monitor").try_connect(world, stack.state .. "/instances/pair/db-0", 5000))
  monitor:execute("block_resize", { ["node-name"] = "vol-data", size = 96 << 20 })
  local seen = {}
  for _, block in ipairs(monitor:execute("query-block", {})) do
    local device = (block.qdev or ""):match("/peripheral/(vol%-%w+%-disk)")
    if device then seen[device] = { block.inserted.ro, block.inserted.image["virtual-size"] >> 20 } end
  end
  equal(seen, { ["vol-data-disk"] = { false, 96 }, ["vol-disk-disk"] = { true, 1 } })
end)
