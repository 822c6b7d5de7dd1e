-- holos volumes on the stand-in for QEMU's machines, and the real QEMU for copies.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local instead = require "tests.support.instead"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local live = require "holos.run.block.live"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local volumes = require "holos.use.volumes"
local world = require "holos.run.world"

local YAML = [[
name: shop
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, volumes: ["data:/var/lib/db", "logs:/var/log/db:ro"]}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
volumes: {data: {size: 64M}, logs: {size: 32M}}
]]

local function stack_of(yaml) return stack_.on_fake(yaml or YAML) end

local function record(stack)
  return assert(json.decode(assert(fs.read(stack.state .. "/projects/shop.json", { max_bytes = 1 << 20 })), {}))
end

local function disk(stack, name) return stack.state .. "/volumes/shop/" .. name .. ".qcow2" end

local function rows(stack, ...)
  local found = {}
  for line in stack:expect({ "volumes", "ls", "--format", "json", ... }).stdout:gmatch("[^\n]+") do
    local row = assert(json.decode(line, {}))
    found[row.project .. "/" .. row.name] = row
  end
  return found
end

local function has(text, wanted) ok(text:find(wanted, 1, true), ("%q is not in:\n%s"):format(wanted, text)) end

local function refused(stack, words, status, wanted)
  local result = stack:expect(words, status)
  for _, text in ipairs(wanted) do has(result.stderr, text) end
end

local function fill(path) equal(run_tool({ "qemu-io", "-c", "write -P 5 1M 2M", path }).status, 0) end

local function same(a, b, format)
  equal(run_tool({ "qemu-img", "compare", "-q", "-U", "-f", "qcow2", "-F", format or "qcow2", a, b }).status, 0)
end

test("volumes ls and inspect: who has them, what they take, and what is wrong with them", function()
  local stack <close> = stack_of()
  equal(stack:expect({ "volumes", "ls", "-q" }).stdout, "")
  stack:expect { "up" }
  local found = rows(stack)
  equal(found["shop/data"].size_bytes, 64 << 20)
  equal({ found["shop/data"].state, found["shop/data"].users[1].instance, found["shop/data"].users[1].running },
    { "ok", "db-0", true })
  equal({ found["shop/logs"].users[1].targets[1], found["shop/logs"].users[1].read_only }, { "/var/log/db", true })
  local shown = stack:expect({ "volumes", "inspect", "data" }).stdout
  has(shown, "/var/lib/db")
  has(shown, "/dev/disk/by-id/virtio-vol-data")
  equal(stack:expect({ "volumes", "ls", "-q" }).stdout, "data\nlogs\n")
  files.write(disk(stack, "odd"), "no disk")
  found = rows(stack, "--all")
  equal({ found["shop/odd"].state, found["shop/odd"].users }, { "damaged", {} })
  stack:expect { "stop" }
  has(stack:expect({ "volumes", "ls" }).stdout, "db-0 (stopped)")
  assert(fs.remove(disk(stack, "data")))
  equal(rows(stack)["shop/data"].state, "gone")
  refused(stack, { "volumes", "inspect", "data" }, 1, { "is gone", "holos trash ls shop" })
  refused(stack, { "volumes", "inspect", "lags" }, 1, { 'did you mean "logs"?' })
  refused(stack, { "volumes", "inspect", "../../x" }, 1, { "no project" })
end)

test("volumes rm: refused while a machine has it, then moved to the trash, from where it comes back", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  refused(stack, { "volumes", "rm", "data" }, 3, { "db-0 has it and runs", "holos stop -p shop db" })
  stack:expect { "stop" }
  refused(stack, { "volumes", "rm", "data", "logs" }, 3, { "db-0 cannot start without it", "holos rm -p shop db" })
  ok(fs.stat(disk(stack, "data")))
  stack:expect { "down" }
  refused(stack, { "volumes", "rm", "data", "none" }, 1, { 'no volume "none"' })
  ok(fs.stat(disk(stack, "data")), "all of them or none")
  has(stack:expect({ "volumes", "rm", "shop/data" }).stderr, "holos trash restore shop")
  equal(fs.stat(disk(stack, "data")), nil)
  equal({ record(stack).volumes.data, record(stack).volumes.logs.made }, { nil, true })
  has(stack:expect({ "trash", "ls" }).stdout, "data")
  stack:expect { "trash", "restore", "shop" }
  ok(fs.stat(disk(stack, "data")))
  stack:expect { "volumes", "rm", "data", "logs" }
  equal(stack:expect({ "ls" }).stdout:find("shop", 1, true), nil)
  stack:expect { "trash", "restore", "shop" }
  equal(rows(stack)["shop/logs"].state, "ok")
end)

test("volumes rm: what is protected stays, and what an instance may be again", function()
  local stack <close> = stack_of((YAML:gsub("image_os: plain, stop_grace_period: 2s, volumes",
    "image_os: plain, protect: true, volumes")))
  stack:expect { "up", "--no-start" }
  refused(stack, { "volumes", "rm", "data" }, 3, { "protected" })
  ok(fs.stat(disk(stack, "data")))
end)

test("volumes resize: larger and never smaller; the disk stays as it was", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  refused(stack, { "volumes", "resize", "logs", "128M" }, 3, { "db-0 has it and runs" }) -- it only reads it
  has(stack:expect({ "volumes", "resize", "data", "96M" }).stderr, "64 MiB → 96 MiB; db-0 runs on")
  equal(qcow2.info(disk(stack, "data")).virtual_bytes, 96 << 20)
  equal(record(stack).volumes.data.size_bytes, 96 << 20)
  stack:expect { "stop" }
  equal(stack:expect({ "volumes", "resize", "data", "96M" }).stderr:match "^[^\n]*", "data: has 96 MiB already")
  fill(disk(stack, "data"))
  has(stack:expect({ "volumes", "resize", "data", "+32M" }).stderr, "96 MiB → 128 MiB; the file system")
  equal(qcow2.info(disk(stack, "data")).virtual_bytes, 128 << 20)
  equal(record(stack).volumes.data.size_bytes, 128 << 20)
  equal(run_tool({ "qemu-io", "-c", "read -P 5 1M 2M", disk(stack, "data") }).status, 0)
  refused(stack, { "volumes", "resize", "data", "100M" }, 3, { "has 128M, and 100M is less", "never becomes smaller" })
  refused(stack, { "volumes", "resize", "data", "huge" }, 64, { "huge" })
  refused(stack, { "volumes", "resize", "data", "+5" }, 64, { '"+5": a number without a unit counts bytes', "+5G" })
  refused(stack, { "volumes", "resize", "data" }, 64, { "holos help volumes" })
end)

test("volumes clone: a volume of its own, whole, and nothing is overwritten", function()
  local stack <close> = stack_of()
  stack.qemu = nil
  stack:expect { "up", "--no-start" }
  fill(disk(stack, "data"))
  has(stack:expect({ "volumes", "clone", "data", "data-2" }).stderr, "data-2: a copy of data, 64 MiB")
  same(disk(stack, "data"), disk(stack, "data-2"))
  equal(record(stack).volumes["data-2"], { fs = "ext4", is_copied = true, made = true,
    size_bytes = 64 << 20 })
  refused(stack, { "volumes", "clone", "data", "logs" }, 3, { "exists; it is not overwritten" })
  refused(stack, { "volumes", "clone", "data", "a/../b" }, 1, { 'no project "a"' })
  refused(stack, { "volumes", "clone", "data", "shop/../b" }, 64, { "no name for a volume" })
  refused(stack, { "volumes", "clone", "data", ".hidden" }, 64, { "no name for a volume" })
  refused(stack, { "volumes", "clone", "data", "shop/" .. ("x"):rep(250) }, 64, { "no name for a volume" })
  stack:expect { "down", "-v" }
  equal(stack:expect({ "volumes", "ls", "-q", "-a" }).stdout, "")
end)

test("volumes export and import: there and back, raw and compressed; a file that is there is replaced when asked", function()
  local stack <close> = stack_of()
  stack.qemu = nil
  stack:expect { "up", "--no-start" }
  fill(disk(stack, "data"))
  local out = stack.directory .. "/out.raw"
  has(stack:expect({ "volumes", "export", "data", "out.raw" }).stderr, "out.raw: 64 MiB as raw")
  same(disk(stack, "data"), out, "raw")
  refused(stack, { "volumes", "export", "logs", "out.raw" }, 3, { "exists; nothing was written", "--force" })
  same(disk(stack, "data"), out, "raw")
  stack:expect { "volumes", "export", "logs", "out.raw", "--force", "--disk-format", "qcow2", "--compress" }
  same(disk(stack, "logs"), out)
  refused(stack, { "volumes", "export", "data", "x.raw", "--compress" }, 64, { "cannot be compressed" })
  refused(stack, { "volumes", "export", "data", "-" }, 64, { "an image cannot go to standard output" })
  refused(stack, { "volumes", "export", "data", "state" }, 3, { "is a directory" })
  refused(stack, { "volumes", "export", "data", "state/volumes/shop/x.qcow2" }, 3, { "in the state directory" })
  stack:expect { "volumes", "export", "data", "data.qcow2" }
  assert(fs.symlink("data.qcow2", stack.directory .. "/link.qcow2"))
  stack:expect { "volumes", "import", "link.qcow2", "linked" }
  same(disk(stack, "linked"), disk(stack, "data"))
  has(stack:expect({ "volumes", "import", "data.qcow2", "again", "--size", "+64M" }).stderr, "again: 128 MiB, volume of shop")
  equal(qcow2.info(disk(stack, "again")).virtual_bytes, 128 << 20)
  equal(run_tool({ "qemu-io", "-c", "read -P 5 1M 2M", disk(stack, "again") }).status, 0)
  refused(stack, { "volumes", "import", "data.qcow2", "small", "--size", "1M" }, 3, { "it would be cut off" })
  refused(stack, { "volumes", "import", "data.qcow2", "data" }, 3, { "exists; it is not overwritten" })
end)

test("volumes import: before the first up, for which the volume is then there; hostile images never reach QEMU", function()
  local stack <close> = stack_of()
  stack.qemu = "/bin/false"
  local secret = stack.directory .. "/secret.raw"
  files.write(secret, ("secret"):rep(1000))
  equal(run_tool({ "qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw",
    stack.directory .. "/evil.qcow2" }).status, 0)
  refused(stack, { "volumes", "import", "evil.qcow2", "data" }, 3, { "has the backing file", "nothing was imported" })
  refused(stack, { "volumes", "import", "secret.raw", "shop/data" }, 1, { "there is no project" })
  refused(stack, { "volumes", "import", "holos.yaml", "data" }, 3, { "say --disk-format raw or name it .raw" })
  refused(stack, { "volumes", "import", "none.raw", "data" }, 1, { "none.raw: No such file" })
  equal(fs.list(stack.state .. "/volumes/shop") or {}, {})
  stack.qemu = nil
  stack:expect { "volumes", "import", "secret.raw", "data" }
  equal(qcow2.info(disk(stack, "data")).virtual_bytes, 6144)
  equal(run_tool({ "qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", disk(stack, "data"), secret }).status, 0)
end)

test("volumes export and clone of a machine that runs: its own QEMU copies, and it runs on", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  has(stack:expect({ "volumes", "export", "data", "out.qcow2" }).stderr, "db-0 ran on: it is as after a power cut")
  same(disk(stack, "data"), stack.directory .. "/out.qcow2")
  has(stack:expect({ "volumes", "clone", "data", "data-2" }).stderr, "db-0 ran on")
  equal({ rows(stack)["shop/data-2"].state, stack:ps()["db-0"].state }, { "ok", "provisioned" })
end)

test("two copies in one machine: the second is refused, and the first is whole", function()
  local stack <close> = stack_.on_fake(YAML, { "job=done" })
  stack:expect { "up" }
  local function copy(node, name)
    local target = { path = stack.directory .. "/" .. name, format = "qcow2" }
    assert(qcow2.create(target.path, { size_bytes = 64 << 20 }))
    local fine, problem = pcall(live.copy, world, { directory = stack.state .. "/instances/shop/db-0", project = "shop",
      name = "db-0", node = node, target = target }, "copying " .. name, function() end)
    return fine or problem.code
  end
  local first, second
  task.all { function() first = copy("vol-data", "first") end, function() second = copy("vol-data", "second") end }
  equal({ first, second }, { true, "ELOCKED" })
  equal(copy("vol-data", "third"), true)
end)

test("volumes export of a machine that runs: what goes wrong is said, and QEMU is as before", function()
  local stack <close> = stack_.on_fake(YAML, { "job=No space left on device" })
  stack:expect { "up" }
  for _ = 1, 2 do -- the second one finds nothing of the first
    refused(stack, { "volumes", "export", "data", "out.qcow2" }, 1, { "exporting data: No space left on device" })
  end
  equal(fs.stat(stack.directory .. "/out.qcow2"), nil)
  fake_qemu.set(stack.qemu, { "job=done" })
  stack:expect { "restart", "db" }
  stack:expect { "volumes", "export", "data", "out.qcow2" }
end)

test("a machine that ends while its volume is copied takes the copy with it, and the next one is whole", function()
  local stack <close> = stack_.on_fake(YAML, { "job=stall" })
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  local child <close> = stack:spawn { "volumes", "export", "data", "out.qcow2" }
  stack:eventually("it copies", function()
    for _, entry in ipairs(fs.list(stack.directory)) do
      if entry.name:find("%.part$") then return true end
    end
  end)
  local process <close> = proc.open(pid, proc.identity(pid).start_time)
  process:signal("KILL")
  equal(task.within(30000, io_wait.await, child, "try_wait"), { exit = 1 })
  fake_qemu.set(stack.qemu, { "job=done" })
  stack:expect { "start", "db" }
  stack:expect { "volumes", "export", "data", "out.qcow2" }
  same(disk(stack, "data"), stack.directory .. "/out.qcow2")
end)

test("volumes export of a real QEMU's disk, cancelled, killed, and then whole; the machine runs on", function()
  local stack <close> = stack_.new { yaml = [[
name: shop
services: {db: {image: ./image.qcow2, image_os: plain, ready: running, vm: {memory_mb: 128}, volumes: ["data:/data"]}}
volumes: {data: {size: 64M}}
]] }
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  stack:expect { "up", "--no-start" }
  fill(disk(stack, "data"))
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  for signal, ended in pairs { INT = { exit = 130 }, KILL = { signal = "KILL" } } do
    local child <close> = stack:spawn { "volumes", "export", "data", "out.qcow2", "--limit-rate", "64K" }
    stack:eventually("it copies", function()
      for _, entry in ipairs(fs.list(stack.directory)) do
        local file = stack.directory .. "/" .. entry.name
        if entry.name:find("%.part$") and fs.stat(file).allocated_bytes > 300000 then return fs.rename(file, file .. "ial") end
      end
    end)
    local process <close> = proc.open(child.pid, child.start_time)
    process:signal(signal)
    equal(task.within(30000, io_wait.await, child, "try_wait"), ended)
  end
  stack:expect { "volumes", "export", "data", "out.qcow2" }
  equal(stack:ps()["db-0"].pid, pid)
  stack:expect { "stop", "--timeout", "1s" }
  same(disk(stack, "data"), stack.directory .. "/out.qcow2")
  equal(run_tool({ "qemu-img", "check", "-q", stack.directory .. "/out.qcow2" }).status, 0)
end)

test("a volume that another project's machine has is shown with it, and stays as long as that", function()
  local stack <close> = stack_of()
  stack:expect { "up", "--no-start" }
  files.write(stack.directory .. "/other/holos.yaml", [[
name: lab
services: {reader: {image: ../image.qcow2, image_os: plain, stop_grace_period: 2s, volumes: ["all:/mnt:ro"]}}
volumes: {all: {external: true, name: shop_data}}
]])
  stack:expect { "-f", "other/holos.yaml", "up" }
  local user = rows(stack)["shop/data"].users[1]
  equal({ user.project, user.instance, user.running }, { "lab", "reader-0", true })
  has(stack:expect({ "volumes", "ls" }).stdout, "lab/reader-0")
  stack:expect { "down" }
  refused(stack, { "volumes", "rm", "data" }, 3, { "reader-0 of project lab has it and runs", "holos stop -p lab reader" })
  has(stack:expect({ "volumes", "export", "data", "out.qcow2" }).stderr, "reader-0 ran on")
  same(disk(stack, "data"), stack.directory .. "/out.qcow2")
  stack:expect { "down", "-p", "lab" }
  stack:expect { "volumes", "rm", "data" }
end)

test("volumes ls looks at each disk once, however many volumes and machines there are", function()
  local stack <close> = stack_of()
  stack:expect { "up", "--no-start" }
  files.write(stack.directory .. "/other/holos.yaml", [[
name: lab
services: {reader: {image: ../image.qcow2, image_os: plain, volumes: ["all:/mnt:ro", "one:/one", "two:/two"]}}
volumes: {all: {external: true, name: shop_data}, one: {size: 16M}, two: {size: 16M}}
]])
  stack:expect { "-f", "other/holos.yaml", "up", "--no-start" }
  local looks, stat = {}, world.fs.stat
  local found
  do
    local _counted <close> = instead(world.fs, { stat = function(file, ...)
      looks[file] = (looks[file] or 0) + 1
      return stat(file, ...)
    end })
    found = volumes.rows(world, { all = true, state_dir = stack.state })
  end
  ok(#found >= 3, #found)
  equal(looks[disk(stack, "data")], 1)
end)
