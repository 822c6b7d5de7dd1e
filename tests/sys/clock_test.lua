--- sys.clock, judged by /proc/uptime and date(1).

local clock = require "sys.clock"
local fs = require "sys.fs"

test("clock.monotonic_ms: the time since boot, in integers that never fall", function()
  local uptime_ms = tonumber(fs.read("/proc/uptime"):match("^[%d.]+")) * 1000
  local now = clock.monotonic_ms()
  equal(math.type(now), "integer")
  ok(math.abs(now - uptime_ms) < 5000, now .. " and " .. uptime_ms)
  for _ = 1, 1000 do
    local later = clock.monotonic_ms()
    ok(later >= now)
    now = later
  end
end)

test("clock.utc_ms: the time of day as date(1) has it", function()
  local before = clock.utc_ms()
  local judged = tonumber((run_tool({ "date", "+%s%3N" }).stdout))
  ok(before - 1 <= judged and judged <= clock.utc_ms() + 1)
end)

test("clock.iso: as date(1) writes it, rounded down", function()
  for _, ms in ipairs { 0, 999, 1000, 951782400000, 1709164799999, 1795226645123, 4102444800000, 253402300799999, -1,
    -1000, -62167219200000 } do
    local seconds = ms // 1000
    local judged = run_tool({ "date", "-u", "-d", "@" .. seconds, "+%Y-%m-%dT%H:%M:%SZ" }).stdout
    equal(clock.iso(ms) .. "\n", judged)
  end
end)

test("clock.iso: times without a four-digit year raise", function()
  for _, ms in ipairs { 253402300800000, -62167219200001, math.maxinteger, math.mininteger } do
    raises("years 0 to 9999", clock.iso, ms)
  end
end)
