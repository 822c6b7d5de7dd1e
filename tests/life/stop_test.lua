-- Stopping: who goes first, what becomes of guests that do not listen, of a host that was rebooted, of a file that is broken.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"

local CHAIN = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 20s}
  api: {image: ./image.qcow2, image_os: plain, depends_on: [db], stop_grace_period: 20s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 4, depends_on: [api], stop_grace_period: 20s}
]]

--- The instances that were stopped, in the order in which they ended, each with how it did.
local function stopped(stack)
  local names, hows = {}, {}
  for line in files.read(stack.state .. "/events/pair.jsonl"):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.type == "instance.stopped" then names[#names + 1], hows[event.instance] = event.instance, event.how end
  end
  return names, hows
end

test("dependents are stopped first, those of one level at the same time, also over one that does not run", function()
  local stack <close> = stack_.on_fake(CHAIN, { "shutdown_ms=1500" })
  stack:expect { "up" }
  stack:expect { "stop", "api" }
  local begun_ms = task.now_ms()
  stack:expect { "down" }
  local took_ms, names = task.now_ms() - begun_ms, stopped(stack)
  ok(took_ms < 6 * 1500, ("five took %d ms"):format(took_ms))
  equal({ #names, names[1], names[6] }, { 6, "api-0", "db-0" })
end)

test("a guest that hears the second press powers off; one that hears nothing is killed, and only then its disk is moved",
  function()
    local stack <close> = stack_.on_fake(CHAIN, { "web-0: powerdown=second", "web-1: powerdown=ignore", "db-0: powerdown=ignore",
      "db-0: sigterm=ignore" })
    stack:expect { "up" }
    local pids = stack:pids()
    local down = stack:expect { "down", "--timeout", "6s" }
    local _, hows = stopped(stack)
    equal(hows, { ["api-0"] = "powered off", ["db-0"] = "killed", ["web-0"] = "powered off", ["web-1"] = "terminated",
      ["web-2"] = "powered off", ["web-3"] = "powered off" })
    for _, pid in ipairs(pids) do equal(proc.identity(pid), nil, down.stderr) end
    equal({ #pids, #files.below(stack.state .. "/trash", "/root%.qcow2$") }, { 6, 6 })
  end)

--- As if the host had been rebooted: nothing runs, and what is written of it is of another boot.
local function reboot(stack)
  stack:eventually("a supervisor", function() return #stack:supervisors() > 0 end)
  for _, pid in ipairs(stack:supervisors()) do supervised.kill(pid) end
  for _, pid in ipairs(stack:pids()) do supervised.kill(pid) end
  for _, file in ipairs(files.below(stack.state .. "/instances", "/runtime%.json$")) do
    local text = assert(fs.read(file))
    local runtime = assert(json.decode(text, {}))
    runtime.boot_id, runtime.pid, runtime.start_time = "of-the-last-boot", proc.self().pid, proc.self().start_time
    assert(fs.write_atomic(file, json.encode(runtime, {}), { mode = 384 }))
  end
end

test("after a reboot of the host what was recorded of processes is not believed: nothing is signalled, up and down work", function()
  for _, words in ipairs { { "up" }, { "start" }, { "stop" }, { "down" } } do
    local stack <close> = stack_.on_fake(CHAIN)
    stack:expect { "up" }
    reboot(stack)
    equal({ stack:ps()["db-0"].status, stack:ps()["db-0"].running }, { "stopped (host rebooted)", false })
    stack:expect(words)
    equal(#stack:pids(), (words[1] == "up" or words[1] == "start") and 6 or 0, words[1])
  end
end)

test("down takes away all that is recorded when the file is broken, says less, or is gone", function()
  local cases = {
    { function(stack) stack:write("services: [\n") end, { "down" } },
    { function(stack) stack:write((CHAIN:gsub("\n  api.*$", "\n"))) end, { "down" } },
    { function(stack) assert(fs.remove(stack.directory .. "/holos.yaml")) end, { "down", "-p", "pair" } },
    { function(stack) assert(fs.remove(stack.directory .. "/holos.yaml")) end, { "down", "pair" } },
  }
  for _, case in ipairs(cases) do
    local stack <close> = stack_.on_fake(CHAIN)
    stack:expect { "up", "-d" }
    case[1](stack)
    stack:expect(case[2])
    equal({ #stack:pids(), #files.below(stack.state .. "/trash", "/root%.qcow2$") }, { 0, 6 }, table.concat(case[2], " "))
  end
end)
