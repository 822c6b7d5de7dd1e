-- failure_action: rollback, monitor and max_failure_ratio of update_config, on the stand-in for QEMU: when too many instances
-- of a service fail, all of it goes back to what it was, and no disk is lost.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local pair = require "tests.support.pair"
local proc = require "sys.proc"
local ssh_guest = require "tests.support.ssh_guest"
local stack_ = require "tests.support.stack"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local function yaml(update, changes)
  local with = table_.merge({ image = "image", memory = 512, grace = "1s", more = "" }, changes or {})
  return ([[
name: pair
services:
  web:
    {image: ./%s.qcow2, image_os: plain, vm: {memory_mb: %d}, stop_grace_period: %s, %s
     deploy: {replicas: 3, update_config: {%s}}}
]]):format(with.image, with.memory, with.grace, with.more, update)
end

local ROLLBACK = "failure_action: rollback"
local MORE = { memory = 768 }

local function memories(stack)
  local rows, list = stack:ps(), {}
  for i = 0, 2 do list[i + 1] = rows["web-" .. i].memory_mib end
  return list
end

local function inodes(stack)
  local list = {}
  for i = 0, 2 do list[i + 1] = pair.inode(stack, "web-" .. i) end
  return list
end

-- Nothing of the record tells of a change any more, all run, and the file of before is what is.
local function require_back(stack, before)
  equal({ memories(stack), inodes(stack) }, { { 512, 512, 512 }, before.inodes })
  for name, entry in pairs(pair.record(stack).instances) do
    equal({ entry.previous, entry.replaced, entry.desired, entry.spec.vm.memory_mib }, { nil, nil, "running", 512 }, name)
  end
  for name, row in pairs(stack:ps()) do equal(row.status, "provisioned", name) end
  stack:write(before.yaml)
  equal(stack:run({ "plan", "--exit-code" }).status, 0)
end

local function started(update, changes)
  local text = yaml(update, changes)
  local stack = pair.started(text)
  return stack, { yaml = text, inodes = inodes(stack), pids = pair.pids(stack) }
end

test("one that does not serve: those before it are started again as they were, those after it are not touched", function()
  local stack <close>, before = started(ROLLBACK)
  stack:write(yaml(ROLLBACK, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: report=failed" })
  local planned = stack:expect({ "plan" }).stdout
  ok(planned:find("on failure  web-0, web-1, web-2: started again as before (disks kept)   holos.yaml:", 1, true), planned)
  local failed = stack:expect({ "up", "-d" }, 4)
  for _, words in ipairs { "web-1: failed:", "web was rolled back: web-0, web-1, web-2" } do
    ok(failed.stderr:find(words, 1, true), failed.stderr)
  end
  equal(pair.pids(stack)["web-2"], before.pids["web-2"])
  ok(pair.pids(stack)["web-0"] ~= before.pids["web-0"])
  require_back(stack, before)
end)

test("disks that were replaced go to the trash, and those of before are back, of all instances", function()
  for _, update in ipairs { ROLLBACK, ROLLBACK .. ", parallelism: 2", ROLLBACK .. ", parallelism: 0" } do
    local stack <close>, before = started(update)
    stack:write(yaml(update, { image = "other", memory = 768 }))
    fake_qemu.set(stack.qemu, { "web-2@768M: fail=no such machine" })
    local planned = stack:expect({ "plan", "--recreate" }).stdout
    ok(planned:find("web-0, web-1, web-2: back to the old disks, from image.qcow2 (the new ones go to the trash)", 1, true),
      planned)
    stack:expect({ "up", "--recreate" }, 4)
    -- All at once: who has not begun when the first one fails, makes none.
    local least = update:find("parallelism: 0", 1, true) and 0 or 1
    for i = 0, 2 do
      local made = #pair.disks_in_trash(stack, "web-" .. i)
      equal({ pair.backing(stack, "web-" .. i), made <= 1 and made >= (i == 2 and 1 or least) }, { "image.qcow2", true }, update)
    end
    require_back(stack, before)
  end
end)

test("who does not come back is not said to be back, and is what it was all the same", function()
  local stack <close> = started(ROLLBACK)
  stack:write(yaml(ROLLBACK, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: report=failed", "web-0@512M: fail=no such machine" })
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("web was rolled back: web-1, web-2; not so web-0", 1, true), failed.stderr)
  equal(memories(stack), { 512, 512, 512 })
end)

test("all that is waited for counts, also more than the file asks for", function()
  local more = { more = "ready: running," }
  local stack <close>, before = started(ROLLBACK, more)
  stack:write(yaml(ROLLBACK, { more = more.more, memory = 768 }))
  fake_qemu.set(stack.qemu, { "web-2@768M: report=boot", "web-2@768M: exit_after_ms=300" })
  stack.env[#stack.env + 1] = "HOLOS_WAIT=ready"
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("web was rolled back: web-0, web-1, web-2", 1, true), failed.stderr)
  equal({ memories(stack), inodes(stack) }, { { 512, 512, 512 }, before.inodes })
end)

test("a service goes back though another one fails while its own machines still stop", function()
  local other = "  db: {image: ./image.qcow2, image_os: plain, vm: {memory_mb: %d}}\n"
  local function both(memory) return yaml(ROLLBACK .. ", parallelism: 0", { memory = memory }) .. other:format(memory) end
  local stack <close> = pair.started(both(512), { "db-0@512M: shutdown_ms=400", "web-0@512M: shutdown_ms=800",
    "web-2@512M: shutdown_ms=800" })
  stack:write(both(768))
  fake_qemu.set(stack.qemu, { "web-1@768M: fail=no such machine", "db-0@768M: fail=not this either" })
  local failed = stack:expect({ "up" }, 4)
  for _, words in ipairs { "no such machine", "not this either", "web was rolled back: web-0, web-1, web-2" } do
    ok(failed.stderr:find(words, 1, true), failed.stderr)
  end
  equal(memories(stack), { 512, 512, 512 })
  for name, row in pairs(stack:ps()) do equal(row.running, name ~= "db-0", name) end
end)

test("what was stopped, and was started by the change, is stopped again", function()
  local stack <close>, before = started(ROLLBACK)
  stack:expect { "stop", "web-0" }
  stack:write(yaml(ROLLBACK, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: report=failed" })
  local _, waited = stack:expect({ "up" }, 4).stderr:gsub("✔ web%-0  provisioned", "")
  equal(waited, 1, "not again when it is stopped")
  local rows, entry = stack:ps(), pair.record(stack).instances["web-0"]
  equal({ rows["web-0"].running, rows["web-1"].running, rows["web-1"].memory_mib }, { false, true, 512 })
  equal({ entry.desired, entry.spec.vm.memory_mib, entry.previous }, { "stopped", 512, nil })
  stack:expect { "start" }
  require_back(stack, before)
end)

test("as many may fail as max_failure_ratio says; those stay as they are, and the others are changed", function()
  local ratio = ", max_failure_ratio: 0.34"
  for _, update in ipairs { ROLLBACK .. ratio, "failure_action: pause" .. ratio } do
    local stack <close>, before = started(update)
    stack:write(yaml(update, MORE))
    fake_qemu.set(stack.qemu, { "web-0@768M: report=failed" })
    local failed = stack:expect({ "up" }, 4)
    ok(not failed.stderr:find("rolled back", 1, true), failed.stderr)
    equal(memories(stack), { 768, 768, 768 }, update)

    stack:write(before.yaml)
    local pids = pair.pids(stack)
    fake_qemu.set(stack.qemu, { "web-0@512M: report=failed", "web-1@512M: report=failed" })
    failed = stack:expect({ "up" }, 4)
    local is_back = failed.stderr:find("rolled back", 1, true) ~= nil
    equal(is_back, update:find "rollback" ~= nil, failed.stderr)
    equal(memories(stack)[1], is_back and 768 or 512, update)
    equal(pair.pids(stack)["web-2"], pids["web-2"], update)
  end
end)

test("one that serves and does not stay well is a failure; one that does is over with its monitor", function()
  local update = ROLLBACK .. ", monitor: 400ms"
  local stack <close>, before = started(update)
  stack:write(yaml(update, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: halt_after_ms=100" })
  local failed = stack:expect({ "up", "-d" }, 4)
  ok(failed.stderr:find("web was rolled back", 1, true), failed.stderr)
  require_back(stack, before)
  fake_qemu.set(stack.qemu, {})
  stack:write(yaml(update, MORE))
  ok(stack:expect({ "up", "-d" }).stderr:find("stays well", 1, true))
  equal(memories(stack), { 768, 768, 768 })
end)

test("a new disk that serves and does not stay well makes room for the old one where the change pauses, too", function()
  local update = "monitor: 400ms, parallelism: 1"
  local stack <close>, before = started(update)
  stack:write(yaml(update, { image = "other", memory = 768 }))
  fake_qemu.set(stack.qemu, { "web-0@768M: exit_after_ms=100" })
  local failed = stack:expect({ "up", "--recreate" }, 4)
  ok(failed.stderr:find("web-0: its new disk did not serve", 1, true), failed.stderr)
  equal(inodes(stack), before.inodes)
end)

test("a change that has succeeded leaves nothing to go back to, also when nobody waits for it", function()
  local stack <close> = started(ROLLBACK)
  stack:write(yaml(ROLLBACK, { image = "other", memory = 768 }))
  stack:expect { "up", "-d", "--recreate" }
  for name, entry in pairs(pair.record(stack).instances) do
    equal({ entry.previous, entry.replaced, pair.backing(stack, name) }, { nil, nil, "other.qcow2" }, name)
  end
end)

test("what first steps have done to a disk cannot be taken back: those stay, as where the change pauses", function()
  local text = "cloud_init: {runcmd: [%s]},"
  local stack <close> = started(ROLLBACK, { more = text:format "a" })
  stack:write(yaml(ROLLBACK, { more = text:format "b" }))
  fake_qemu.set(stack.qemu, { "web-1: report=failed" })
  local planned = stack:expect({ "plan", "--reprovision" }).stdout
  ok(not planned:find("on failure", 1, true), planned)
  local failed = stack:expect({ "up", "--reprovision" }, 4)
  ok(not failed.stderr:find("rolled back", 1, true), failed.stderr)
end)

test("going back in groups, with time between them: rollback_config", function()
  local update = ROLLBACK .. ", parallelism: 0}, rollback_config: {parallelism: 2, delay: 1100ms"
  local stack <close>, before = started(update)
  stack:write(yaml(update, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: report=failed" })
  stack:expect({ "up" }, 4)
  local at = {}
  for line in files.read(stack.state .. "/events/pair.jsonl"):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.type == "instance.rolled_back" then at[event.instance] = event.time end
  end
  ok(at["web-0"] and at["web-1"] < at["web-2"] and at["web-0"] < at["web-2"], "web-2 comes later")
  require_back(stack, before)
end)

test("what has no effect in rollback_config is said, and two of one instance cannot be had", function()
  local stack <close> = pair.started(yaml
    "parallelism: 1}, rollback_config: {monitor: 1s, order: start-first, failure_action: pause")
  local said = stack:expect({ "validate" })
  for _, key in ipairs { "monitor", "order", "failure_action" } do
    ok((said.stdout .. said.stderr):find("rollback_config." .. key, 1, true), said.stdout .. said.stderr)
  end
  stack:write(yaml "order: start-first")
  local refused = stack:expect({ "up" }, 2)
  ok(refused.stderr:find("write stop-first", 1, true), refused.stderr)
end)

test("a machine that serves runs its pre_stop before it goes back; when that fails it goes back all the same", function()
  local directory = tmpdir()
  local marks = directory .. "/marks"
  local more = ("pre_stop: [{command: [sh, -c, 'echo bye >>%s; test $(wc -l <%s) -lt 2']}],"):format(marks, marks)
  local stack <close> = stack_.on_fake(yaml(ROLLBACK, { more = more, grace = "20s" }))
  ssh_guest.with(stack, nil, function(_, set)
    stack:expect { "up" }
    stack:write(yaml(ROLLBACK, { more = more, grace = "20s", memory = 768 }))
    set { "web-1@768M: report=failed" }
    local failed = stack:expect({ "up" }, 4)
    ok(failed.stderr:find("web%-0: pre_stop 1 of 1.-failed: exit 1; it goes back all the same"), failed.stderr)
    equal({ files.read(marks), memories(stack) }, { "bye\nbye\n", { 512, 512, 512 } })
    for name, entry in pairs(pair.record(stack).instances) do equal(entry.previous, nil, name) end
    stack:expect { "down", "--no-pre-stop" }
  end)
end)

test("monitor: one that turns unhealthy in that time has failed", function()
  local directory = tmpdir()
  local well = directory .. "/well"
  local more = ("healthcheck: {test: [CMD-SHELL, 'test -e %s'], interval: 100ms, timeout: 5s, retries: 2},"):format(well)
  local function file(memory)
    return (yaml(ROLLBACK .. ", monitor: 20s", { more = more, memory = memory }):gsub("replicas: 3", "replicas: 1"))
  end
  files.write(well, "")
  local stack <close> = stack_.on_fake(file(512))
  ssh_guest.with(stack, nil, function()
    stack:expect { "up" }
    stack:write(file(768))
    local failed
    task.all {
      function() failed = stack:expect({ "up" }, 4) end,
      function()
        stack:eventually("the new one is healthy", function()
          local row = stack:ps()["web-0"]
          return row.memory_mib == 768 and row.status == "healthy"
        end)
        assert(fs.remove(well))
        stack:eventually("it goes back", function()
          return files.read(stack.state .. "/events/pair.jsonl"):find("instance.rolled_back", 1, true) ~= nil
        end)
        files.write(well, "")
      end,
    }
    ok(failed.stderr:find("web%-0: unhealthy: %d+ checks failed") and failed.stderr:find("web was rolled back", 1, true),
      failed.stderr)
    local row = stack:ps()["web-0"]
    equal({ row.memory_mib, row.status }, { 512, "healthy" })
    stack:expect { "down" }
  end)
end)

test("a Ctrl-C while instances go back does not leave some of them behind", function()
  local stack <close>, before = started(ROLLBACK)
  stack:write(yaml(ROLLBACK, MORE))
  fake_qemu.set(stack.qemu, { "web-1@768M: report=failed", "web-0@512M: report_delay_ms=1500" })
  local child <close> = stack:spawn { "up" }
  stack:eventually("the first is on its way back", function()
    return files.read(stack.state .. "/events/pair.jsonl"):find("instance.rolled_back", 1, true) ~= nil
  end)
  local process <close> = assert(proc.open(child.pid, child.start_time))
  process:signal "INT"
  local ended = io_wait.await(child, "try_wait")
  equal(ended, { exit = 4 })
  require_back(stack, before)
end)
