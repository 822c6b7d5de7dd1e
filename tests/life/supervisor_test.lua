-- The supervisor: started by up, restarts by policy, survives nothing and loses nothing, ends when nothing is to run.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"

local PAIR = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, restart: POLICY, stop_grace_period: 2s}
]]

local function stack_of(policy, settings)
  return stack_.on_fake((PAIR:gsub("POLICY", policy or "always")), settings)
end

--- Waits until the supervisor listens to all that runs: only then it knows why one ends.
local function listened(stack)
  supervised.supervisor(stack)
  stack:eventually("it listens", function()
    local client <close> = supervised.client(stack)
    for _, instance in pairs(client.request({ op = "status" }).instances) do
      if instance.live and not instance.listens then return false end
    end
    return true
  end)
  return stack:ps()
end

test("up starts one supervisor, a second up none, stop ends it", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  local first = { supervised.supervisor(stack) }
  stack:expect { "up" }
  stack:expect { "ps" }
  equal(stack:supervisors(), first)
  stack:expect { "stop", "web" }
  equal(stack:supervisors(), first)
  stack:expect { "stop" }
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
  equal(fs.read(stack.state .. "/supervisors/pair.log"), "")
  stack:expect { "start" }
  supervised.supervisor(stack)
end)

test("a killed QEMU comes back with its disk, its ports and its addresses; one without a policy stays ended", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  local before = listened(stack)
  supervised.kill(before["web-0"].pid)
  supervised.kill(before["db-0"].pid)
  stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before["web-0"].pid) end)
  stack:eventually("the end of db-0 is written down", function() return supervised.runtime(stack, "db-0").exit end)
  local after = stack:ps()
  equal({ after["web-0"].status, after["db-0"].status }, { "provisioned", "exited (crashed)" })
  equal({ after["web-0"].ssh_port, after["web-0"].address }, { before["web-0"].ssh_port, before["web-0"].address })
  equal(supervised.runtime(stack, "web-0").restarts.total, 1)
  equal(#supervised.events(stack, "instance.exited"), 2)
end)

test("a guest that powers off by itself has not failed", function()
  local stack <close> = stack_of("on-failure", { "exit_after_ms=2000", "reason=guest-shutdown" })
  stack:expect { "up", "-d" }
  stack:eventually("both have ended", function() return #supervised.events(stack, "instance.exited") == 2 end)
  equal(stack:ps()["web-0"].status, "exited (powered off)")
  equal({ #stack:pids(), #supervised.events(stack, "instance.restarting") }, { 0, 0 })
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
  stack:expect { "ps" }
  equal(#stack:supervisors(), 0)
end)

test("on-failure:2 gives up after two attempts, and says so", function()
  local stack <close> = stack_of('"on-failure:2"', { "web-0: exit_after_ms=1000", "web-0: reason=guest-panic" })
  stack:expect { "up", "-d" }
  stack:eventually("it gives up", function() return (supervised.runtime(stack, "web-0").restarts or {}).gave_up end)
  equal(stack:ps()["web-0"].status, "exited (panicked, gave up after 2 restarts)")
  local exits = supervised.events(stack, "instance.exited")
  equal({ exits[1].restart_in_ms, exits[2].restart_in_ms, exits[3].gave_up, exits[3].reason },
    { 100, 200, true, "guest-panic" })
  fake_qemu.set(stack.qemu, {})
  stack:expect { "up" }
  equal(supervised.runtime(stack, "web-0").restarts, nil)
end)

test("a panicked guest is started again where a policy says so, and left to be looked at where none does", function()
  local stack <close> = stack_of("on-failure", { "halt_after_ms=400", "halt=guest-panicked" })
  stack:expect { "up", "-d" }
  local before = stack:ps()
  stack:eventually("web-0 is started again", function() return supervised.runs_anew(stack, "web-0", before["web-0"].pid) end)
  fake_qemu.set(stack.qemu, {})
  equal({ supervised.events(stack, "instance.exited")[1].how, supervised.events(stack, "instance.halted")[1].state },
    { "panicked", "panicked" })
  stack:eventually("it serves", function() return stack:ps()["web-0"].status == "provisioned" end)
  local row = stack:ps()["db-0"]
  equal({ row.status, row.pid }, { "panicked: its kernel has given up", before["db-0"].pid })
end)

test("a guest that a full disk has paused goes on when there is room again", function()
  if require("sys.host").uid() ~= 0 then skip "only root can mount a small file system" end
  local stack = stack_of("always", { "web-0: halt_after_ms=400" })
  assert(fs.mkdir_all(stack.state, 448))
  if run_tool({ "mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", stack.state }).status ~= 0 then skip "no tmpfs" end
  local _unmounted <close> = setmetatable({}, { __close = function()
    stack:close()
    run_tool({ "umount", stack.state })
  end })
  stack:expect { "up", "-d" }
  stack:eventually("it is paused", function() return stack:ps()["web-0"].state == "io-error" end)
  local pid = stack:ps()["web-0"].pid
  equal(run_tool({ "mount", "-o", "remount,size=512m", stack.state }).status, 0)
  stack:eventually("it goes on", function() return stack:ps()["web-0"].status == "provisioned" end)
  equal({ stack:ps()["web-0"].pid, #supervised.events(stack, "instance.resumed") }, { pid, 1 })
end)

test("a launch that fails is another failure; stop ends a pause before a restart", function()
  local stack <close> = stack_of("always")
  stack:expect { "up" }
  fake_qemu.set(stack.qemu, { "web-0: fail=no such machine" })
  supervised.kill(stack:ps()["web-0"].pid)
  stack:eventually("two launches fail", function()
    local exits = supervised.events(stack, "instance.exited")
    return #exits >= 3 and exits[3].how == "launch failed"
  end)
  stack:eventually("it waits for the next try", function() -- between two launches
    return stack:ps()["web-0"].status:find "^restarting %(launch failed, attempt %d+%)$"
  end)
  stack:expect { "stop" }
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
  equal(stack:ps()["web-0"].status, "stopped")
end)

test("killed supervisor: VMs go on, the next command starts another, which adopts; killed together with a VM, both come back",
  function()
    local stack <close> = stack_of()
    stack:expect { "up" }
    local before, first = stack:ps(), supervised.supervisor(stack)
    supervised.kill(first)
    equal(#stack:pids(), 2)
    equal(stack:ps()["web-0"].pid, before["web-0"].pid)
    local second = supervised.supervisor(stack, first)
    supervised.kill(second)
    supervised.kill(before["web-0"].pid)
    stack:expect { "ps" }
    stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before["web-0"].pid) end)
    equal(supervised.runtime(stack, "web-0").restarts.total, 1)
    equal(stack:ps()["db-0"].pid, before["db-0"].pid)
    supervised.kill(supervised.supervisor(stack, second))
    supervised.kill(supervised.runtime(stack, "web-0").pid)
    stack:expect { "ps" }
    stack:eventually("the count goes on", function() return (supervised.runtime(stack, "web-0").restarts or {}).total == 2 end)
  end)

test("what a command stops is not started again behind its back: restart by up, stop, down", function()
  local stack <close> = stack_of("always")
  stack:expect { "up" }
  local before = stack:ps()
  stack:write((PAIR:gsub("POLICY", "always, vm: {memory_mb: 1024}")))
  stack:expect { "up" }
  local after = stack:ps()
  ok(after["web-0"].pid ~= before["web-0"].pid)
  equal(after["web-0"].memory_mib, 1024)
  stack:expect { "down" }
  equal({ #stack:pids(), #supervised.events(stack, "instance.restarting") }, { 0, 0 })
end)

test("of many supervisors that are started at once one stays", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  local first = supervised.supervisor(stack)
  supervised.kill(first)
  task.map({ 1, 2, 3, 4, 5, 6 }, 6, function() return stack:run { "ps" }.status end)
  local second = supervised.supervisor(stack, first)
  stack:expect { "ps" }
  equal(supervised.supervisor(stack), second)
end)

local HOLD_MS = 400 -- longer than the pause before a first restart

test("its socket: hello, status, events, instances that are held, and requests that it does not know", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  local pid = supervised.supervisor(stack)
  local client <close> = supervised.client(stack)
  local hello = client.request { id = 7, op = "hello" }
  equal({ hello.id, hello.ok, hello.pid, hello.project }, { 7, true, pid, "pair" })
  ok(client.request({ op = "dance" }).error)
  local before = stack:ps()["web-0"].pid
  do
    local holder <close> = supervised.client(stack)
    equal(holder.request({ op = "hold", instances = { "web-0" } }).ok, true)
    equal(client.request({ op = "subscribe", types = { "instance." } }).ok, true)
    supervised.kill(before)
    equal(client.event("instance.exited").instance, "web-0")
    task.wait { at_ms = task.now_ms() + HOLD_MS }
    equal(holder.request({ op = "status" }).instances["web-0"].live, false)
  end
  equal(client.event("instance.launched").instance, "web-0")
  local asking <close> = supervised.client(stack)
  local status = asking.request({ op = "status" }).instances["web-0"]
  equal({ status.live, status.restarts.total }, { true, 1 })
end)

test("a supervisor of another build is told to retire and replaced", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  supervised.kill(supervised.supervisor(stack))
  local other <close> = assert(require("sys.lock").open(stack.state .. "/locks/pair.supervisor"))
  assert(other:try_take())
  assert(other:write_owner "supervisor 0123456789abcdef of project pair, pid 1")
  local starting = stack:spawn { "ps" }
  task.wait { process = starting }
  equal(starting:try_wait(), { exit = 0 })
  starting:close()
  other:release()
  local first = supervised.supervisor(stack)
  local client <close> = supervised.client(stack)
  equal(client.request({ op = "retire" }).ok, true)
  stack:eventually("it retires", function() return #stack:supervisors() == 0 end)
  equal(#stack:pids(), 2)
  stack:expect { "ps" }
  supervised.supervisor(stack, first)
end)

-- Longer than the pauses of what begins with a launch: a report is read once a second at most.
local SETTLED_MS = 2500

test("nothing wakes it when nothing happens", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  local pid = supervised.supervisor(stack)
  local function switches()
    return assert(fs.read(("/proc/%d/status"):format(pid))):match("\nvoluntary_ctxt_switches:%s*(%d+)")
  end
  local before = switches()
  stack:eventually("it has settled", function()
    task.wait { at_ms = task.now_ms() + SETTLED_MS }
    local now = switches()
    local same = now == before
    before = now
    return same
  end)
  local minutes = os.getenv "HOLOS_TESTS" == "all" and 60000 or 3000
  task.wait { at_ms = task.now_ms() + minutes }
  equal(switches(), before)
end)

-- Supervises until nothing is to run, then tells which modules that took.
local SUPERVISE = [[
local status = require "holos.main" { [0] = "holos", "supervise", "--state-dir", arg[1], "pair" }
for name in pairs(package.loaded) do print(name) end
return status
]]

test("it never loads the compose language, also when it restarts a machine", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  supervised.kill(supervised.supervisor(stack))
  assert(fs.write_atomic(stack.directory .. "/supervise.lua", SUPERVISE, { mode = 384 }))
  local before, result = stack:ps()["web-0"].pid, nil
  supervised.kill(supervised.supervisor(stack))
  task.all {
    function() result = stack:expect { "lua", stack.directory .. "/supervise.lua", stack.state } end,
    function()
      supervised.supervisor(stack)
      supervised.kill(before)
      stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before) end)
      stack:expect { "stop" }
    end,
  }
  ok(result.stdout:find("holos.run.launch\n", 1, true), "nothing was launched")
  ok(not result.stdout:find("holos.compose", 1, true), result.stdout)
  ok(not result.stdout:find("holos.use.up", 1, true) and not result.stdout:find("holos.plan.diff", 1, true), result.stdout)
end)

test("supervise --all looks after every project, also one that comes later", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  supervised.kill(supervised.supervisor(stack))
  local all = stack:spawn { "supervise", "--all" }
  local _ended <close> = setmetatable({}, { __close = function()
    all:kill()
    task.shield(5000, function() task.wait { process = all } end)
    all:try_wait()
    all:close()
  end })
  equal(supervised.supervisor(stack), all.pid)
  local before = stack:ps()["web-0"].pid
  supervised.kill(before)
  stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before) end)
  stack:expect { "stop" }
  stack:eventually("nothing is looked after", function() return #stack:supervisors() == 0 end)
  stack:expect { "start" }
  stack:eventually("it is looked after again", function() return #stack:supervisors() == 1 end)
end)
