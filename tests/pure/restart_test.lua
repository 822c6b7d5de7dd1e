--- plan/restart: when a machine that has ended is started again.

local restart = require "holos.plan.restart"

local ALWAYS, FAILURE = { policy = "always" }, { policy = "on-failure" }

--- The pauses of ends in a row, each `ran_ms` after a start; false where it stays ended.
local function pauses(policy, ends, ran_ms)
  local restarts, list, now_ms = nil, {}, 0
  for position, cause in ipairs(ends) do
    restarts = restart.ended(policy, restarts, { cause = cause }, now_ms)
    list[position] = restarts.next_ms and restarts.next_ms - now_ms or false
    now_ms = (restarts.next_ms or now_ms) + (ran_ms or 1)
    restarts = restart.begun(restarts)
  end
  return list
end

local TABLE = {
  { "no policy", nil, { "failure", "clean", "unhealthy" }, { false, false, false } },
  { "no", { policy = "no" }, { "failure", "clean" }, { false, false } },
  { "always", ALWAYS, { "clean", "failure", "clean" }, { 100, 200, 400 } },
  { "unless-stopped", { policy = "unless-stopped" }, { "clean", "failure" }, { 100, 200 } },
  { "on-failure", FAILURE, { "failure", "clean", "failure" }, { 100, false, 200 } },
  { "on-failure:2", { policy = "on-failure", max_attempts = 2 }, { "failure", "failure", "failure" }, { 100, 200, false } },
  { "none at all allowed", { policy = "always", max_attempts = 0 }, { "failure" }, { false } },
  { "a delay of its own", { policy = "always", delay_ms = 5000 }, { "clean", "clean" }, { 5000, 5000 } },
  { "no delay is no loop", { policy = "always", delay_ms = 0 }, { "clean", "clean" }, { 100, 200 } },
  { "unhealthy is another matter than ended", ALWAYS, { "unhealthy" }, { false } },
  { "unhealthy", { policy = "no", on_unhealthy = true }, { "unhealthy", "failure", "unhealthy" }, { 100, false, 200 } },
  { "unhealthy, once", { policy = "always", on_unhealthy = true, max_unhealthy = 1 }, { "unhealthy", "unhealthy", "failure" },
    { 100, false, 200 } },
}

for _, case in ipairs(TABLE) do
  test("restart: " .. case[1], function() equal(pauses(case[2], case[3]), case[4]) end)
end

test("pauses double up to a minute, however long each attempt runs", function()
  local ends = {}
  for i = 1, 13 do ends[i] = "failure" end
  equal(pauses(ALWAYS, ends), { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000, 60000 })
  equal(pauses(ALWAYS, { "failure", "failure", "failure" }, 11000), { 100, 200, 400 })
  equal(pauses({ policy = "on-failure", max_attempts = 2 }, { "failure", "failure", "failure" }, 11000), { 100, 200, false })
end)

test("an attempt that has served gives all attempts back; how long that takes is deploy's window where there is one", function()
  local restarts = restart.begun(restart.ended(ALWAYS, nil, { cause = "failure" }, 0))
  equal(restart.served(restarts), { total = 1, row = 0, unhealthy = 0 })
  equal({ restart.served(restart.served(restarts)) == nil, restart.served(nil) == nil }, { true, true })
  equal(restart.ended(ALWAYS, restart.served(restarts), { cause = "failure" }, 0).delay_ms, 100)
  equal({ restart.window_ms(nil), restart.window_ms(ALWAYS), restart.window_ms { window_ms = 500 } }, { 10000, 10000, 500 })
end)

test("what is counted: all restarts, those in a row, those of an unhealthy guest until it is healthy", function()
  local policy = { policy = "always", on_unhealthy = true, max_unhealthy = 2 }
  local first = restart.ended(policy, nil, { cause = "unhealthy" }, 1000)
  equal(first, { total = 1, row = 1, unhealthy = 1, delay_ms = 100, next_ms = 1100 })
  local second = restart.ended(policy, restart.begun(first), { cause = "unhealthy" }, 30000)
  equal(second, { total = 2, row = 2, unhealthy = 2, delay_ms = 200, next_ms = 30200 })
  local third = restart.ended(policy, restart.begun(second), { cause = "unhealthy" }, 60000)
  equal(third, { total = 2, row = 2, unhealthy = 2, delay_ms = 200, gave_up = true })
  equal(restart.healthy(second), { total = 2, row = 2, unhealthy = 0, delay_ms = 200 })
  equal({ restart.healthy(restart.new()), restart.healthy(nil) }, {})
end)

test("which ends are failures", function()
  local causes = {}
  for _, reason in ipairs { "guest-shutdown", "host-qmp-quit", "host-signal", "guest-panic", "host-error", "guest-reset" } do
    causes[reason] = restart.cause(reason)
  end
  equal(causes, { ["guest-shutdown"] = "clean", ["host-qmp-quit"] = "clean", ["host-signal"] = "failure",
    ["guest-panic"] = "failure", ["host-error"] = "failure", ["guest-reset"] = "failure" })
  equal(restart.cause(nil), "failure")
end)

test("what comes back by itself after a reboot of the host", function()
  local back = {}
  for _, policy in ipairs { "no", "always", "on-failure", "unless-stopped" } do
    back[policy] = restart.starts_at_boot { policy = policy }
  end
  equal(back, { no = false, always = true, ["on-failure"] = false, ["unless-stopped"] = true })
  equal(restart.starts_at_boot(nil), false)
end)
