--- Events, overrides and the `holos` table of scripts.

local api = require "holos.script.api"
local err = require "holos.core.err"
local events = require "holos.core.events"
local load_ = require "holos.script.load"
local override = require "holos.core.override"
local text = require "holos.core.text"

local function three()
  return events.new {
    { name = "plan.ready", kind = "filter" },
    { name = "before_stop", kind = "veto" },
    { name = "stopped", kind = "notice" },
  }
end

test("handlers run in the order in which they came", function()
  local list, seen = three(), {}
  for number = 1, 3 do
    list:on("stopped", function(payload) seen[number] = payload .. number end)
  end
  equal(list:is_wanted("plan.ready"), false)
  equal(list:emit("stopped", "x"), "x")
  equal(seen, { "x1", "x2", "x3" })
end)

test("a filter replaces the payload when it gives one; a notice cannot", function()
  local list = three()
  list:on("plan.ready", function(plan) return plan .. "+" end)
  list:on("plan.ready", function() end)
  list:on("plan.ready", function(plan) return plan .. "!" end)
  equal(list:emit("plan.ready", "plan"), "plan+!")
  list:on("stopped", function() return "other" end)
  equal(list:emit("stopped", "web-0"), "web-0")
end)

test("a veto refuses with its place and its reason, exit 3; what is behind it is not asked", function()
  local list, asked = three(), false
  list:on("before_stop", function() return events.veto "dump failed" end)
  list:on("before_stop", function() asked = true end)
  local wanted = "before_stop refused by [%w/_.]*script_test.lua:%d+: dump failed"
  local problem = raises(wanted, list.emit, list, "before_stop")
  equal({ problem.code, problem.exit, asked }, { "EVETO", 3, false })
end)

test("an unknown event is an error with the nearest name", function()
  local problem = raises('there is no event "stoped"', three().on, three(), "stoped", print)
  equal(problem.hint, 'did you mean "stopped"?')
  raises("a handler of stopped is a function, got a nil", three().on, three(), "stopped", nil)
end)

test("a handler that fails is named with its place; its own message stays", function()
  local list = three()
  list:on("stopped", function() error("disk is full", 0) end)
  raises("in the handler of stopped at [%w/_.]*script_test.lua:%d+: disk is full", list.emit, list, "stopped")
  list:clear()
  list:emit("stopped")
end)

test("an override gets the original first, stacks, and is undone last first", function()
  local function mark(sign)
    return override.install("holos.core.text", "shell_quote", function(base, word) return sign .. base(word) end)
  end
  local undo_first, undo_second = mark "1", mark "2"
  equal(text.shell_quote("a b"), "21'a b'")
  raises("overrides are undone last first", undo_first)
  undo_second()
  equal(text.shell_quote("a b"), "1'a b'")
  undo_first()
  equal(text.shell_quote("a b"), "'a b'")
end)

test("overriding what is not there is an error when the script is loaded", function()
  local install = override.install
  raises("there is no module holos.plan.nothing in this holos", install, "holos.plan.nothing", "x", print)
  local near = raises('holos.core.text has no function "shel_quote"', install, "holos.core.text", "shel_quote", print)
  equal(near.hint, 'did you mean "shell_quote"?')
  raises("modules are named like", override.install, "sys.fs", "read", print)
  raises("wants a function, got a string", override.install, "holos.core.text", "wrap", "x")
end)

test("the holos table has the two verbs, and an API number that refuses scripts from the future", function()
  local holos = api.table()
  local seen
  holos.on("instance.launched", function(payload) seen = payload.instance end)
  api.emit("instance.launched", { instance = "web-0" })
  api.events:clear()
  equal(seen, "web-0")
  equal(holos.api(1), 1)
  local problem = raises("the script wants holos.api(2); this holos has 1 to 1", holos.api, 2)
  ok(err.is(problem, "EAPI"))
  local undo = holos.override("holos.core.text", "width", function() return 7 end)
  equal(text.width("x"), 7)
  undo()
  ok(holos.veto("no"))
end)

test("a file of data gives its value with nothing in reach, and neither time nor memory without bound", function()
  local is_ok, value = load_.data("local t = {} for i = 1, 1000 do t[i] = 'debian' .. i end return t", "images.lua")
  equal({ is_ok, #value, value[1000] }, { true, 1000, "debian1000" })
  for source, said in pairs {
    ["while true do end"] = "computes for too long",
    ["local function f() return f() end f()"] = "computes for too long",
    ["local t = 'x' while true do t = t .. t end"] = "takes too much memory",
    ["local t = {} while true do t[#t + 1] = {1, {}, {}} end"] = "takes too much memory",
    ["return ('x'):rep(1 << 40)"] = "images.lua:1:",
    ["return #('a'):rep(40):find(('a?'):rep(40))"] = "images.lua:1:",
    ["os.exit()"] = "images.lua:1:",
    ["return {"] = "images.lua:1:",
  } do
    local fine, problem = load_.data(source, "images.lua")
    equal(fine, false, source)
    ok(tostring(problem):find(said, 1, true), tostring(problem))
  end
  equal({ debug.gethook() == nil, ("x"):rep(2) }, { true, "xx" })
end)
