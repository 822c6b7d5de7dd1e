local dag = require "holos.core.dag"
local path = require "holos.core.path"
local text = require "holos.core.text"
local units = require "holos.core.units"

test("paths are joined and normalised as text", function()
  equal(path.normalize("/a//b/./c/../d/"), "/a/b/d")
  equal(path.normalize("/../a"), "/a")
  equal(path.normalize("../a/.."), "..")
  equal(path.absolute("./x", "/home/anna"), "/home/anna/x")
  equal(path.parent("/a"), "/")
  equal(path.parent("/"), "/")
  equal(path.base("/a/b.qcow2"), "b.qcow2")
  equal(path.extension("/a/B.QCOW2"), ".qcow2")
  equal(path.extension("/a/.hidden"), "")
  equal(path.is_beneath("/a/bc", "/a/b"), false)
  equal(path.is_beneath("/a/b/c", "/a/b"), true)
end)

test("sizes are powers of 1024 and come back as people write them", function()
  equal(units.parse_bytes("20G"), 20 << 30)
  equal(units.parse_bytes("1.5k"), 1536)
  equal(units.parse_bytes("10GiB"), 10 << 30)
  equal(units.parse_bytes(7), 7)
  equal(units.parse_bytes("-1"), nil)
  equal(units.parse_bytes("9999999P"), nil)
  equal(units.format_bytes(20 << 30), "20 GiB")
  equal(units.format_bytes(1536), "1.5 KiB")
  equal(units.format_bytes(0), "0 B")
end)

test("durations need a unit", function()
  equal(units.parse_duration("1m30s"), 90000)
  equal(units.parse_duration("1.5s"), 1500)
  equal(units.parse_duration("0"), 0)
  for _, wrong in ipairs { "30", "", "-1s", "1x", "s", "1e3s" } do equal(units.parse_duration(wrong), nil) end
  equal(units.format_duration(90000), "1m30s")
  equal(units.format_duration(3600000), "1h")
  equal(units.format_duration(1500), "1.5s")
end)

test("moments: so long ago, or a time as RFC 3339 writes it", function()
  equal(units.parse_moment "10m", { ago_ms = 600000 })
  equal(units.parse_moment "2026-11-21T10:46:20.250Z".utc_ms, 1795257980250)
  equal(units.parse_moment "1970-01-02".utc_ms, 86400000)
  for text_, utc_ms in pairs {
    ["2026-11-21T10:46:20Z"] = 1795257980000,
    ["2024-02-29T23:59:59+01:30"] = 1709245799000,
    ["1999-12-31T00:00:00-08:00"] = 946627200000,
    ["2000-03-01T12:00:00Z"] = 951912000000,
  } do equal(units.parse_moment(text_).utc_ms, utc_ms, text_) end
  for _, wrong in ipairs { "yesterday", "2026-13-01", "2026-11-21T10:46:20", "2026-11-21T10:46Z", "2026-11-21 10:46:20Z", "" } do
    equal(units.parse_moment(wrong), nil, wrong)
  end
end)

test("a dependency order names its cycle", function()
  local needs = { web = { "db", "cache" }, db = {}, cache = { "db" } }
  equal(dag.order({ "web", "cache", "db" }, function(name) return needs[name] end), { "db", "cache", "web" })
  needs.db = { "web" }
  local order, message = dag.order({ "web", "cache", "db" }, function(name) return needs[name] end)
  equal(order, nil)
  equal(message, "web → db → web")
end)

test("words survive a shell", function()
  equal(text.shell_quote("a b"), "'a b'")
  equal(text.shell_quote("it's"), "'it'\\''s'")
  equal(text.shell_quote(""), "''")
  equal(text.shell_quote("plain-1.0"), "plain-1.0")
end)

test("guest bytes reach a terminal harmless", function()
  equal(text.escape_terminal("\27]52;c;x\7ok\r\n"), "\\x1b]52;c;x\\x07ok\n")
  equal(text.escape_terminal("tab\tumlaut ü"), "tab\tumlaut ü")
  equal(text.escape_terminal("\194\155\255"), "\\xc2\\x9b\\xff")
  equal(text.escape_terminal("over\rwrite"), "over\\x0dwrite")
end)

test("tables line up and misspelt words find their neighbours", function()
  equal(text.columns { { "a", "bb" }, { "ccc", "d" } }, { "a    bb", "ccc  d" })
  equal(text.columns { { "a", "", "b" }, { "c", "", "" } }, { "a    b", "c" })
  equal(text.nearest("intervall", { "interval", "retries" }), "interval")
  equal(text.nearest("prots", { "ports", "image" }), "ports")
  equal(text.nearest("zzz", { "ports", "image" }), nil)
  equal(text.wrap("one two three", 7), { "one two", "three" })
  equal(text.lines("a\n\nb\n"), { "a", "", "b" })
end)
