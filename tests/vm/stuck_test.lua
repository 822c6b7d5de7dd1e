-- Guests that panic or hang, for real: the host hears of it, says why, and starts them again where a policy says so.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

-- Two machines of one project boot side by side, and each gets into its own trouble.
local YAML = [[
name: stuck
services:
  panics:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    restart: on-failure
    stop_grace_period: 20s
  hangs:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256, watchdog: true}
    restart: on-failure
    stop_grace_period: 20s
]]

local PATIENCE_MS = 300000

if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: guests that boot twice and hang for a minute" end

local function events(stack, instance)
  local list = {}
  for line in (fs.read(stack.state .. "/events/stuck.jsonl") or ""):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.instance == instance then list[#list + 1] = event end
  end
  return list
end

local function exit_of(stack, instance)
  for _, event in ipairs(events(stack, instance)) do
    if event.type == "instance.exited" then return event end
  end
end

local function guest(stack, service, script) return stack:run { "exec", service, "--", "sh", "-c", script } end

local function comes_back(stack, instance, before)
  stack:eventually(instance .. " runs again", function()
    local row = stack:ps()[instance]
    return row.status == "provisioned" and row.pid ~= before.pid
  end, PATIENCE_MS)
end

test("a kernel that panics and one that hangs are noticed, and started again with their disks", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up" }
  local before = stack:ps()
  guest(stack, "panics", "echo kept >/root/mark; sync")
  stack:eventually("its kernel can tell of a panic", function()
    return guest(stack, "panics", "lsmod | grep pvpanic_pci").status == 0
  end, PATIENCE_MS)
  equal(guest(stack, "hangs", "cat /sys/class/watchdog/watchdog0/state /sys/class/watchdog/watchdog0/timeout").stdout,
    "active\n60\n")
  -- Nothing answers any more, so nobody waits for it.
  guest(stack, "panics", "(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
  guest(stack, "hangs", "kill -STOP $(ps -o pid,args | awk '/ busybox [w]atchdog/ { print $1 }')")

  stack:eventually("the panic is told", function() return exit_of(stack, "panics-0") end, PATIENCE_MS)
  equal({ exit_of(stack, "panics-0").how, exit_of(stack, "panics-0").text }, { "panicked", "its kernel has given up" })
  comes_back(stack, "panics-0", before["panics-0"])
  equal(guest(stack, "panics", "cat /root/mark").stdout, "kept\n")

  stack:eventually("the watchdog runs out", function() return exit_of(stack, "hangs-0") end, PATIENCE_MS)
  equal({ exit_of(stack, "hangs-0").how, exit_of(stack, "hangs-0").text }, { "watchdog", "its watchdog has stopped it" })
  comes_back(stack, "hangs-0", before["hangs-0"])
  stack:expect { "stop" }
  for _, row in pairs(stack:ps()) do equal(row.status, "stopped") end
end, { timeout_ms = 1200000 })

local function ends(pid, signal)
  local process <close> = assert(proc.open(pid, proc.identity(pid).start_time))
  if signal then process:signal(signal) end
  task.within(PATIENCE_MS, function() task.wait { process = process } end)
end

test("a guest that powers off, and one that is terminated, while there is no supervisor: what they left says so", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up" }
  local before = stack:ps()
  stack:eventually("there is a supervisor", function() return #stack:supervisors() == 1 end)
  ends(stack:supervisors()[1], "KILL")
  -- exec would not start a supervisor; ps would.
  guest(stack, "panics", "poweroff")
  ends(before["panics-0"].pid)
  ends(before["hangs-0"].pid, "TERM")
  stack:expect { "ps" }
  stack:eventually("both ends are told", function() return exit_of(stack, "panics-0") and exit_of(stack, "hangs-0") end)
  equal({ exit_of(stack, "panics-0").how, exit_of(stack, "hangs-0").how }, { "powered off", "terminated" })
  comes_back(stack, "hangs-0", before["hangs-0"])
  equal(stack:ps()["panics-0"].status, "exited (powered off)")
end, { timeout_ms = 1200000 })
