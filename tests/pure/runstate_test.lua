--- plan/runstate: what QEMU's run states mean for those who wait.

local runstate = require "holos.plan.runstate"

local function block(status, node)
  return { ["io-status"] = status, inserted = { ["node-name"] = node } }
end

test("runstate: a guest that runs is not halted, nor is one that QEMU is about to end", function()
  for _, status in ipairs { "running", "shutdown", "prelaunch", "inmigrate" } do equal(runstate.halt(status), nil) end
end)

test("runstate: a full disk, a failing disk, and one that nobody can name", function()
  local full = runstate.halt("io-error", { block("ok", "root"), block("nospace", "vol-data") })
  equal({ full.word, full.cure }, { "io-error", "resume" })
  equal(full.text, "paused, as the host's disk is full (writing vol-data)")
  equal(runstate.halt("io-error", { block("failed", "root") }).text, "paused, as the host failed to read or write its disk root")
  equal(runstate.halt("io-error", {}).text, "paused, as one of its disks failed")
  equal(runstate.halt("io-error", { "nonsense", { ["io-status"] = "nospace" } }).text,
    "paused, as the host's disk is full")
end)

test("runstate: what helps", function()
  equal(runstate.halt("paused").cure, "resume")
  equal({ runstate.halt("guest-panicked").word, runstate.halt("guest-panicked").cure }, { "panicked", "restart" })
  equal(runstate.halt("internal-error").cure, "restart")
  equal(runstate.halt("suspended").cure, nil)
end)

test("runstate: a state of a later QEMU is shown, without what a terminal could read", function()
  equal(runstate.halt("napping\27[2J").word, "napping??2J")
  equal(runstate.halt(7).word, "unknown")
end)

test("runstate: the failure of a wait names the instance, the reason and the next step", function()
  local spec = { project = "shop", name = "web-0" }
  equal(runstate.problem(spec, runstate.halt("io-error", { block("nospace", "root") })), { code = "EHALTED", exit = 4,
    can_go_on = true, message = "web-0: io-error: paused, as the host's disk is full (writing root)",
    hint = "free space, then: holos start -p shop web-0" })
  local hint = runstate.problem(spec, runstate.halt("guest-panicked")).hint
  ok(hint:find("holos logs -p shop web-0", 1, true), hint)
end)
