local check = require "holos.core.schema.check"
local json = require "holos.core.json"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local RULE = schema.record {
  { "name", schema.text { pattern = "[a-z]+", wanted = "a lower-case word" }, required = true },
  { "count", schema.integer { least = 1, most = 9 }, default = 3, change = "live" },
  { "on", schema.boolean {}, default = false },
  { "wait", schema.duration { least_ms = 1000 } },
  { "size", schema.size { least_bytes = 1024 } },
  { "mode", schema.choice { values = { "fast", "slow" } } },
  { "words", schema.list { of = schema.text {} }, default = {} },
  { "more", schema.map {
    of = schema.record { { "depth", schema.integer {}, default = 0 } }, empty = function() return {} end,
  } },
  { "either", schema.either { text = schema.text {}, list = schema.list { of = schema.text {} } } },
  { "soon", schema.integer { least = 1 }, class = "later", reason = "write count for now", idle = 7 },
  { "never", class = "refused", reason = "not for VMs" },
  { "try", class = "refused", reason = "for containers", excusable = true, hint = "leave it out" },
  { "idle", schema.boolean {}, class = "ignored", reason = "nothing to do", idle = false },
  { "rare", schema.lazy(function() return schema.text { most = 3 } end) },
  { "part", schema.lazy(function() return { one = schema.record { { "a", schema.integer {} } } } end, "one") },
  { "memory", schema.size { unlimited = true } },
}

-- Path: message (hint) of every finding, sorted.
local function lines_of(findings)
  local lines = {}
  for position, finding in ipairs(findings) do
    lines[position] = finding.path .. ": " .. finding.message .. (finding.hint and " (" .. finding.hint .. ")" or "")
  end
  table.sort(lines)
  return lines
end

local function run(value, rule, is_lenient)
  local at = check.new()
  at.is_lenient = is_lenient
  return check.value(rule or RULE, value, at), lines_of(at.findings), lines_of(at.warnings), lines_of(at.later)
end

test("values take their final form in place, and defaults come in", function()
  local given = { name = "web", count = "4", on = "true", wait = "1m30s", size = "2k", words = tables.list { "a" } }
  local value, findings = run(given)
  equal(findings, {})
  equal(value == given, true)
  equal(value, { name = "web", count = 4, on = true, wait = 90000, size = 2048, words = { "a" } })
end)

test("an absent list becomes an empty list that knows it is one", function()
  equal(tables.is_list(run({ name = "a" }).words), true)
end)

test("all findings come, each with its path, what was found and what is wanted", function()
  local _, findings = run {
    name = "WEB", count = 12, on = "aye", wait = "10ms", size = "1", mode = "fats", words = { depth = 1 },
    either = true, more = { a = tables.list {}, b = { depth = 1.5 } },
  }
  equal(findings, {
    'count: expected a whole number from 1 to 9, got 12',
    'either: expected text or a list, got true (put it in quotes: "true")',
    'mode: expected one of "fast", "slow", got "fats" (did you mean "fast"?)',
    'more.a: expected a mapping, got a list (write its keys without "- ")',
    'more.b.depth: expected a whole number, got 1.5',
    'name: expected a lower-case word, got "WEB"',
    'on: expected true or false, got "aye"',
    'size: 1 is below 1 KiB (a number without a unit counts bytes; write for example "1G")',
    'wait: 10ms is below 1s',
    'words: expected a list, got a mapping (write a list: each item begins with "- ")',
  })
end)

test("what does not fit is taken out; its place in a list is false", function()
  local value = run { name = "a", count = "x", words = tables.list { "a", 5, "c" } }
  equal(value.count, 3)
  equal(value.words, { "a", false, "c" })
end)

test("missing keys are named once", function()
  local _, findings = run {}
  equal(findings, { ': "name" is missing' })
  _, findings = run { name = 5 }
  equal(findings, { 'name: expected a lower-case word, got 5 (put it in quotes: "5")' })
end)

test("unknown keys: a near miss, else what is known", function()
  local _, findings = run { name = "a", cuont = 1 }
  equal(findings, { 'cuont: unknown key; did you mean "count"?' })
  _, findings = run({ zebra = 1 }, schema.record { { "a", schema.any() }, { "b", schema.any(), class = "later" },
    { "c", class = "refused", reason = "no" } })
  equal(findings, { 'zebra: unknown key (known here: a, b)' })
  _, findings = run { name = "a", ["x-mine"] = { 1 } }
  equal(findings, {})
end)

test("keys of other classes say why", function()
  local value, findings, warnings, later = run { name = "a", soon = "3", never = 1, try = 1, idle = true }
  equal(findings, { "never: not for VMs (remove it)", "try: for containers (leave it out)" })
  equal(warnings, { "idle: has no effect: nothing to do" })
  equal(later, { "soon: not available yet (write count for now)" })
  equal({ value.soon, value.idle, value.never }, { 3, true, nil })
end)

test("keys without effect are checked, and a value that asks for nothing is passed over", function()
  local _, findings, warnings, later = run { name = "a", soon = 0, idle = "maybe" }
  equal(findings, { 'idle: expected true or false, got "maybe"', "soon: expected a whole number of at least 1, got 0" })
  equal({ #warnings, #later }, { 0, 0 })
  _, findings, warnings, later = run { name = "a", soon = 7, idle = false }
  equal({ #findings, #warnings, #later }, { 0, 0, 0 })
  _, findings, warnings, later = run { name = "a", soon = json.null, idle = json.null }
  equal({ #findings, #warnings, #later }, { 0, 0, 0 })
end)

test("a lenient check excuses what can be excused", function()
  local _, findings, warnings = run({ name = "a", never = 1, try = 1 }, RULE, true)
  equal(findings, { "never: not for VMs (remove it)" })
  equal(warnings, { "try: has no effect: for containers" })
end)

test("rules that are loaded when they are needed", function()
  local value, findings = run { name = "a", rare = "long text", part = { a = "1" } }
  equal(findings, { "rare: is 9 bytes long; at most 3 fit" })
  equal(value.part, { a = 1 })
  equal(schema.loaded(RULE.fields.rare.rule) == schema.loaded(RULE.fields.rare.rule), true)
  equal(schema.describe(RULE.fields.soon.rule), "a whole number of at least 1")
end)

test("yes and no are words, and are understood with a warning", function()
  for word, meant in pairs { yes = true, No = false, ON = true, off = false, y = true, n = false } do
    local value, findings, warnings = run { name = "a", on = word }
    equal({ value.on, #findings }, { meant, 0 })
    equal(warnings, { ('on: "%s" is text in YAML; it is taken for %s (write %s)'):format(word, meant, meant) })
  end
end)

test("no limit is -1, where there may be none", function()
  equal({ run({ name = "a", memory = -1 }).memory, run({ name = "a", memory = "-1" }).memory }, { -1, -1 })
  equal(run({ name = "a", memory = "1k" }).memory, 1024)
  local _, findings = run { name = "a", size = -1 }
  equal(findings, { "size: -1 is negative" })
end)

test("durations and sizes without a unit are refused with the way to write them", function()
  local _, findings = run { name = "a", wait = 30 }
  equal(findings, { 'wait: expected a duration such as "90s" or "1m30s", got 30 (with its unit: "30s")' })
  _, findings = run { name = "a", wait = "30" }
  equal(findings, { 'wait: expected a duration such as "90s" or "1m30s", got "30" (with its unit: "30s")' })
end)

test("numbers beyond their range and beyond 64 bits are refused with their digits", function()
  for _, number in ipairs { -1, 0, 10, "99999999999999999999", 1e300, "0x4", "1.0" } do
    local _, findings = run { name = "a", count = number }
    equal(#findings, 1)
    ok(findings[1]:find(schema.show(number), 1, true), findings[1])
  end
end)

test("paths quote what a dotted name cannot hold", function()
  equal(schema.path { "services", "web", "ports", 2 }, "services.web.ports[2]")
  equal(schema.path { "volumes", "a b" }, 'volumes["a b"]')
  equal(schema.path { "labels", "com.example/x" }, 'labels["com.example/x"]')
  equal(schema.path {}, "")
end)

test("long values are cut where they are shown, control characters escaped", function()
  equal(schema.show(("x"):rep(100)), '"' .. ("x"):rep(60) .. '…"')
  equal(schema.show('a"b\n'), '"a\\"b\\n"')
end)

test("the rules can be listed for reference pages", function()
  local paths = {}
  for position, entry in ipairs(schema.fields(RULE)) do paths[position] = entry.path end
  equal(table.concat(paths, " "), "name count on wait size mode words more more.*.depth either soon never try idle rare "
    .. "part part.a memory")
end)
