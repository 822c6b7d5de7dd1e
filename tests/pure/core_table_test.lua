--- core/table and core/err.

local err = require "holos.core.err"
local tables = require "holos.core.table"

test("lists know that they are lists, also when empty", function()
  equal(tables.is_list(tables.list {}), true)
  equal(tables.is_list {}, false)
  equal(tables.is_list { 1 }, true)
  equal(tables.is_list { a = 1 }, false)
  equal(tables.is_list "x", false)
  equal(tables.is_list(tables.copy(tables.list {})), true)
  equal(tables.is_list(tables.freeze(tables.list {})), true)
end)

test("sorted_pairs has one order for numbers, strings and the rest", function()
  local keys = {}
  for key in tables.sorted_pairs { b = 1, [10] = 1, a = 1, [2] = 1, [true] = 1 } do keys[#keys + 1] = key end
  equal(keys, { 2, 10, "a", "b", true })
end)

test("a copy is deep, a merge lays mappings over each other and replaces lists", function()
  local base = { a = { x = 1, y = { 1, 2 } }, b = 1 }
  local merged = tables.merge(base, { a = { y = { 3 }, z = false }, c = {} })
  equal(merged, { a = { x = 1, y = { 3 }, z = false }, b = 1, c = {} })
  merged.a.x = 9
  equal(base, { a = { x = 1, y = { 1, 2 } }, b = 1 })
end)

test("deep_equal sees what either side has more", function()
  equal(tables.deep_equal({ 1, { a = 2 } }, { 1, { a = 2 } }), true)
  equal(tables.deep_equal({ 1 }, { 1, 2 }), false)
  equal(tables.deep_equal({ 1, 2 }, { 1 }), false)
  equal(tables.deep_equal({ a = false }, {}), false)
  equal(tables.deep_equal(1, 1.0), true)
  equal(tables.deep_equal("1", 1), false)
end)

test("frozen data can be read in every way and not be written", function()
  local frozen = tables.freeze { list = { "a", "b" }, map = { x = 1 } }
  equal({ #frozen.list, table.concat(frozen.list, ","), table.unpack(frozen.list) }, { 2, "a,b", "a", "b" })
  local seen = {}
  for key, value in pairs(frozen) do seen[key] = type(value) end
  equal(seen, { list = "table", map = "table" })
  for position, item in ipairs(frozen.list) do seen[position] = item end
  equal({ seen[1], seen[2] }, { "a", "b" })
  raises('this value is frozen: cannot set "y"', function() frozen.map.y = 1 end)
  raises("frozen", table.insert, frozen.list, "c")
end)

test("map, filter, extend, index_of", function()
  equal(tables.map({ 1, 2 }, function(item, position) return item * 10 + position end), { 11, 22 })
  equal(tables.filter({ 1, 2, 3 }, function(item) return item % 2 == 1 end), { 1, 3 })
  equal(tables.extend({ 1 }, { 2, 3 }), { 1, 2, 3 })
  equal({ tables.index_of({ "a", "b" }, "b"), tables.index_of({ "a" }, "b") }, { 2 })
end)

-- -- errors ---------------------------------------------------------------------------------------------------------

test("check gives results through, false too, and raises failures with context and code", function()
  equal({ err.check("x", 1, 2, 3) }, { 1, 2, 3 })
  equal(err.check("x", false), false)
  local denied = "/dev/kvm: Permission denied"
  local problem = raises("web-0: " .. denied, err.check, "web-0", nil, denied, "EACCES")
  equal({ problem.code, problem.exit }, { "EACCES", 1 })
  equal({ err.is(problem, "EACCES"), err.is(problem, "ENOENT"), err.is(problem) }, { true, false, true })
  raises("failed without a reason", err.check, nil, nil)
end)

test("findings are raised at once, exit 2, and rendered with their place", function()
  local problem = raises("2 errors", err.findings, { { message = "a" }, { message = "b" } })
  equal({ problem.exit, #problem.findings }, { 2, 2 })
  equal(err.render_finding { file = "holos.yaml", line = 14, column = 5, path = "services.web.ports[2]",
    message = "host port 99999 is above 65535" },
    "holos.yaml:14:5: services.web.ports[2]: host port 99999 is above 65535")
  equal(err.render_finding { file = "holos.yaml", message = "is empty" }, "holos.yaml: is empty")
  equal(err.render_finding { message = "x", path = "" }, "x")
end)

test("bugs get a traceback and exit 70, user-facing errors stay what they are", function()
  local fine, bug = xpcall(function() local nothing = nil; return nothing.x end, err.trace)
  equal({ fine, bug.exit }, { false, 70 })
  ok(bug.traceback:find("core_table_test.lua", 1, true))
  local _, kept = xpcall(err.raise, err.trace, { message = "no image", code = "ENOENT", hint = "pull it" })
  equal({ kept.message, kept.traceback, kept.hint }, { "no image", nil, "pull it" })
  ok(kept.where:find("traceback"))
  local object = err.new "x"
  equal(select(2, pcall(err.raise, object)), object)
  equal({ err.is_failure(kept), err.is_failure(bug), err.is_failure "a string", err.is_failure(err.new { code = "ECANCELED" }) },
    { true, false, false, false })
end)
