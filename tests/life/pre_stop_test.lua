-- pre_stop on the stand-in for QEMU, whose guest is a real sshd: before a command switches a machine off, within its grace.
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local lock = require "sys.lock"
local pair = require "tests.support.pair"
local proc = require "sys.proc"
local qmp = require "holos.run.qmp"
local ssh_guest = require "tests.support.ssh_guest"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 4s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 20s, depends_on: [db], MORE
    pre_stop: [HOOKS]}
]]

local function yaml(hooks, more) return (YAML:gsub("HOOKS", hooks):gsub("MORE", more or "")) end

-- Runs body(stack, marks, set, hooks, directory) with hooks in which DIR is a directory; marks() is what was written to DIR/marks.
local function with(hooks, body, settings)
  local directory = tmpdir()
  hooks = hooks:gsub("DIR", directory)
  local stack <close> = stack_.on_fake(yaml(hooks))
  ssh_guest.with(stack, settings, function(_, set)
    stack:expect { "up" }
    body(stack, function() return fs.read(directory .. "/marks") or "" end, set, hooks, directory)
    stack:expect { "down", "--no-pre-stop" }
  end)
end

local BOTH_RUN = { ["db-0"] = "running", ["web-0"] = "running" }

local MARK = "{command: [sh, -c, 'echo bye >>DIR/marks']}"

test("they run before stop, restart, a change that restarts, a recreation and down", function()
  with(MARK, function(stack, marks, _, hooks)
    local function expect(count, ...)
      stack:expect { ... }
      equal(marks(), ("bye\n"):rep(count))
    end
    expect(1, "stop")
    expect(1, "stop")
    expect(1, "start")
    expect(2, "restart", "web")
    stack:write(yaml(hooks, "vm: {memory_mb: 1024},"))
    expect(3, "up")
    expect(4, "up", "--recreate=web", "--force-recreate")
    expect(5, "down", "web")
    expect(5, "up")
  end)
end)

test("one that fails leaves the machine running, and what it depends on; nothing is moved, and the record says so", function()
  with("{command: [sh, -c, 'echo busy >&2; exit 3']}", function(stack)
    local pid = stack:ps()["web-0"].pid
    for _, verb in ipairs { "stop", "down" } do
      local failed = stack:expect({ verb }, 1)
      ok(failed.stderr:find("web-0: pre_stop 1 of 1, `sh -c 'echo busy >&2; exit 3'`, failed: exit 3; it runs on", 1, true),
        failed.stderr)
      ok(failed.stderr:find("web-0 | busy", 1, true), failed.stderr)
      local rows = stack:ps()
      equal({ rows["web-0"].pid, rows["db-0"].running, pair.desired(stack), #stack:supervisors() },
        { pid, true, BOTH_RUN, 1 })
    end
    stack:expect { "up" }
    stack:write((YAML:gsub("    pre_stop: %[HOOKS%]}", "    vm: {memory_mb: 1024}}"):gsub("MORE", "")))
    stack:expect { "up" } -- the file no longer has it, which counts at once
    ok(stack:ps()["web-0"].pid ~= pid)
  end)
end)

test("a change that restarts several leaves the one alone whose command fails, and changes the others", function()
  with("{command: 'false'}", function(stack)
    local before = stack:ps()
    stack:write((yaml("{command: 'false'}", "vm: {memory_mb: 1024},"):gsub("depends_on: %[db%], ", "")
      :gsub("db: {", "db: {vm: {memory_mb: 1024}, ")))
    ok(stack:expect({ "plan" }).stdout:find("· web-0  runs `false` before it stops   (pre_stop, at most 10s)", 1, true))
    local failed = stack:expect({ "up" }, 1)
    ok(not failed.stderr:find("was not started", 1, true), failed.stderr)
    local after = stack:ps()
    equal({ after["web-0"].pid, after["db-0"].pid ~= before["db-0"].pid, pair.desired(stack) },
      { before["web-0"].pid, true, BOTH_RUN })
    equal(stack:run({ "plan", "--exit-code" }).status, 10)
  end)
end)

test("they have half of the grace; one that takes longer is cut off, and the machine runs on", function()
  with("{command: 'true'}, {command: [sh, -c, 'exec flock DIR/gate true']}", function(stack, _, _, _, directory)
    local gate <close> = assert(lock.open(directory .. "/gate"))
    assert(gate:try_take())
    local failed = stack:expect({ "stop", "--timeout", "6s", "web" }, 1)
    local waited = failed.stderr:match("pre_stop 2 of 2, `[^`]*`, failed: not done after ([%d.]+)[ms]+; it runs on")
    ok(waited, failed.stderr)
    equal(stack:ps()["web-0"].running, true)
    gate:release()
    stack:expect { "stop", "web" }
  end)
end)

local function pause(stack)
  local session <close> = qmp.connect(require "holos.run.world", { directory = stack.state .. "/instances/pair/web-0",
    name = "qmp-command.sock" }, { timeout_ms = 5000 })
  session:execute "stop"
end

test("they are left out, and that is said, where the guest cannot be asked; a machine may end by its own commands", function()
  with("{command: [sh, -c, 'echo bye >>DIR/marks; kill $$(cat DIR/pid)']}", function(stack, marks, set, _, directory)
    local function left_out(settings, words, ...)
      set(settings)
      stack:expect { "up", "-d" }
      if words == "paused" then pause(stack) end
      local stopped = stack:expect { "stop", "web", ... }
      ok(stopped.stderr:find("web-0: pre_stop was left out: " .. words, 1, true), stopped.stderr)
      equal({ marks(), stack:ps()["web-0"].running }, { "", false })
    end
    left_out({}, "there is no time for them", "--timeout", "0s")
    left_out({ "web-0: report=ready" }, "its first steps are not done")
    left_out({ "web-0: ssh=0" }, "ssh to ")
    left_out({}, "paused")
    set {}
    stack:expect { "up" }
    files.write(directory .. "/pid", tostring(stack:ps()["web-0"].pid))
    stack:expect { "stop" }
    equal({ marks(), stack:ps()["web-0"].running }, { "bye\n", false })
  end)
end)

local function count(stack, kind)
  local found = 0
  for _, event in ipairs(supervised.events(stack, kind)) do
    if event.instance == "web-0" then found = found + 1 end
  end
  return found
end

test("a machine that its own pre_stop switches off was stopped by it: that is written, and what follows, once", function()
  with("{command: [sh, -c, 'kill $$(cat DIR/pid)']}", function(stack, _, _, _, directory)
    for number, words in ipairs { { "restart", "web" }, { "up", "--recreate=web", "--force-recreate" }, { "stop", "web" } } do
      local pid = stack:ps()["web-0"].pid
      files.write(directory .. "/pid", tostring(pid))
      stack:expect(words)
      local now = supervised.runtime(stack, "web-0")
      local is_up = words[1] ~= "stop"
      equal({ now.pid ~= nil, now.pid == pid, now.exit }, { is_up, false, not is_up and "ended" or nil })
      equal({ count(stack, "instance.stopped"), count(stack, "instance.exited"), count(stack, "instance.launched") },
        { number, 0, 1 + math.min(number, 2) })
    end
  end)
end)

test("a stop that ends in the middle of them: by Ctrl-C all runs on as before; a killed one is finished by the next", function()
  with("{command: [sh, -c, 'echo bye >>DIR/marks; exec flock DIR/gate true']}", function(stack, marks, _, _, directory)
    local gate <close> = assert(lock.open(directory .. "/gate"))
    assert(gate:try_take())
    for number, signal in ipairs { "INT", "KILL" } do
      local down <close> = stack:spawn { "down" }
      stack:eventually("it runs", function() return marks() == ("bye\n"):rep(number) end)
      local process <close> = assert(proc.open(down.pid, down.start_time))
      process:signal(signal)
      io_wait.await(down, "try_wait")
      equal({ stack:ps()["web-0"].running, stack:ps()["db-0"].running }, { true, true })
      if signal == "INT" then equal({ pair.desired(stack), #stack:supervisors() }, { BOTH_RUN, 1 }) end
    end
    gate:release()
    stack:expect { "down" }
    equal({ marks(), #stack:pids() }, { ("bye\n"):rep(3), 0 })
    stack:expect { "up", "-d" }
  end)
end)
