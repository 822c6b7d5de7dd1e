-- Guests that live and do not run: a full disk of the host, a pause, a panic. Waiting, listing, stopping, going on.
local fake_qemu = require "tests.support.fake_qemu"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local PAIR = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
]]

local function stack_of(yaml, settings) return stack_.on_fake(yaml, settings) end

local CASES = {
  { halt = "io-error", says = "web-0: io-error: paused, as the host's disk is full (writing root)",
    hint = "free space, then: holos start -p pair web-0", state = "io-error" },
  { halt = "paused", says = "web-0: paused: somebody has paused it over its monitor", hint = "holos start -p pair web-0",
    state = "paused" },
  { halt = "guest-panicked", says = "web-0: panicked: its kernel has given up", hint = "holos logs -p pair web-0",
    state = "panicked" },
  { halt = "internal-error", says = "web-0: internal-error: QEMU or KVM could not carry on", hint = "holos logs -p pair web-0",
    state = "internal-error" },
}

for _, case in ipairs(CASES) do
  test(("a guest in state %s fails the wait for it at once; ps shows it; start makes it run"):format(case.halt), function()
    local stack <close> = stack_of(PAIR, { "web-0: report=none", "web-0: halt_after_ms=150", "web-0: halt=" .. case.halt })
    local begun_ms = task.now_ms()
    local failed = stack:expect({ "up" }, 4)
    ok(task.now_ms() - begun_ms < 20000, "it was waited for")
    ok(failed.stderr:find(case.says, 1, true) and failed.stderr:find(case.hint, 1, true), failed.stderr)
    local before = stack:ps()
    equal({ before["web-0"].state, before["db-0"].state, before["web-0"].running }, { case.state, "provisioned", true })

    fake_qemu.set(stack.qemu, {})
    stack:expect { "start", "-d", "web" }
    local after = stack:ps()
    equal(after["web-0"].state ~= case.state, true)
    equal(after["db-0"].pid, before["db-0"].pid)
    local goes_on = case.halt == "io-error" or case.halt == "paused"
    equal(after["web-0"].pid == before["web-0"].pid, goes_on)
  end)
end

test("a guest that is halted before up looks is no guest that is up to date", function()
  local stack <close> = stack_of(PAIR, { "web-0: halt_after_ms=200" })
  stack:expect { "up" }
  task.within(20000, function()
    while stack:ps()["web-0"].state ~= "io-error" do task.wait { at_ms = task.now_ms() + 20 } end
  end)
  local plan = stack:expect({ "plan", "--exit-code" }, 10)
  ok(plan.stdout:find("~ web-0  go on   io-error: paused, as the host's disk is full", 1, true), plan.stdout)
  stack:expect { "up" }
  equal(stack:ps()["web-0"].state, "provisioned")
end)

test("a halted guest is stopped: a paused one hears the power button, a panicked one is not waited for", function()
  local stack <close> = stack_of((PAIR:gsub("2s", "60s")), { "report=none", "halt_after_ms=400", "web-0: halt=paused",
    "db-0: halt=guest-panicked" })
  stack:expect { "up", "-d" }
  task.within(20000, function()
    while stack:ps()["web-0"].state ~= "paused" do task.wait { at_ms = task.now_ms() + 20 } end
  end)
  local stopped = stack:expect { "stop" }
  ok(stopped.stderr:find("web-0  powered off", 1, true), stopped.stderr)
  ok(stopped.stderr:find("db-0  terminated", 1, true), stopped.stderr)
  equal(stack:ps()["web-0"].status, "stopped")
end)

test("ps does not hang on a QEMU that does not answer, and asks all at the same time", function()
  local proc = require "sys.proc"
  local stack <close> = stack_of((PAIR:gsub("web: {", "web: {replicas: 8, ")))
  stack:expect { "up" }
  local frozen = {}
  for name, row in pairs(stack:ps()) do
    if name ~= "db-0" then frozen[#frozen + 1] = assert(proc.open(row.pid, proc.identity(row.pid).start_time)) end
  end
  for _, process in ipairs(frozen) do process:signal("STOP") end
  local begun_ms = task.now_ms()
  local rows = stack:ps()
  local took_ms = task.now_ms() - begun_ms
  for _, process in ipairs(frozen) do process:signal("CONT") process:close() end
  equal(#frozen, 8)
  ok(took_ms < 8 * 300, ("eight that do not answer took %d ms"):format(took_ms))
  equal({ rows["db-0"].status, rows["web-3"].status }, { "provisioned", "provisioned, its monitor does not answer" })
end)

test("why a VM ended while it was waited for is said", function()
  local stack <close> = stack_of(PAIR, { "report=none", "exit_after_ms=300", "reason=guest-panic" })
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("ended while it was waited for: the guest's kernel panicked", 1, true), failed.stderr)
end)

local PUBLISHED = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, ports: ["0:80"], stop_grace_period: 2s}
]]

--- The ports that the record keeps for web-0. `forget`: takes them out, as if whoever launched it was killed before he
--- could write them down.
local function leased(stack, forget)
  local kept = pair.record(stack).instances["web-0"].leased
  if forget then pair.edit(stack, "projects/pair.json", function(record) record.instances["web-0"].leased = {} end) end
  return kept
end

test("a guest that is halted as soon as it is launched keeps its ports", function()
  local stack <close> = stack_of(PUBLISHED, { "report=none", "halt_after_ms=1", "halt=io-error" })
  stack:expect({ "up" }, 4)
  local row = stack:ps()["web-0"]
  equal(leased(stack), { ssh = row.ssh_port, ["tcp:80"] = row.ports[1].host })
end)

test("ports of a VM that nobody wrote down are kept by the next stop, start or up", function()
  local stack <close> = stack_of(PUBLISHED)
  stack:expect { "up" }
  local wanted = leased(stack, true)
  ok(wanted.ssh and wanted["tcp:80"])
  for _, words in ipairs { { "up" }, { "start" }, { "stop" } } do
    stack:expect(words)
    equal(leased(stack, words[1] ~= "stop"), wanted, words[1])
  end
  stack:expect { "start" }
  local row = stack:ps()["web-0"]
  equal({ row.ssh_port, row.ports[1].host }, { wanted.ssh, wanted["tcp:80"] })
end)
