-- The supervisor and a real guest: checks inside it, a killed QEMU, both of them killed, the guest's own power-off.
local clock = require "sys.clock"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"

local YAML = [[
name: pair
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    restart: on-failure
    stop_grace_period: 20s
    cloud_init: {runcmd: ["touch /root/works"]}
    healthcheck: {test: "test -e /root/works", interval: 1s, timeout: 20s, retries: 2}
]]

local PATIENCE_MS = 240000
-- Beyond its pause: what a busy machine takes to see the end, to launch, and to tell us.
local LAUNCH_MS = 30000

local function reaches(stack, what, pattern)
  stack:eventually(what, function() return stack:ps()["vm-0"].status:find(pattern) end, PATIENCE_MS)
  return stack:ps()["vm-0"]
end

local function guest(stack, script) return stack:expect { "exec", "vm", "--", "sh", "-c", script } end

local function unhealthy_for_a_time(stack)
  guest(stack, "rm /root/works")
  local sick = reaches(stack, "it is unhealthy", "^unhealthy$")
  guest(stack, "touch /root/works; sync")
  equal(reaches(stack, "it is healthy again", "^healthy$").pid, sick.pid)
end

local function comes_back_from_a_kill(stack, first)
  supervised.kill(first.pid)
  local killed_ms = clock.monotonic_ms()
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "vm-0", first.pid) end, PATIENCE_MS)
  local took_ms = clock.monotonic_ms() - killed_ms
  local exit = supervised.events(stack, "instance.exited")[1]
  equal({ exit.how, exit.restart_in_ms }, { "crashed", 100 })
  ok(took_ms >= 100 and took_ms < 100 + LAUNCH_MS, took_ms)
  local second = reaches(stack, "it is healthy again, with its disk", "^healthy$")
  equal(second.ssh_port, first.ssh_port)
  return second
end

-- The supervisor first, so that it sees nothing; its end is not waited for.
local function kill_with_its_supervisor(stack, machine)
  local supervisor = supervised.supervisor(stack)
  local processes = {}
  for i, pid in ipairs { supervisor, machine.pid } do
    processes[i] = assert(proc.open(pid, proc.identity(pid).start_time))
    processes[i]:signal "KILL"
  end
  for _, process in ipairs(processes) do
    task.wait { process = process }
    process:close()
  end
  equal({ #stack:supervisors(), #stack:pids() }, { 0, 0 })
  stack:expect { "ps" }
  supervised.supervisor(stack, supervisor)
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "vm-0", machine.pid) end, PATIENCE_MS)
  reaches(stack, "it is healthy, with its disk", "^healthy$")
end

test("unhealthy is shown; a killed machine comes back with its disk, with its supervisor too; one that is off stays off", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up" }
  local first = stack:ps()["vm-0"]
  equal(first.status, "healthy")
  unhealthy_for_a_time(stack)
  kill_with_its_supervisor(stack, comes_back_from_a_kill(stack, first))

  stack:run { "exec", "vm", "--", "poweroff" } -- which takes the connection along
  reaches(stack, "it has switched itself off", "^exited %(powered off%)$")
  local ends = {}
  for i, event in ipairs(supervised.events(stack, "instance.exited")) do ends[i] = event.how end
  equal(ends, { "crashed", "ended", "powered off" })
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
end, { timeout_ms = 900000 })
