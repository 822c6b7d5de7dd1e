-- Damaged state files: one spoils only what it is about, and says how it is mended.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
]]

test("a record with a value of the wrong type is refused with its place and how to mend it; others go on", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  files.write(stack.directory .. "/other/holos.yaml", (YAML:gsub("name: pair", "name: other"):gsub("%./image", "../image")))
  stack:expect { "-f", "other/holos.yaml", "up" }
  local kept = assert(fs.read(stack.state .. "/projects/pair.json"))
  pair.edit(stack, "projects/pair.json", function(record) record.instances["web-0"].spec.nics[2].port = "many" end)
  local refused = stack:expect({ "stop", "-p", "pair" }, 1)
  ok(refused.stderr:find("instances.web-0.spec.nics[2].port: expected a whole number", 1, true), refused.stderr)
  ok(refused.stderr:find("put a copy back", 1, true), refused.stderr)
  local listed = stack:expect { "ps", "--all" }
  ok(listed.stdout:find("other", 1, true) and listed.stderr:find("pair.json", 1, true), listed.stderr)
  assert(fs.write_atomic(stack.state .. "/projects/pair.json", kept, { mode = 384 }))
  stack:expect { "down", "-p", "other" }
end)

test("a damaged runtime.json spoils no list; what would act on it is refused", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  local file = stack.state .. "/instances/pair/web-0/runtime.json"
  local kept = assert(fs.read(file))
  local _mended <close> = setmetatable({}, { __close = function() assert(fs.write_atomic(file, kept, { mode = 384 })) end })
  pair.edit(stack, "instances/pair/web-0/runtime.json", function(runtime) runtime.pid = "1; rm" end)
  local rows = stack:ps()
  equal({ rows["db-0"].state, rows["web-0"].state, rows["web-0"].running }, { "provisioned", "damaged", false })
  ok(rows["web-0"].status:find("pid: expected a whole number", 1, true), rows["web-0"].status)
  local listed = stack:expect { "ls" }
  ok(listed.stdout:find("1/2", 1, true) and listed.stderr:find("runtime.json", 1, true), listed.stdout .. listed.stderr)
  local refused = stack:expect({ "stop" }, 1)
  ok(refused.stderr:find("guest=project/instance", 1, true), refused.stderr)
  pair.edit(stack, "instances/pair/web-0/runtime.json", function(runtime)
    runtime.pid, runtime.start_time = rows["db-0"].pid, 1 -- another process by now
  end)
  equal(stack:ps()["web-0"].running, false)
end)

test("a runtime.json that a power cut left empty is one of before the reboot", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  stack:expect { "stop" }
  local file = stack.state .. "/instances/pair/web-0/runtime.json"
  for _, left in ipairs { "", ("\0"):rep(4096) } do
    assert(fs.write_atomic(file, left, { mode = 384 }))
    equal(tool.run({ "touch", "-d", "2001-01-01", file }).status, 0)
    equal(stack:ps()["web-0"].status, "stopped")
    stack:expect { "start" }
    equal(#stack:pids(), 2)
    stack:expect { "stop" }
  end
end)

test("a runtime.json that was emptied while its VM runs: nothing is moved from under it, no second one is started", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  local file = stack.state .. "/instances/pair/web-0/runtime.json"
  local kept = assert(fs.read(file))
  local _mended <close> = setmetatable({}, { __close = function() assert(fs.write_atomic(file, kept, { mode = 384 })) end })
  local process <close> = assert(proc.open(stack:ps()["web-0"].pid, json.decode(kept, {}).start_time))
  for _, left in ipairs { "", ("\0"):rep(4096) } do
    assert(fs.write_atomic(file, left, { mode = 384 }))
    equal(stack:ps()["web-0"].state, "damaged")
    for _, words in ipairs { { "up" }, { "stop" }, { "start" }, { "down" } } do
      local refused = stack:expect(words, 1)
      ok(refused.stderr:find("whether web-0 runs cannot be told", 1, true), refused.stderr)
    end
    ok(process:alive() and fs.stat(stack.state .. "/instances/pair/web-0/root.qcow2"))
  end
end)

test("what a newer holos has added to the record is still there after this one wrote it", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  pair.edit(stack, "projects/pair.json", function(record)
    record.schema.minor, record.of_tomorrow = 7, { "kept" }
    record.instances["web-0"].of_tomorrow, record.instances["web-0"].spec.of_tomorrow = 1, { a = "b" }
  end)
  stack:expect { "stop" }
  stack:expect { "start" }
  pair.edit(stack, "projects/pair.json", function(record)
    local entry = record.instances["web-0"]
    equal({ record.schema.minor, record.of_tomorrow[1], entry.of_tomorrow, entry.spec.of_tomorrow.a }, { 7, "kept", 1, "b" })
  end)
end)

test("a kind of NIC that only a newer holos knows: nothing is launched from it; stop, down and restore work", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  pair.edit(stack, "projects/pair.json", function(record)
    record.schema.minor, record.instances["web-0"].spec.nics[2].kind, record.instances["web-0"].desired = 7, "bridge", "suspended"
  end)
  pair.edit(stack, "instances/pair/web-0/runtime.json", function(runtime) runtime.spec.nics[2].kind = "bridge" end)
  equal(stack:ps()["web-0"].running, true)
  stack:expect { "stop" }
  equal(#stack:pids(), 0)
  local refused = stack:expect({ "start", "web" }, 1)
  ok(refused.stderr:find("web-0: cannot be launched as it is recorded: nics[2].kind: ", 1, true), refused.stderr)
  stack:expect { "down" }
  stack:expect { "trash", "restore", "pair" }
  equal(#stack:pids(), 0)
end)

local WITH_VOLUMES = [[
name: pair
services:
  a: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, volumes: ["good:/data"]}
  b: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, volumes: ["bad:/data"]}
volumes: {good: {size: 32M}, bad: {size: 32M}}
]]

local function with_damage()
  local stack = stack_.on_fake(WITH_VOLUMES)
  stack:expect { "up" }
  stack:expect { "stop" }
  files.write(stack.state .. "/volumes/pair/bad.qcow2", "no image at all")
  return stack
end

test("a damaged volume keeps those from starting that mount it, nobody else, and it is said what helps", function()
  local stack <close> = with_damage()
  for _, words in ipairs { { "up" }, { "up", "b" }, { "start" }, { "start", "b" } } do
    local refused = stack:expect(words, 3)
    ok(refused.stderr:find("volume bad: damaged: ", 1, true), refused.stderr)
    ok(refused.stderr:find("b-0 cannot start with it: holos volumes rm bad", 1, true), refused.stderr)
  end
  equal(#stack:pids(), 0)
  stack:expect { "validate" }
  ok(stack:expect({ "up", "a" }).stderr:find("volume bad is damaged: ", 1, true))
  stack:expect { "restart", "a" }
  stack:expect { "volumes", "resize", "good", "64M" }
  equal(#stack:pids(), 1)
  stack:expect { "volumes", "rm", "bad" }
  stack:expect { "up" }
  equal(#stack:pids(), 2)
end)

test("down and rm keep a damaged volume and say so; down -v moves it to the trash with the others", function()
  local stack <close> = with_damage()
  stack:expect { "up", "a" }
  stack:expect { "rm", "b" }
  local down = stack:expect { "down", "--purge" }
  ok(down.stderr:find("kept: volume bad (damaged: holos volumes rm bad) · volume good (32 MiB)", 1, true), down.stderr)
  equal({ #stack:pids(), stack:expect({ "trash", "ls", "pair" }).stdout:find("a-0", 1, true) }, { 0 })
  local gone = stack:expect { "down", "-v" }
  ok(gone.stderr:find("in the trash for 7 days: volume bad (damaged) · volume good", 1, true), gone.stderr)
  equal(fs.list(stack.state .. "/volumes/pair") or {}, {})
end)

local function root_of(stack, name) return ("%s/instances/pair/%s/root.qcow2"):format(stack.state, name) end

test("a damaged root disk keeps its own machine from starting, nobody else, and it is said what helps", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  stack:expect { "stop" }
  files.write(root_of(stack, "web-0"), "no image at all")
  for _, words in ipairs { { "up" }, { "up", "web" }, { "start" }, { "start", "web" } } do
    local refused = stack:expect(words, 3)
    ok(refused.stderr:find("web-0: its root disk is damaged: ", 1, true), refused.stderr)
    ok(refused.stderr:find("web-0 cannot start with it: put a copy of it back, or have the machine made anew: "
      .. "holos up --recreate=web-0", 1, true), refused.stderr)
  end
  equal(#stack:pids(), 0)
  ok(stack:expect({ "plan" }).stderr:find("web-0: its root disk is damaged: ", 1, true))
  ok(stack:expect({ "up", "--no-start" }).stderr:find("the root disk of web-0 is damaged: ", 1, true))
  ok(stack:expect({ "up", "db" }).stderr:find("the root disk of web-0 is damaged: ", 1, true))
  stack:expect { "restart", "db" }
  stack:expect { "start", "db" }
  equal(#stack:pids(), 1)
  ok(not stack:expect({ "up", "--recreate=web-0" }).stderr:find("damaged", 1, true))
  equal({ #stack:pids(), (stack:expect { "trash", "ls", "pair" }).stdout:find("web-0", 1, true) ~= nil }, { 2, true })
end)

test("a machine runs on whose root disk can no longer be read; it is neither stopped for a restart nor grown", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  local file <close> = assert(io.open(root_of(stack, "web-0"), "r+b"))
  local kept = file:read(4)
  file:seek("set", 0)
  file:write("none")
  file:flush()
  ok(stack:expect({ "up" }).stderr:find("the root disk of web-0 is damaged: ", 1, true))
  local running = stack:ps()["web-0"].pid
  stack:write((YAML:gsub("2s}\n$", "2s, vm: {memory_mb: 1024, disk_size: 30G}}\n")))
  for _, words in ipairs { { "up" }, { "restart", "web" } } do
    local refused = stack:expect(words, 3)
    ok(refused.stderr:find("web-0: its root disk is damaged: ", 1, true), refused.stderr)
  end
  equal(stack:ps()["web-0"].pid, running)
  file:seek("set", 0)
  file:write(kept)
  file:flush()
  stack:expect { "up" }
  equal(#stack:pids(), 2)
end)
