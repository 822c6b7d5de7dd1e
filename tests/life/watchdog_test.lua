-- A guest that does not feed its watchdog: paused and started again by its policy, reset, or ended; why is said.
local fake_qemu = require "tests.support.fake_qemu"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, restart: POLICY, vm: {watchdog: ACTION}}
]]

local function stack_of(action, policy, settings)
  return stack_.on_fake((YAML:gsub("%u%u+", { ACTION = action, POLICY = policy })), settings)
end

test("a guest that its watchdog has paused is started again where a policy says so", function()
  local stack <close> = stack_of("true", "on-failure", { "halt_after_ms=600", "halt=watchdog" })
  stack:expect { "up", "-d" }
  local pid = stack:ps()["web-0"].pid
  stack:eventually("it is started again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  fake_qemu.set(stack.qemu, {})
  local exited = supervised.events(stack, "instance.exited")[1]
  equal({ exited.how, exited.text, #supervised.events(stack, "instance.watchdog") >= 1 },
    { "watchdog", "its watchdog has stopped it", true })
  stack:eventually("it serves", function() return stack:ps()["web-0"].status == "provisioned" end)
end)

test("where none does it is left to be looked at, and up has said so", function()
  local stack <close> = stack_of("pause", '"no"', { "halt_after_ms=600", "halt=watchdog" })
  local upped = stack:expect { "up", "-d" }
  ok(upped.stderr:find("web: a guest that its watchdog pauses stays paused", 1, true), upped.stderr)
  stack:eventually("it is shown", function() return stack:ps()["web-0"].status == "watchdog: its watchdog has stopped it" end)
end)

test("a guest that its watchdog resets runs on, and no restart is counted", function()
  local stack <close> = stack_of("reset", "on-failure", { "halt_after_ms=600", "halt=reset" })
  stack:expect { "up", "-d" }
  local pid = stack:ps()["web-0"].pid
  stack:eventually("it is told", function() return supervised.events(stack, "instance.reset")[1] end)
  equal({ #supervised.events(stack, "instance.watchdog"), #supervised.events(stack, "instance.exited") }, { 1, 0 })
  equal(stack:ps()["web-0"].pid, pid)
end)

test("a machine that its watchdog ends has failed, and ps says why", function()
  local stack <close> = stack_of("poweroff", '"on-failure:1"', { "exit_after_ms=900", "reason=watchdog" })
  stack:expect { "up", "-d" }
  stack:eventually("it gives up", function() return (supervised.runtime(stack, "web-0").restarts or {}).gave_up end)
  equal(stack:ps()["web-0"].status, "exited (watchdog, gave up after 1 restart)")
  equal(supervised.events(stack, "instance.exited")[1].text, "its watchdog ended it: the guest had not fed it for too long")
end)
