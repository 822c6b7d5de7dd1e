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
  equal(text.nearest("intervall", { "interval", "retries" }), "interval")
  equal(text.nearest("prots", { "ports", "image" }), "ports")
  equal(text.nearest("zzz", { "ports", "image" }), nil)
  equal(text.wrap("one two three", 7), { "one two", "three" })
  equal(text.lines("a\n\nb\n"), { "a", "", "b" })
end)
