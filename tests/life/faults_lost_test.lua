-- Faults that a tool of this kind can have, and that cost its users disks, volumes or machines; docs/internals.md lists them.
-- Each test is named after one and does what brings it about. The stand-in for QEMU is the machine.
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local pair = require "tests.support.pair"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local HOLOS = require("sys.host").executable()

local SHOP = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 2s}
  api: {image: ./image.qcow2, image_os: plain, depends_on: [db], stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, ports: ["0:80"], stop_grace_period: 2s}
volumes: {data: {size: 64M}}
]]

local function started(settings)
  local stack = stack_.on_fake(SHOP, settings)
  stack:expect { "up" }
  return stack
end

--- Tells each root disk and volume from one that was made anew: its inode, by name.
local function disks(stack)
  local inodes = {}
  for _, directory in ipairs { "/instances/pair", "/volumes/pair" } do
    for _, file in ipairs(files.below(stack.state .. directory, "%.qcow2$")) do
      inodes[file:match("/([^/]+/[^/]+)$")] = fs.stat(file).inode
    end
  end
  return inodes
end

local function without(map, ...)
  local rest = {}
  for key, value in pairs(map) do rest[key] = value end
  for _, key in ipairs { ... } do rest[key] = nil end
  return rest
end

local function kill_all(stack)
  for _, pid in ipairs(stack:supervisors()) do supervised.kill(pid) end
  for _, pid in ipairs(stack:pids()) do supervised.kill(pid) end
end

test("A1: starting one service leaves its siblings and their disks alone, whether they run or not", function()
  local stack <close> = started()
  local made, before = disks(stack), pair.pids(stack)
  stack:expect { "stop", "web" }
  stack:expect { "start", "web" }
  equal(without(pair.pids(stack), "web-0", "web-1"), without(before, "web-0", "web-1"))
  for _, words in ipairs { { "start", "web-0" }, { "start", "db" }, { "up", "web" } } do
    stack:expect { "stop" }
    stack:expect(words)
    equal(disks(stack), made, table.concat(words, " "))
  end
  equal(pair.pids(stack)["db-0"], nil)
  equal(files.below(stack.state .. "/trash", "root%.qcow2$"), {})
end)

-- The unit of systemd comes with `install`. What it will run is here: supervise in the foreground, and stop.
test("A2: nothing that ends machines when the host shuts down takes a disk with it", function()
  local stack <close> = started()
  local made, before = disks(stack), pair.pids(stack)
  local pid = supervised.supervisor(stack)
  local supervisor <close> = assert(proc.open(pid, proc.identity(pid).start_time))
  supervisor:signal "TERM"
  task.wait { process = supervisor }
  equal({ pair.pids(stack), disks(stack) }, { before, made })
  stack:expect { "stop" }
  equal({ #stack:pids(), disks(stack) }, { 0, made })
  stack:expect { "start" }
  kill_all(stack)
  for _, file in ipairs(files.below(stack.state .. "/instances", "/runtime%.json$")) do
    assert(fs.write_atomic(file, (files.read(file):gsub('("boot_id": )"[^"]*"', '%1"the-last-one"')), { mode = 384 }))
  end
  stack:expect { "start" }
  equal({ #stack:pids(), disks(stack) }, { 4, made })
end)

-- Each with the machines that it may start anew; none of them makes a disk. The stand-in's guests have no sshd, so who runs
-- is told of new neighbours at his next start, and the plan is not empty before.
local EDITS = {
  { "a port in other words", 'ports: %["0:80"%]', "ports: [{published: 0, target: 80}]", {} },
  { "another grace", "web: (.-)stop_grace_period: 2s", "web: %1stop_grace_period: 3s", {} },
  { "a port more", 'ports: %["0:80"%]', 'ports: ["0:80", "0:443"]', {} },
  { "a label", "api: {", "api: {labels: {team: a}, ", {} },
  { "one replica more", "replicas: 2", "replicas: 3", {}, 10 },
  { "a restart policy", "db: {", "db: {restart: always, ", {} },
  { "more memory", "api: {", "api: {vm: {memory_mb: 768}, ", { "api-0" } },
  { "a service more", "services:\n", "services:\n  a: {image: ./image.qcow2, image_os: plain}\n", {}, 10 },
}

for _, edit in ipairs(EDITS) do
  test("A3: a change of the file makes no machine anew that it is not about, and no disk: " .. edit[1], function()
    local stack <close> = started()
    local made, before = disks(stack), pair.pids(stack)
    local changed, count = SHOP:gsub(edit[2], edit[3])
    equal(count, 1)
    stack:write(changed)
    stack:expect { "up" }
    local now, after = disks(stack), pair.pids(stack)
    for name, inode in pairs(made) do equal(now[name], inode, name) end
    for name, pid in pairs(without(before, table.unpack(edit[4]))) do equal(after[name], pid, name) end
    for _, name in ipairs(edit[4]) do ok(after[name] and after[name] ~= before[name], name .. " was not started anew") end
    equal(files.below(stack.state .. "/trash", "root%.qcow2$"), {})
    equal(stack:run({ "plan", "--exit-code" }).status, edit[5] or 0)
  end)
end

-- What a later holos might add: a key of services, as all of its kind are added.
local ADDED = {
  { "compose/schema/service/life.lua", '  { "labels",',
    '  { "tomorrow", schema.text {}, change = "recreate", meaning = "New." },\n' },
  { "compose/normalize/service.lua", "function fillers.ready",
    "function fillers.tomorrow(made, value) made.tomorrow = value end\n" },
  { "compose/canonical/hash.lua", '  "annotations",', '  "tomorrow",\n' },
  { "plan/instance.lua", "    ready = service.ready,", "    tomorrow = service.tomorrow,\n" },
  { "plan/diff/guest.lua", '  { name = "boot",',
    '  { name = "tomorrow", key = "tomorrow", get = function(s) return s.tomorrow end, show = text },\n' },
}

--- A stack from now on has the commands of that holos.
local function upgrade(stack)
  for _, added in ipairs(ADDED) do
    local text = files.read(files.directory .. "/../lua/" .. added[1])
    local at = assert(text:find(added[2], 1, true), added[1])
    files.write(("%s/later/%s"):format(stack.directory, added[1]), text:sub(1, at - 1) .. added[3] .. text:sub(at))
  end
  stack.env = { ("HOLOS_LUA_PATH=%s/later"):format(stack.directory) }
end

test("A3: a holos that knows a key more finds every hash as it was and nothing to do, until a file uses that key", function()
  local stack <close> = started()
  local made, before = disks(stack), pair.pids(stack)
  local function hashes() return stack:expect({ "config", "--hash", "*" }).stdout end
  local old = hashes()
  upgrade(stack)
  equal({ hashes(), stack:expect({ "plan", "--exit-code" }).stdout }, { old, "0 to add, 0 to change, 0 to remove.\n" })
  stack:expect { "up" }
  stack:expect { "up", "--force-recreate", "api" } -- recorded by the later one from now on
  stack:expect({ "plan", "--exit-code" })
  equal(without(pair.pids(stack), "api-0"), without(before, "api-0"))
  stack:write((SHOP:gsub("db: {", "db: {tomorrow: x, ")))
  local function of(service, text) return text:match(service .. " +(h1:%x+)") end
  local new = hashes()
  ok(of("db", new) ~= of("db", old))
  equal(of("web", new), ok(of("web", old)))
  ok(stack:expect({ "up" }, 3).stderr:find("tomorrow none → x", 1, true))
  equal(without(disks(stack), "api-0/root.qcow2"), without(made, "api-0/root.qcow2"))
  stack.env = {}
end)

test("A7: a disk that is smaller than its image is refused before anything is made", function()
  local stack <close> = stack_.on_fake((SHOP:gsub("db: {", "db: {vm: {disk_size: 32M}, ")))
  assert(fs.remove(stack.directory .. "/image.qcow2"))
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 64 << 20 }))
  for _, words in ipairs { { "validate" }, { "plan" }, { "up" } } do
    local refused = stack:expect(words, 2)
    ok(refused.stderr:find("holos.yaml:3:%d+: services.db.vm.disk_size: 32 MiB is smaller than the image"), refused.stderr)
  end
  equal(files.below(stack.state, "pair"), {})
end)

local SHARED = { { "two services", "web: {", 'web: {volumes: ["data:/data"], ' },
  { "two replicas", 'db: {', "db: {replicas: 2, " } }

for _, case in ipairs(SHARED) do
  test("A8: a volume that two machines would write to is refused by validate and up, nothing is made: " .. case[1], function()
    local stack <close> = stack_.on_fake((SHOP:gsub(case[2], case[3])))
    for _, words in ipairs { { "validate" }, { "up" } } do
      local refused = stack:expect(words, 2)
      ok(refused.stderr:find('volume "data" is writable here and mounted by %d instances'), refused.stderr)
    end
    equal(files.below(stack.state, "pair"), {})
    stack:write((SHOP:gsub(case[2], case[3]):gsub("data:/data", "data:/data:ro")))
    stack:expect { "validate" }
  end)
end

--- holos without the right to end processes of others, as somebody who did not start them.
local function run_without_rights(stack, words)
  return tool.run({ "setpriv", "--bounding-set=-kill", "--inh-caps=-kill", "--", HOLOS, table.unpack(words) },
    { directory = stack.directory, env = stack:environment(), timeout_ms = 60000 })
end

test("A9: a machine that could not be ended keeps its disk, its record and its state, and the command fails", function()
  if require("sys.host").uid() ~= 0 then skip("only root can give a machine a user of its own") end
  local stack <close> = started { "db-0: powerdown=ignore" }
  local made, pid = disks(stack), pair.pids(stack)["db-0"]
  for _, words in ipairs { { "stop", "db" }, { "down" } } do
    local failed = run_without_rights(stack, { "--timeout=200ms", table.unpack(words) })
    ok(failed.status == 1 and failed.stderr:find("db%-0.*ermitted"), failed.stderr)
    equal({ pair.pids(stack)["db-0"], disks(stack)["db-0/root.qcow2"] }, { pid, made["db-0/root.qcow2"] }, words[1])
  end
  ok(stack:run({ "up", "-d", "db" }).status == 0 and pair.pids(stack)["db-0"] == pid)
  stack:expect { "down", "--timeout", "200ms" }
  equal({ proc.identity(pid), #files.below(stack.state .. "/trash", "db%-0/root%.qcow2$") }, { nil, 1 })
end)

test("A9: a disk is moved only when the end of its process was seen, also after SIGKILL", function()
  local stack <close> = started { "db-0: powerdown=ignore", "db-0: sigterm=ignore" }
  local pid = pair.pids(stack)["db-0"]
  local watched <close> = assert(proc.open(pid, proc.identity(pid).start_time))
  local was_alive
  task.race {
    function() stack:expect { "down", "--timeout", "100ms" } end,
    function()
      local watch <close> = assert(fs.watch())
      assert(watch:add(stack.state .. "/instances/pair", { "move" }))
      repeat
        task.wait { fd = watch:fileno(), dir = "r" }
        local event = watch:try_next()
      until event and event.name == "db-0"
      was_alive = watched:alive()
    end,
  }
  equal(was_alive, false)
end)

test("A10: a record is replaced as a whole: who has the old one open reads the old one, who comes finds one of both", function()
  local stack <close> = started()
  local path = stack.state .. "/projects/pair.json"
  for _, words in ipairs { { "stop", "web" }, { "start", "web" }, { "up", "--scale", "web=1" }, { "stop" } } do
    local before = files.read(path)
    local opened <close> = assert(io.open(path, "rb"))
    stack:expect(words)
    equal(opened:read "a", before, words[1])
    ok(files.read(path) ~= before and json.decode(files.read(path), {}), words[1])
  end
end)

test("A10: a record that is cut off spoils its project and no other, and is told with its file", function()
  local stack <close> = started()
  local other <close> = stack_.on_fake((SHOP:gsub("name: pair", "name: other"):gsub("pair", "other")))
  other.state, other.qemu = stack.state, stack.qemu
  other:expect { "up", "-d" }
  local path = stack.state .. "/projects/other.json"
  local text = files.read(path)
  for _, length in ipairs { 0, 1, #text // 2, #text - 3 } do
    assert(fs.write_atomic(path, text:sub(1, length), { mode = 384 }))
    for _, words in ipairs { { "ls" }, { "ps", "--all" }, { "ps" } } do
      local listed = stack:expect(words)
      ok(listed.stdout:find("pair", 1, true) or listed.stdout:find("db-0", 1, true), listed.stdout)
    end
    ok(stack:run({ "ls" }).stderr:find("other.json", 1, true))
    equal(stack:run({ "plan", "--exit-code" }).status, 0)
  end
  assert(fs.write_atomic(path, text, { mode = 384 }))
  other:expect { "down" }
end)

test("A13: on the host a secret is in files that only we may read, in no record, log or command line, and goes with its project",
  function()
    local word = "correct horse battery staple"
    local stack <close> = stack_.on_fake((SHOP:gsub("db: {", "db: {secrets: [word], ")) .. "secrets: {word: {file: ./word}}\n")
    files.write(stack.directory .. "/word", word)
    stack:expect { "up" }
    local function holders()
      local found = {}
      for _, file in ipairs(files.below(stack.state, ".")) do
        local name = file:sub(#stack.state + 2):gsub("/[0-9a-f]+$", "/DIGEST")
        if (files.read(file) or ""):find(word, 1, true) then found[#found + 1] = name end
      end
      return found
    end
    equal(holders(), { "instances/pair/db-0/seed.iso", "projects/pair/secrets/DIGEST" })
    for _, file in ipairs(files.below(stack.state, ".")) do equal(fs.stat(file).mode & 63, 0, file) end
    equal(fs.stat(stack.state).mode & 63, 0)
    for _, pid in ipairs(stack:pids()) do ok(not files.read(("/proc/%d/cmdline"):format(pid)):find(word, 1, true)) end
    stack:expect { "down", "--purge", "-v" }
    equal(holders(), {})
  end)

for signal, status in pairs { TERM = 143, INT = 130, KILL = false } do
  local name = "A11: up that gets SIG" .. signal .. " while it waits leaves machines that are recorded, seen and taken up again"
  test(name, function()
    local stack <close> = stack_.on_fake(SHOP, { "report=none" })
    local child <close> = stack:spawn { "up" }
    stack:eventually("db-0 is recorded", function()
      return fs.stat(stack.state .. "/instances/pair/db-0/runtime.json") and supervised.runtime(stack, "db-0").is_proven
    end)
    local process <close> = assert(proc.open(child.pid, child.start_time))
    process:signal(signal)
    local ended = task.within(10000, io_wait.await, child, "try_wait")
    equal(ended.exit, status or nil)
    local before = pair.pids(stack)
    ok(before["db-0"], "db-0 runs and is not told")
    stack:expect { "up", "-d", "--wait-timeout", "1s", "web", "db" }
    equal(pair.pids(stack)["db-0"], before["db-0"])
    local all = stack:pids()
    stack:expect { "down", "--timeout", "1s" }
    for _, pid in ipairs(all) do equal(proc.identity(pid), nil) end
  end)
end
