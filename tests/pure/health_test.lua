--- plan/health: whether a guest does its work, as its checks tell it.

local health = require "holos.plan.health"
local virtual = require "tests.support.virtual_poller"

local CHECK = { interval_ms = 30000, retries = 3, start_period_ms = 0 }
local SLOW = { interval_ms = 30000, retries = 2, start_period_ms = 12000 }

--- Statuses after each check, and when the next one was due; a check takes a second.
local function run(check, results, state)
  state = state or health.new(0)
  local statuses, dues = {}, {}
  for position, result in ipairs(results) do
    local changed
    local before = state.status
    state, changed = health.checked(check, state, { begun_ms = state.due_ms, ended_ms = state.due_ms + 1000, ok = result == "+" })
    equal(changed, before ~= state.status)
    statuses[position], dues[position] = state.status, state.due_ms
  end
  return statuses, dues, state
end

local function words(text)
  local list = {}
  for word in text:gmatch "%S" do list[#list + 1] = word end
  return list
end

local function statuses(check, results)
  local list = run(check, words(results))
  for i, status in ipairs(list) do list[i] = status:sub(1, 1) end
  return table.concat(list)
end

local TABLE = {
  { CHECK, "+", "h" }, { CHECK, "-", "s" }, { CHECK, "---", "ssu" }, { CHECK, "--+--", "sshhh" }, { CHECK, "+---", "hhhu" },
  { CHECK, "---+", "ssuh" }, { CHECK, "+--+---", "hhhhhhu" }, { CHECK, "-----", "ssuuu" },
  { { interval_ms = 1, retries = 1, start_period_ms = 0 }, "-+-", "uhu" },
  -- Two checks begin within the twelve seconds, at 0 and at 6.
  { SLOW, "--", "ss" }, { SLOW, "---", "sss" }, { SLOW, "----", "sssu" }, { SLOW, "+--", "hhu" }, { SLOW, "-+--", "shhu" },
}

for _, case in ipairs(TABLE) do
  test(("health: %s with %d retries and %d ms to start is %s"):format(case[2], case[1].retries, case[1].start_period_ms, case[3]),
    function() equal(statuses(case[1], case[2]), case[3]) end)
end

test("the first check is due at once, an interval begins where the check before ended", function()
  local _, dues = run(CHECK, { "+", "-", "+" })
  equal(dues, { 31000, 62000, 93000 })
end)

test("during the start period the start interval counts, which is never longer than the interval", function()
  local _, dues = run(SLOW, { "-", "-", "-" })
  equal(dues, { 6000, 12000, 43000 })
  local _, own = run({ interval_ms = 30000, retries = 2, start_period_ms = 9000, start_interval_ms = 500 }, { "-", "-" })
  equal(own, { 1500, 3000 })
  local _, short = run({ interval_ms = 200, retries = 2, start_period_ms = 9000 }, { "-" })
  equal(short, { 1200 })
end)

test("what others found is where checks go on", function()
  equal(health.adopt(CHECK, nil, 5), health.new(5))
  local well = health.adopt(CHECK, "healthy", 5)
  equal({ well.status, well.failures, well.due_ms }, { "healthy", 0, 30005 })
  equal((run(CHECK, { "-", "-", "-" }, well)), { "healthy", "healthy", "unhealthy" })
  equal((run(CHECK, { "-", "+" }, health.adopt(CHECK, "unhealthy", 5))), { "unhealthy", "healthy" })
end)

test("five results are kept, with 4096 bytes of each", function()
  local state = health.new(0)
  for number = 1, 7 do
    state = health.checked(CHECK, state, { begun_ms = number, ended_ms = number, ok = false, exit = number,
      text = ("x"):rep(5000) })
  end
  equal(#state.results, 5)
  equal({ state.results[1].exit, state.results[5].exit, #state.results[5].text }, { 3, 7, 4096 })
end)

-- Escaping makes bytes four times as long; a cut by bytes may fall into a character.
local OUTPUTS = {
  { "characters of two bytes", "\27" .. ("é"):rep(4000) }, { "characters of three bytes", "\27\27" .. ("€"):rep(3000) },
  { "control characters", ("\27"):rep(5000) }, { "no UTF-8", ("\255é"):rep(3000) }, { "shifted by one", "x" .. ("é"):rep(4000) },
}

for _, case in ipairs(OUTPUTS) do
  test("what a check says is kept as UTF-8 of bounded length: " .. case[1], function()
    local json, remote, run_health = require "sys.json", require "holos.run.remote", require "holos.run.health"
    local session = setmetatable({}, { __close = function() end })
    function session.exec(_, _, options)
      options.stdout(case[2])
      return { status = 1 }
    end
    local kept = remote.connect
    local _kept <close> = setmetatable({}, { __close = function() remote.connect = kept end })
    remote.connect = function() return session end
    local check = { test = { "CMD", "true" }, timeout_ms = 1000, interval_ms = 1000, retries = 1, start_period_ms = 0 }
    local spec = { name = "web-0", image = {}, healthcheck = check }
    local result = virtual.run(function() return run_health.check({}, {}, spec, {}) end)
    local text = health.checked(check, health.new(0), result).results[1].text
    ok(#text > health.TEXT_BYTES - 4 and #text <= health.TEXT_BYTES, #text .. " bytes")
    ok(json.encode({ text }, {}))
    ok(json.encode({ run_health.reason(result) }, {}))
  end)
end
