-- post_start on the stand-in for QEMU, whose guest is a real sshd: once for each start, in order, before the machine counts as
-- provisioned, by whoever comes to it.
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local lock = require "sys.lock"
local ssh_guest = require "tests.support.ssh_guest"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 4s, MORE
    post_start: [HOOKS]}
]]

local function yaml(hooks, more) return (YAML:gsub("HOOKS", hooks):gsub("MORE", more or "")) end

-- Runs body(stack, marks(), set) with hooks in which DIR is a directory; marks() is what was written to DIR/marks.
local function with(hooks, body, more)
  local directory = tmpdir()
  hooks = hooks:gsub("DIR", directory)
  local stack <close> = stack_.on_fake(yaml(hooks, more))
  ssh_guest.with(stack, nil, function(_, set)
    body(stack, function() return fs.read(directory .. "/marks") or "" end, set, directory)
    stack:expect { "down" }
  end)
end

local TWO = [[{command: [sh, -c, "echo one $$WHO >>DIR/marks"], environment: {WHO: me}},
      {command: "sh -c 'pwd >>DIR/marks'", working_dir: /usr}]]

test("commands run in their order after each start, with their environment and directory, and not without one", function()
  with(TWO, function(stack, marks)
    stack:expect { "up" }
    equal(marks(), "one me\n/usr\n")
    stack:expect { "up" }
    equal(marks(), "one me\n/usr\n")
    stack:expect { "stop" }
    stack:expect { "start" }
    equal(marks(), "one me\n/usr\none me\n/usr\n")
  end)
end)

local FAILING = [[{command: "sh -c 'echo ran >>DIR/marks'"}, {command: [sh, -c, "echo no water >&2; test -e DIR/w"]}]]

test("one that fails fails up, names itself and what it said; the machine runs on; up goes on with it", function()
  with(FAILING, function(stack, marks, _, directory)
    local failed = stack:expect({ "up" }, 4)
    ok(failed.stderr:find("web-0: post_start 2 of 2, `sh -c 'echo no water >&2; test -e", 1, true), failed.stderr)
    ok(failed.stderr:find("failed: exit 1", 1, true), failed.stderr)
    ok(failed.stderr:find("| no water", 1, true), failed.stderr)
    local row = stack:ps()["web-0"]
    ok(row.running and row.status:find("post_start 2/2 failed", 1, true), row.status)
    files.write(directory .. "/w", "")
    stack:expect { "up" }
    equal({ marks(), stack:ps()["web-0"].pid, stack:ps()["web-0"].status }, { "ran\n", row.pid, "provisioned" })
  end)
end)

test("the supervisor runs them when up does not wait, and after a restart of its own; checks come after them", function()
  with("{command: [sh, -c, 'echo ran >>DIR/marks; test -e DIR/w']}", function(stack, marks, _, directory)
    stack:expect { "up", "-d" }
    stack:eventually("it has failed", function() return stack:ps()["web-0"].status:find "post_start 1/1 failed" end)
    equal({ marks(), #supervised.events(stack, "instance.post_start_failed") }, { "ran\n", 1 })
    files.write(directory .. "/w", "")
    local pid = stack:ps()["web-0"].pid
    supervised.kill(pid)
    stack:eventually("it has started anew", function() return supervised.runs_anew(stack, "web-0", pid) end)
    stack:eventually("it is healthy", function() return stack:ps()["web-0"].status == "healthy" end)
    equal({ marks(), supervised.runtime(stack, "web-0").post_start }, { "ran\nran\n", { done = 1 } })
  end, "restart: always, ports: ['0:80'], healthcheck: {test: 'tcp:80', interval: 200ms},")
end)

local GATED = [[{command: [sh, -c, "echo one >>DIR/marks"]},
      {command: [sh, -c, "echo two >>DIR/marks; flock DIR/gate true"]}]]

test("up and its supervisor at once: each command runs once; who is killed leaves the rest to the next", function()
  with(GATED, function(stack, marks, _, directory)
    local gate <close> = assert(lock.open(directory .. "/gate"))
    assert(gate:try_take())
    stack:expect { "up", "-d" }
    stack:eventually("two begins", function() return marks() == "one\ntwo\n" end)
    local up <close> = stack:spawn { "up" }
    supervised.kill(supervised.supervisor(stack))
    stack:eventually("up goes on", function() return marks() == "one\ntwo\ntwo\n" end)
    gate:release()
    stack:eventually("all have run", function() return supervised.runtime(stack, "web-0").post_start.done == 2 end)
    equal({ task.within(10000, io_wait.await, up, "try_wait"), marks() }, { { exit = 0 }, "one\ntwo\ntwo\n" })
  end)
end)

test("up killed while a command runs: ps starts a supervisor that runs it again, and the rest; plan says so before", function()
  with(GATED, function(stack, marks, _, directory)
    local gate <close> = assert(lock.open(directory .. "/gate"))
    assert(gate:try_take())
    local up <close> = stack:spawn { "up" }
    stack:eventually("two begins", function() return marks() == "one\ntwo\n" end)
    up:kill()
    io_wait.await(up, "try_wait")
    local plan = stack:expect { "plan" }.stdout
    ok(plan:find("· web%-0  runs `sh %-c 'echo two [^`]*` once it is provisioned"), plan)
    stack:ps()
    stack:eventually("it goes on", function() return marks() == "one\ntwo\ntwo\n" end)
    gate:release()
    stack:eventually("all have run", function() return supervised.runtime(stack, "web-0").post_start.done == 2 end)
    equal({ stack:expect({ "plan" }).stdout, marks() }, { "0 to add, 0 to change, 0 to remove.\n", "one\ntwo\ntwo\n" })
  end)
end)

test("other settings end no command, and a stop leaves pre_stop out where it is not done: each runs once", function()
  with(GATED, function(stack, marks, _, directory)
    local gate <close> = assert(lock.open(directory .. "/gate"))
    assert(gate:try_take())
    stack:expect { "up", "-d" }
    stack:eventually("two begins", function() return marks() == "one\ntwo\n" end)
    local bye = ("pre_stop: [{command: [sh, -c, 'echo bye >>%s/marks; exit 1']}],"):format(directory)
    stack:write(yaml((GATED:gsub("DIR", directory)), bye))
    stack:expect { "up", "-d" }
    local waiting = stack:expect({ "up", "--wait-timeout", "2s" }, 4)
    ok(waiting.stderr:find("post_start: 2/2 `sh [^\n]*, by the supervisor, pid %d+\n"), waiting.stderr)
    local stopped = stack:expect { "stop" }
    ok(stopped.stderr:find("web-0: pre_stop was left out: its post_start is not done", 1, true), stopped.stderr)
    gate:release()
    stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
    equal(marks(), "one\ntwo\n")
  end)
end)

-- Whether a process has a file open whose path is like that.
local function holds(pid, pattern)
  for _, entry in ipairs(fs.list(("/proc/%d/fd"):format(pid)) or {}) do
    local path = fs.readlink(("/proc/%d/fd/%s"):format(pid, entry.name))
    if path and path:find(pattern) then return true end
  end
  return false
end

test("up that waits for a machine that ends before its post_start has run fails, whoever sees the end first", function()
  with(TWO, function(stack, marks, set)
    set { "web-0: ssh=0" }
    stack:expect { "up", "-d" }
    local up <close> = stack:spawn { "up" }
    stack:eventually("up waits for the supervisor", function() return holds(up.pid, "%.web%-0%+start%.lock$") end)
    supervised.kill(supervised.runtime(stack, "web-0").pid)
    equal({ task.within(20000, io_wait.await, up, "try_wait"), marks() }, { { exit = 4 }, "" })
    stack:eventually("the end is told", function() return stack:ps()["web-0"].status == "exited (crashed)" end)
  end)
end)

test("a command that ends its machine has not failed: the VM ended, and nothing of it runs on", function()
  with("{command: [sh, -c, 'echo $$$$ >>DIR/marks; flock DIR/gate true; kill -9 $$(cat DIR/pid); exit 1']}",
    function(stack, marks, _, directory)
      local gate <close> = assert(lock.open(directory .. "/gate"))
      assert(gate:try_take())
      local up
      task.all {
        function() up = stack:run { "up" } end,
        function()
          stack:eventually("it begins", function() return marks() ~= "" end)
          files.write(directory .. "/pid", tostring(supervised.runtime(stack, "web-0").pid))
          gate:release()
        end,
      }
      ok(up.stderr:find("the VM ended while it was waited for", 1, true), up.stderr)
      equal({ up.status, up.stderr:find "keeps running", #supervised.events(stack, "instance.post_start_failed") }, { 4, nil, 0 })
    end)
end)
