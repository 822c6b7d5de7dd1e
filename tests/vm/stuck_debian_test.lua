-- A full guest whose systemd has frozen. Its cloud kernel has no driver for the watchdog device and watches by itself.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local stack_ = require "tests.support.stack"

local YAML = [[
name: frozen
services:
  vm:
    image: IMAGE
    image_os: systemd
    cloud_init: {user: debian}
    vm: {memory_mb: 512, watchdog: true}
    restart: on-failure
    stop_grace_period: 2m
]]

local PATIENCE_MS = 600000

if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: a full guest that boots and freezes" end

local function exit_of(stack)
  for line in (fs.read(stack.state .. "/events/frozen.jsonl") or ""):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.type == "instance.exited" then return event end
  end
end

local function guest(stack, script) return stack:run { "exec", "vm", "--", "sh", "-c", script } end

test("a systemd that has frozen is noticed, and its machine is started again", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("debian") }
  stack:expect({ "up" }, 0, { timeout_ms = 1600000 })
  local before = stack:ps()["vm-0"]
  equal(guest(stack, [[systemctl show -p RuntimeWatchdogUSec --value
    cd /sys/class/watchdog/watchdog0; cat identity state timeout; lsmod | grep -c ^pvpanic_pci]]).stdout,
    "1min\nSoftware Watchdog\nactive\n60\n1\n")
  local report = fs.read(before.directory .. "/report.log")
  ok(report:find("no driver for its watchdog device (i6300esb)", 1, true), report)
  guest(stack, "sudo kill -SEGV 1")
  stack:eventually("its end is told", function() return exit_of(stack) end, PATIENCE_MS)
  equal({ exit_of(stack).how, exit_of(stack).text }, { "panicked", "its kernel has given up" })
  stack:eventually("it runs again", function()
    local pid = stack:ps()["vm-0"].pid
    return pid and pid ~= before.pid
  end, PATIENCE_MS)
end, { timeout_ms = 3000000 })
