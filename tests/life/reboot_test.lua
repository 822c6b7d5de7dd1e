-- After a reboot of the host: who comes back, in which order, and who has to be asked.
local fake_qemu = require "tests.support.fake_qemu"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local PAIR = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, restart: always, stop_grace_period: 2s}
]]

local ORDERED = [[
name: pair
services:
  db:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    restart: unless-stopped
    ports: ["0:80"]
    healthcheck: {test: "tcp:80", interval: 200ms, timeout: 2s, retries: 20}
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    restart: always
    depends_on: {db: {condition: service_healthy}}
  lone: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, restart: always}
]]

local JOB = [[
name: pair
services:
  migrate: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, restart: always, stop_grace_period: 2s,
    depends_on: {migrate: {condition: service_completed_successfully}}}
]]

local function run_anew(stack, before, names)
  stack:eventually("they run again", function()
    for _, name in ipairs(names) do
      if not supervised.runs_anew(stack, name, before[name].pid) then return false end
    end
    return true
  end)
end

-- Where in the journal the first event is that is so, behind `from`; nil when there is none.
local function find(stack, from, wanted)
  for position, event in ipairs(supervised.journal(stack)) do
    local is_it = position > from
    for key, value in pairs(wanted) do is_it = is_it and event[key] == value end
    if is_it then return position, event end
  end
end

test("ps brings back what is to run always, and leaves the rest as it is", function()
  local stack <close> = stack_.on_fake(PAIR)
  stack:expect { "up" }
  local before = stack:ps()
  supervised.reboot(stack)
  equal(stack:ps()["db-0"].status, "stopped (host rebooted)")
  run_anew(stack, before, { "web-0" })
  equal(stack:ps()["db-0"].status, "stopped (host rebooted)")
  equal(supervised.events(stack, "instance.restarting")[1].text, "the host was rebooted")
end)

test("ps starts no supervisor where nothing is to come back", function()
  local stack <close> = stack_.on_fake((PAIR:gsub("always", "on-failure")))
  stack:expect { "up" }
  supervised.reboot(stack)
  for _ = 1, 2 do equal(stack:ps()["web-0"].status, "stopped (host rebooted)") end
  equal(#stack:supervisors(), 0)
end)

test("who depends on others waits for them, who does not comes back beside them", function()
  local stack <close> = stack_.on_fake(ORDERED)
  stack:expect { "up" }
  local before = stack:ps()
  supervised.reboot(stack)
  fake_qemu.set(stack.qemu, { "db-0: report_delay_ms=1500" })
  local from = #supervised.journal(stack)
  stack:expect { "ps" }
  run_anew(stack, before, { "db-0", "web-0", "lone-0" })
  local function launched(name) return find(stack, from, { type = "instance.restarting", instance = name }) end
  local healthy = find(stack, from, { type = "instance.health", instance = "db-0", status = "healthy" })
  local waiting, told = find(stack, from, { type = "instance.waiting", instance = "web-0" })
  equal(told.text, "waits until db-0 is healthy")
  equal({ launched "db-0" < healthy, launched "lone-0" < healthy, waiting < healthy, healthy < launched "web-0" },
    { true, true, true, true })
end)

test("of machines that were killed with their supervisor, who depends on others waits for them too", function()
  local stack <close> = stack_.on_fake(ORDERED)
  stack:expect { "up" }
  local before = stack:ps()
  supervised.kill(supervised.supervisor(stack))
  for _, row in pairs(before) do supervised.kill(row.pid) end
  fake_qemu.set(stack.qemu, { "db-0: report_delay_ms=1500" })
  local from = #supervised.journal(stack)
  stack:expect { "ps" }
  run_anew(stack, before, { "db-0", "web-0", "lone-0" })
  local healthy = find(stack, from, { type = "instance.health", instance = "db-0", status = "healthy" })
  ok(healthy < find(stack, from, { type = "instance.restarting", instance = "web-0" }))
end)

test("who does not come back by itself is not waited for, and that is said", function()
  local stack <close> = stack_.on_fake((ORDERED:gsub("restart: unless%-stopped", 'restart: "no"')))
  stack:expect { "up" }
  local before = stack:ps()
  supervised.reboot(stack)
  stack:expect { "ps" }
  run_anew(stack, before, { "web-0", "lone-0" })
  local warnings = supervised.events(stack, "supervisor.warning")
  equal({ #warnings, warnings[1].message }, { 1, "db-0 does not come back by itself: web-0 starts without it" })
end)

test("what is stopped while it waits for another is not started", function()
  local stack <close> = stack_.on_fake(ORDERED)
  stack:expect { "up" }
  supervised.reboot(stack)
  fake_qemu.set(stack.qemu, { "db-0: report=none" })
  stack:expect { "ps" }
  stack:eventually("web-0 waits", function() return supervised.events(stack, "instance.waiting")[1] end)
  stack:expect { "stop", "web" }
  stack:expect { "stop", "db" }
  equal(stack:ps()["web-0"].status, "stopped")
  equal(find(stack, 0, { type = "instance.restarting", instance = "web-0" }), nil)
end)

test("a job that had done its work before the reboot is done, and nobody is warned of it", function()
  local stack <close> = stack_.on_fake(JOB, { "migrate-0: exit_after_ms=200", "migrate-0: reason=guest-shutdown" })
  stack:expect { "up" }
  local before = stack:ps()
  equal(before["migrate-0"].status, "exited (powered off)")
  supervised.reboot(stack)
  stack:expect { "ps" }
  run_anew(stack, before, { "web-0" })
  equal({ #supervised.events(stack, "supervisor.warning"), stack:ps()["migrate-0"].running }, { 0, false })
end)
