--- What HTTP answers say, and when a transfer is too slow.

local answer = require "holos.run.http.answer"
local meters = require "holos.run.http.meter"

test("Content-Range: only what is a range", function()
  equal({ answer.content_range "bytes 100-199/500" }, { 100, 199, 500 })
  equal({ answer.content_range "bytes 0-0/*" }, { 0, 0 })
  for _, text in ipairs { "", "bytes 5-4/9", "bytes 0-9/9", "bytes 1-2", "bytes -1-2/3", "octets 0-1/2", " bytes 0-1/2",
    "bytes 0-1/2 ", "bytes 0-99999999999999999999/*", "bytes */500" } do
    equal({ answer.content_range(text) }, {}, text)
  end
  equal({ answer.content_range(nil) }, {})
  equal(answer.unsatisfied_total "bytes */500", 500)
  equal(answer.unsatisfied_total "bytes */*", nil)
  equal(answer.unsatisfied_total(nil), nil)
end)

test("validators: entity tags that are strong, dates in the one form", function()
  local date = "Sun, 06 Nov 1994 08:49:37 GMT"
  equal(answer.validators { etag = '"a-1"', ["last-modified"] = date }, { etag = '"a-1"', last_modified = date })
  for _, etag in ipairs { 'W/"a"', "a", '"a', '"a"b"', '"a b"', '"' .. ("a"):rep(200) .. '"', '"\127"', "" } do
    equal(answer.validators { etag = etag }, {}, etag)
  end
  for _, text in ipairs { "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", date .. "x", "now", "" } do
    equal(answer.validators { ["last-modified"] = text }, {}, text)
  end
  equal(answer.if_range { etag = '"a"', last_modified = date }, '"a"')
  equal(answer.if_range { last_modified = date }, date)
  equal(answer.if_range {}, nil)
end)

test("the same bytes: tags count before dates, and what is not said counts for both", function()
  ok(answer.is_same({ etag = '"a"', last_modified = "x" }, { etag = '"a"', last_modified = "y" }))
  ok(not answer.is_same({ etag = '"a"' }, { etag = '"b"' }))
  ok(not answer.is_same({ last_modified = "x" }, { last_modified = "y" }))
  ok(answer.is_same({ etag = '"a"' }, {}))
end)

test("Retry-After: seconds or a date, at most ten minutes, never the past", function()
  equal(answer.date_ms "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000)
  equal(answer.date_ms "Xyz, 06 Foo 1994 08:49:37 GMT", nil)
  equal(answer.retry_after_ms("0", 0), 0)
  equal(answer.retry_after_ms("7", 0), 7000)
  equal(answer.retry_after_ms("99999999999999999", 0), 600000)
  equal(answer.retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 - 5000), 5000)
  equal(answer.retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 + 5000), 0)
  for _, text in ipairs { "", "-1", "1.5", "soon", "99999999999999999999999999" } do
    equal(answer.retry_after_ms(text, 0), nil, text)
  end
  equal(answer.retry_after_ms(nil, 0), nil)
end)

local LIMITS = { idle_ms = 1000, least_bytes_per_s = 100, over_ms = 2000 }

test("a meter calls silence silence, and lets slow but sufficient rates go on", function()
  local meter = meters.new(LIMITS, 0, 0)
  equal(meter:see(999, 0), nil)
  equal(meter:see(1000, 0), "nothing came for 1s")
  meter = meters.new(LIMITS, 0, 0)
  for now_ms = 100, 60000, 100 do equal(meter:see(now_ms, now_ms // 10), nil, now_ms) end
end)

test("a meter judges the rate of late, not of ever", function()
  local meter = meters.new(LIMITS, 0, 0)
  equal(meter:see(500, 1000000), nil)
  local verdict
  for now_ms = 600, 10000, 100 do
    verdict = meter:see(now_ms, 1000000 + now_ms // 20)          -- 50 bytes a second
    if verdict then break end
  end
  ok(verdict and verdict:find("^only [56]%d bytes a second came over 2%.?%d*s, wanted 100$"), verdict)
end)

test("a meter says what is left, and stops at its deadline", function()
  local meter = meters.new({ idle_ms = 1000, least_bytes_per_s = 0, over_ms = 2000, deadline_ms = 5000 }, 0, 1000)
  for now_ms = 100, 4900, 100 do equal(meter:see(now_ms, 1000 + now_ms), nil) end
  equal(meter:rate(4900), 1000)
  equal(meter:eta_ms(4900, 10900), 5000)
  equal(meter:eta_ms(4900, nil), nil)
  equal(meter:see(5000, 6000), "it takes longer than allowed")
  equal(meters.new(LIMITS, 7, 5):eta_ms(7, 10), nil)
end)
