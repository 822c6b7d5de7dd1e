-- The whole life of projects on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, depends_on: [db], ports: ["0:80"], stop_grace_period: 2s}
volumes: {data: {size: 64M}}
]]

local function stack_of(yaml, settings) return stack_.on_fake(yaml, settings) end

test("up, a second up, stop, start, down: processes, disks and ports as promised", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  local first = stack:ps()
  equal(#stack:pids(), 3)
  equal(first["web-1"].status, "provisioned")

  local again = stack:expect { "up" }
  ok(again.stderr:find("up to date", 1, true), again.stderr)
  equal(stack:ps()["web-0"].pid, first["web-0"].pid)
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")

  stack:expect { "stop" }
  equal(#stack:pids(), 0)
  ok(fs.stat(stack.state .. "/instances/pair/web-0/root.qcow2"))
  stack:expect { "start", "web" }
  equal(#stack:pids(), 2)
  equal(stack:ps()["web-0"].ports[1].host, first["web-0"].ports[1].host)

  stack:expect { "down" }
  equal(#stack:pids(), 0)
  equal(fs.stat(stack.state .. "/instances/pair/web-0"), nil)
  ok(fs.stat(stack.state .. "/volumes/pair/data.qcow2"))
  stack:expect { "trash", "restore", "pair" }
  ok(fs.stat(stack.state .. "/instances/pair/web-0/root.qcow2"))
  stack:expect { "start", "-p", "pair" }
  equal(#stack:pids(), 3)
end)

test("A3: start of one service touches nothing else, and a changed file never destroys", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  local before = stack:ps()
  stack:write((TWO:gsub("db: {", "db: {vm: {memory_mb: 1024}, ")))
  ok(stack:expect({ "plan" }).stdout:find("memory 512 MiB → 1 GiB", 1, true))
  stack:expect { "up" }
  local after = stack:ps()
  equal(after["web-0"].pid, before["web-0"].pid)
  ok(after["db-0"].pid ~= before["db-0"].pid)

  stack:write((TWO:gsub("db: {", 'db: {cloud_init: {runcmd: ["true"]}, ')))
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("--reprovision=db", 1, true), refused.stderr)
  equal(stack:ps()["db-0"].pid, after["db-0"].pid)
end)

test("fewer replicas go to the trash, an orphan stays, protect refuses down", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  stack:write((TWO:gsub("replicas: 2", "replicas: 1")))
  stack:expect { "up" }
  equal(stack:ps()["web-1"], nil)
  ok(stack:expect({ "trash", "ls" }).stdout:find("web-1", 1, true))
  stack:write(TWO:gsub("replicas: 2", "replicas: 1, protect: true") .. "")
  stack:expect { "up" }
  stack:expect({ "down" }, 3)
  equal(#stack:pids(), 2)
  stack:write((TWO:gsub("replicas: 2", "replicas: 1")))
  stack:expect { "up" }
end)

test("a guest that does not hear the power button is terminated after its grace, one that hears the second press is not", function()
  local stack <close> = stack_of(TWO, { "web-1: powerdown=ignore" })
  stack:expect { "up" }
  local stopped = stack:expect { "stop" }
  ok(stopped.stderr:find("web-1  terminated", 1, true), stopped.stderr)
  ok(stopped.stderr:find("web-0  powered off", 1, true), stopped.stderr)
  equal(#stack:pids(), 0)
end)

test("a QEMU that ends at once is shown with its last words, and leaves nothing behind", function()
  local stack <close> = stack_of(TWO, { "db-0: fail=no such machine" })
  local failed = stack:expect({ "up" }, 1)
  ok(failed.stderr:find("no such machine", 1, true), failed.stderr)
  equal(#stack:pids(), 0)
end)

test("a QEMU that dies while it is waited for ends up with status 4", function()
  local stack <close> = stack_of(TWO, { "report=none", "exit_after_ms=300" })
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("ended while it was waited for", 1, true), failed.stderr)
end)

test("a wait has a deadline", function()
  local stack <close> = stack_of(TWO, { "report=none" })
  local late = stack:expect({ "up", "--wait-timeout", "200ms" }, 4)
  ok(late.stderr:find("not provisioned after", 1, true), late.stderr)
  equal(#stack:pids(), 3)
end)

test("twenty VMs come up side by side", function()
  local stack <close> = stack_of([[
name: many
services: {vm: {image: ./image.qcow2, image_os: plain, replicas: 20, stop_grace_period: 2s}}
]])
  stack:expect { "up" }
  local ports, rows = {}, stack:ps()
  for _, row in pairs(rows) do
    ok(not ports[row.ssh_port], "every port is its own")
    ports[row.ssh_port] = true
  end
  equal(#stack:pids(), 20)
  stack:expect { "down" }
  equal(#stack:pids(), 0)
end)

test("one of two concurrent ups waits for the other, and there is one set of VMs", function()
  local task = require "holos.core.task"
  local stack <close> = stack_of(TWO)
  local results = task.map({ 1, 2, 3, 4, 5 }, 5, function() return stack:run { "up" }.status end)
  equal(results, { 0, 0, 0, 0, 0 })
  equal(#stack:pids(), 3)
  equal(stack:run({ "up", "--no-wait" }).status, 0)
end)

test("a broken file stops nobody from stopping what was made from it; of several, one has to be named", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up", "-d" }
  stack:write("services: [broken")
  stack:expect { "stop", "web" }
  stack:write(TWO)
  stack:expect { "up", "-d", "-p", "second" }
  stack:write("services: [broken")
  local refused = stack:expect({ "stop" }, 64)
  ok(refused.stderr:find("several projects were made from it: pair second", 1, true), refused.stderr)
  stack:expect { "stop", "-p", "pair" }
  stack:expect { "down", "-p", "second" }
  equal(#stack:pids(), 0)
  stack:write(TWO)
end)

test("the file from standard input", function()
  local stack <close> = stack_of(TWO)
  assert(fs.remove(stack.directory .. "/holos.yaml"))
  stack:expect({ "-f", "-", "up", "-d" }, 0, { stdin = TWO })
  equal(#stack:pids(), 3)
  local again = stack:expect({ "up", "-f", "-" }, 0, { stdin = TWO })
  ok(again.stderr:find("up to date", 1, true), again.stderr)
  local wrong = stack:expect({ "-f", "-", "validate" }, 2, { stdin = TWO:gsub("replicas: 2", "replicas: many") .. "" })
  ok(wrong.stderr:find("<stdin>:4:48: services.web.replicas: expected a whole number", 1, true), wrong.stderr)
  local large = stack:expect({ "-f", "-", "validate" }, 2, { stdin = ("#\n"):rep(3 << 20) })
  ok(large.stderr:find("<stdin>: larger than", 1, true), large.stderr)
  local more = stack:expect({ "-f", "-", "-f", "more.yaml", "validate" }, 2, { stdin = TWO })
  ok(more.stderr:find("more.yaml: No such file or directory", 1, true), more.stderr)
  stack:expect({ "-f", "-", "down" }, 0, { stdin = TWO })
  equal(#stack:pids(), 0)
end)

test("--project-directory is seen from here", function()
  local stack <close> = stack_of(TWO)
  assert(fs.mkdir_all(stack.directory .. "/deep/file"))
  assert(fs.rename(stack.directory .. "/holos.yaml", stack.directory .. "/deep/file/holos.yaml"))
  stack:expect { "-f", "deep/file/holos.yaml", "--project-directory", ".", "up", "-d" }
  ok(stack:expect({ "ls" }).stdout:find(stack.directory, 1, true))
  stack:expect { "down", "-p", "pair" }
end)

test("the lock of one instance is waited for as the command line says", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up", "-d" }
  local lock <close> = assert(require("sys.lock").open(stack.state .. "/locks/pair.db-0.lock"))
  assert(lock:try_take())
  assert(lock:write_owner("somebody"))
  for _, words in ipairs { { "--no-wait" }, { "--lock-timeout", "50ms" } } do
    local refused = stack:expect({ "stop", "db", table.unpack(words) }, 5)
    ok(refused.stderr:find("db-0 is locked by somebody", 1, true), refused.stderr)
  end
  equal(#stack:pids(), 3)
  lock:release()
  stack:expect { "stop", "--no-wait" }
end)

test("a damaged record spoils its project and no other", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  assert(fs.write_atomic(stack.state .. "/projects/broken.json", "{ not json", { mode = 384 }))
  local listed = stack:expect { "ls" }
  ok(listed.stdout:find("pair", 1, true) and listed.stderr:find("broken.json", 1, true))
  equal(stack:run({ "down", "-p", "broken" }).status, 1)
end)

test("a base image that was replaced in place is refused before anything is touched", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  local before = stack:ps()["db-0"].pid
  assert(fs.remove(stack.directory .. "/image.qcow2"))
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("--recreate=db", 1, true), refused.stderr)
  equal(stack:ps()["db-0"].pid, before)
  stack:expect { "stop" }
  stack:expect({ "start" }, 1)
  equal(#stack:pids(), 0)
end)

test("another directory with the same project name does not take its disks", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  local other <close> = stack_of(TWO)
  other.state = stack.state
  local refused = other:expect({ "up" }, 3)
  ok(refused.stderr:find("belongs to " .. stack.directory, 1, true), refused.stderr)
  equal(#stack:pids(), 3)
end)

test("a change that was cut off is carried out by the next up", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  stack:write((TWO:gsub("db: {", "db: {vm: {memory_mb: 1024}, ")))
  fake_qemu.set(stack.qemu, { "db-0: fail=not now" })
  stack:expect({ "up" }, 1)
  fake_qemu.set(stack.qemu, {})
  stack:expect { "up" }
  equal(stack:ps()["db-0"].memory_mib, 1024)
  equal(#stack:pids(), 3)
end)

test("a root disk that is gone is told, not replaced", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  stack:expect { "stop" }
  assert(fs.remove(stack.state .. "/instances/pair/db-0/root.qcow2"))
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("root disk", 1, true), refused.stderr)
  stack:expect({ "start" }, 3)
end)

test("kept volumes keep their project: down -v takes them to the trash, a lost one is told", function()
  local stack <close> = stack_of(TWO)
  stack:expect { "up" }
  stack:expect { "down" }
  ok(stack:expect({ "ls" }).stdout:find("pair", 1, true))
  stack:expect { "down", "-v" }
  equal(fs.stat(stack.state .. "/volumes/pair/data.qcow2"), nil)
  ok(not stack:expect({ "ls" }).stdout:find("pair", 1, true))
  stack:expect { "up" }
  stack:expect { "stop" }
  assert(fs.remove(stack.state .. "/volumes/pair/data.qcow2"))
  ok(stack:expect({ "up" }, 3).stderr:find("volume data", 1, true))
end)

--- A cloud-config of as many bytes.
local function write_user_data(stack, bytes)
  files.write(stack.directory .. "/user-data", "#cloud-config\n" .. ("# " .. ("x"):rep(61) .. "\n"):rep(bytes // 64))
end

local SEEDED = [[
name: pair
services:
  web: {image: ./image.qcow2, cloud_init: {user_data: ./user-data}, stop_grace_period: 2s}
]]

test("user_data of 2 MiB goes through a whole life: what was written can be read", function()
  local stack <close> = stack_of(SEEDED)
  write_user_data(stack, 2 << 20)
  stack:expect { "up", "-d" }
  equal({ #stack:pids(), stack:ps()["web-0"].running }, { 1, true })
  ok(stack:expect({ "up", "-d" }).stderr:find("up to date", 1, true))
  stack:expect { "down" }
  equal(#stack:pids(), 0)
  stack:expect { "trash", "restore", "pair" }
end)

test("a project whose record could not be read again is refused before anything is made", function()
  local stack <close> = stack_of((SEEDED:gsub("image.qcow2,", "image.qcow2, replicas: 9,")))
  write_user_data(stack, 7 << 19)
  local refused = stack:expect({ "up", "-d" }, 1)
  ok(refused.stderr:find("project pair is too large: its record would have 3%d.?%d* MiB, and 30 MiB are the most"), refused.stderr)
  equal(#stack:pids(), 0)
  for _, place in ipairs { "/projects/pair.json", "/instances/pair/web-0" } do
    ok(not fs.stat(stack.state .. place), place .. " was made")
  end
  stack:write((SEEDED:gsub("image.qcow2,", "image.qcow2, replicas: 2,")))
  stack:expect { "up", "-d" }
  equal(#stack:pids(), 2)
end)

local OPTIONAL = [[
name: pair
services:
  cache: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    depends_on: {cache: {condition: service_started, required: REQUIRED}}
]]

test("what starts without a dependency that is not required runs, and the failure is told", function()
  for required, running in pairs { ["false"] = true, ["true"] = false } do
    local stack <close> = stack_.on_fake((OPTIONAL:gsub("REQUIRED", required)), { "cache-0: fail=no such luck" })
    local told = stack:expect({ "up" }, 1).stderr
    ok(told:find("cache%-0: QEMU ended at once: .*no such luck"), told)
    equal((stack:ps()["web-0"] or {}).running or false, running, required)
  end
end)

test("the disk of a volume without a name is not made again when it is gone", function()
  local stack <close> = stack_.on_fake((OPTIONAL:gsub("REQUIRED", "false"):gsub("plain, stop", "plain, volumes: [/data], stop")))
  stack:expect { "up" }
  local directory = stack.state .. "/instances/pair/cache-0/"
  local name
  for _, entry in ipairs(fs.list(directory)) do name = entry.name:match("^volume%-.*%.qcow2$") or name end
  stack:expect { "stop" }
  assert(fs.rename(directory .. name, stack.directory .. "/kept"))
  local refused = stack:expect({ "up" }, 3)
  local volume = name:match("^volume%-(.*)%.qcow2$")
  ok(refused.stderr:find(("cache-0: volume %s: made → gone"):format(volume), 1, true), refused.stderr)
  ok(stack:expect({ "start" }, 3).stderr:find(volume, 1, true))
  ok(not fs.lstat(directory .. name))
  assert(fs.rename(stack.directory .. "/kept", directory .. name))
  stack:expect { "up" }
  stack:expect { "stop" }
  assert(fs.remove(directory .. name))
  stack:expect { "up", "--recreate=cache" }
  ok(fs.lstat(directory .. name))
end)
