-- depends_on: machines that are to switch themselves off first, and those that are restarted with what they depend on.
local fake_qemu = require "tests.support.fake_qemu"
local stack_ = require "tests.support.stack"

local JOB = [[
name: pair
services:
  migrate: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    depends_on: {migrate: {condition: service_completed_successfully}}
]]

test("a machine starts when the other has switched itself off; a second up does not run that again", function()
  local stack <close> = stack_.on_fake(JOB, { "migrate-0: exit_after_ms=500", "migrate-0: reason=guest-shutdown" })
  stack:expect { "up" }
  local rows = stack:ps()
  equal({ rows["migrate-0"].status, rows["web-0"].status }, { "exited (powered off)", "provisioned" })
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
  ok(stack:expect({ "up" }).stderr:find("up to date", 1, true))
  equal(stack:ps()["web-0"].pid, rows["web-0"].pid)
  fake_qemu.set(stack.qemu, { "migrate-0: exit_after_ms=500", "migrate-0: reason=guest-shutdown" })
  stack:expect { "stop" }
  stack:expect { "up" }
  equal(stack:ps()["migrate-0"].status, "exited (powered off)")
end)

test("a machine that ends otherwise, or halts, keeps those from starting that wait for it to complete", function()
  local stack <close> = stack_.on_fake(JOB, { "migrate-0: exit_after_ms=500", "migrate-0: reason=guest-panic" })
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("migrate-0: the VM ended while it was waited for: the guest's kernel panicked", 1, true), failed.stderr)
  equal(stack:ps()["web-0"].running, false)
  fake_qemu.set(stack.qemu, { "migrate-0: halt_after_ms=500", "migrate-0: halt=guest-panicked" })
  ok(stack:expect({ "up" }, 4).stderr:find("panicked: its kernel has given up", 1, true))
  fake_qemu.set(stack.qemu, {})
  ok(stack:expect({ "up", "--wait-timeout", "500ms" }, 4).stderr:find("migrate-0: not completed after", 1, true))
end)

local FOLLOWING = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, depends_on: {db: {condition: service_started, restart: true}}}
  log: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, depends_on: [db]}
]]

test("restart: true restarts with the dependency when holos restarts it, and not when it crashes", function()
  local stack <close> = stack_.on_fake(FOLLOWING)
  stack:expect { "up" }
  local before = stack:ps()
  stack:write((FOLLOWING:gsub("db: {image", "db: {vm: {memory_mb: 1024}, image", 1)))
  local plan = stack:expect({ "plan", "--exit-code" }, 10).stdout
  ok(plan:find("~ web-0  restart   db is restarted   (disk kept)", 1, true), plan)
  stack:expect { "up" }
  local after = stack:ps()
  equal({ after["db-0"].pid == before["db-0"].pid, after["web-0"].pid == before["web-0"].pid,
    after["log-0"].pid == before["log-0"].pid }, { false, false, true })
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
end)
