-- How a guest comes to feed its watchdog, judged by shells.
local fake_guest = require "tests.support.fake_guest"
local seed_spec = require "tests.support.seed_spec"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

--- A guest that has booted with `action`; `identity` is that of its second watchdog.
---@param fails string[]?  what cannot be run
local function booted(shell, os, action, identity, fails)
  local guest = fake_guest.new(tmpdir(), tool.find(shell))
  guest:write("dev/console", "")
  guest:write("dev/watchdog1", "")
  guest:write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
  guest:write("sys/class/watchdog/watchdog0/identity", "iTCO_wdt\n")
  guest:write("sys/class/watchdog/watchdog1/identity", identity .. "\n")
  guest:write("fails", table.concat(fails or {}, "\n") .. "\n")
  local spec = seed_spec.new(os, { console_login = "none", vm = { watchdog = action } })
  spec.cloud_init, spec.mounts = { runcmd = {}, write_files = {}, packages = {}, bootcmd = {} }, {}
  guest:insert(spec)
  equal(guest:run("boot.sh").status, 0)
  return guest
end

local function calls(guest, pattern)
  local found = {}
  for line in guest:read("called"):gmatch("[^\n]+") do
    if line:find(pattern) then found[#found + 1] = line end
  end
  return found
end

local function reported(guest, text)
  for _, line in ipairs(guest:report()) do
    if line:find(text, 1, true) then return true end
  end
  return false
end

for _, shell in ipairs { "dash", "busybox" } do
  test(shell .. ": systemd feeds the device that is ours", function()
    local guest = booted(shell, "systemd", "pause", "i6300ESB timer")
    equal(calls(guest, "^modprobe i6300esb"), { "modprobe i6300esb heartbeat=60" })
    equal(calls(guest, "^modprobe softdog"), {})
    equal(guest:read "run/systemd/system.conf.d/50-holos-watchdog.conf",
      ("[Manager]\nRuntimeWatchdogSec=60\nWatchdogDevice=%s/dev/watchdog1\n"):format(guest.root))
    equal(calls(guest, "^systemctl daemon"), { "systemctl daemon-reexec" })
    ok(not reported(guest, "failed"))
  end)

  test(shell .. ": busybox feeds it where there is no systemd", function()
    local guest = booted(shell, "plain", "reset", "i6300ESB timer")
    equal(calls(guest, "^busybox watchdog %-T"), { ("busybox watchdog -T 60 -t 15 %s/dev/watchdog1"):format(guest.root) })
  end)

  test(shell .. ": a kernel without a driver for the device watches with a timer of its own, and says so", function()
    for action, parameter in pairs { pause = "soft_panic=1", poweroff = "soft_panic=1", reset = "soft_panic=0" } do
      local guest = booted(shell, "openrc", action, "Software Watchdog", { "modprobe i6300esb heartbeat=60" })
      equal(calls(guest, "^modprobe softdog"), { "modprobe softdog soft_margin=60 " .. parameter })
      equal(#calls(guest, "^busybox watchdog %-T"), 1)
      ok(reported(guest, "log this kernel has no driver for its watchdog device"))
    end
  end)

  test(shell .. ": a guest that can have no watchdog says so, and starts", function()
    local guest = booted(shell, "plain", "pause", "none", { "modprobe i6300esb heartbeat=60",
      "modprobe softdog soft_margin=60 soft_panic=1" })
    local lines = table.concat(guest:report(), "\n")
    ok(lines:find("failed 0 1 watchdog", 1, true), lines)
    ok(lines:find("ready", 1, true), lines)
  end)
end

test("a guest without busybox feeds it from a shell", function()
  local guest = booted("dash", "plain", "pause", "none", { "busybox watchdog --help", "modprobe i6300esb heartbeat=60",
    "modprobe softdog soft_margin=60 soft_panic=1" })
  guest:write("bin/sleep", "#!/bin/sh\nexit 1\n")
  guest:write("fails", "busybox watchdog --help\n")
  guest:write("sys/class/watchdog/watchdog1/identity", "i6300ESB timer\n")
  equal(guest:run("boot.sh").status, 0)
  local written = pcall(task.within, 5000, function()
    while guest:read("dev/watchdog1") ~= "." do task.wait { at_ms = task.now_ms() + 10 } end
  end)
  ok(written, "nothing was written to the watchdog")
end)
