local lock_file = require "holos.image.lock_file"
local policy = require "holos.image.pull_policy"

local DAY_MS = 86400000

test("policies in the words of files", function()
  local cases = { missing = { kind = "missing" }, if_not_present = { kind = "missing" }, build = { kind = "missing" },
    never = { kind = "never" }, always = { kind = "always" }, refresh = { kind = "always" },
    daily = { kind = "every", every_ms = DAY_MS }, weekly = { kind = "every", every_ms = 7 * DAY_MS },
    every_12h = { kind = "every", every_ms = DAY_MS // 2 }, every_1d12h = { kind = "every", every_ms = DAY_MS * 3 // 2 },
    every_2w = { kind = "every", every_ms = 14 * DAY_MS } }
  for text, wanted in pairs(cases) do equal(policy.parse(text), wanted, text) end
  equal(policy.parse(nil), { kind = "missing" })
  equal(policy.parse("refresh", "1w"), { kind = "every", every_ms = 7 * DAY_MS })
  equal(policy.parse("daily", "1w"), { kind = "every", every_ms = DAY_MS })
  for _, text in ipairs { "", "hourly", "every_", "every_0s", "every_day", "every_-1h", "every_1h x" } do
    local made, message, hint = policy.parse(text)
    equal({ made, message }, { nil, ('unknown pull policy "%s"'):format(text) })
    ok(hint:find("daily", 1, true))
  end
end)

test("an image is due by its age", function()
  local now_ms = 1795000000000
  local function at(ago_ms) return os.date("!%Y-%m-%dT%H:%M:%SZ", (now_ms - ago_ms) // 1000) end
  local daily = policy.parse "daily"
  equal(policy.is_due(daily, at(DAY_MS - 1000), now_ms), false)
  equal(policy.is_due(daily, at(DAY_MS), now_ms), true)
  equal(policy.is_due(daily, at(-DAY_MS), now_ms), false, "the clock went back")
  equal(policy.is_due(daily, nil, now_ms), true)
  equal(policy.is_due(daily, "yesterday", now_ms), true)
  equal(policy.is_due(policy.parse "always", at(0), now_ms), true)
  for _, text in ipairs { "missing", "never" } do equal(policy.is_due(policy.parse(text), nil, now_ms), false, text) end
end)

local DIGEST = "sha256:" .. ("a1"):rep(32)

test("a lock knows an image by its name and architecture", function()
  local lock = lock_file.new()
  lock_file.set(lock, "debian:12", "x86_64", { digest = DIGEST, url = "https://example.org/a" })
  lock_file.set(lock, "debian:12", "aarch64", { digest = "sha256:" .. ("b2"):rep(32) })
  equal(lock_file.complaint(lock), nil)
  equal(lock_file.get(lock, "debian:12", "x86_64").digest, DIGEST)
  equal(lock_file.get(lock, "debian:12", "riscv64"), nil)
  equal(lock_file.get(lock, "debian:13", "x86_64"), nil)
  equal(lock_file.surplus(lock, { ["debian:13"] = true }), { "debian:12" })
  equal(lock_file.surplus(lock, { ["debian:12"] = true }), {})
end)

test("a lock that cannot be relied on is told with the place", function()
  local cases = {
    { 7, "holds no mapping" }, { {}, "version" }, { { version = 2, images = {} }, "written by a newer holos (version 2)" },
    { { version = 1 }, "images" }, { { version = 1, images = { a = { x = { digest = "sha256:1" } } } }, "images.a.x.digest" },
    { { version = 1, images = { a = { x = {} } } }, "images.a.x" },
    { { version = 1, images = { a = { x = { digest = DIGEST, format = "vmdk" } } } }, "images.a.x.format" },
  }
  for _, case in ipairs(cases) do
    local complaint = lock_file.complaint(case[1])
    ok(complaint and complaint:find(case[2], 1, true), tostring(complaint))
  end
  equal(lock_file.complaint { version = 1, images = {}, later = "more" }, nil, "what later versions add is no damage")
end)
