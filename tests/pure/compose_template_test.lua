-- Variables in texts: what the tables of others leave open.

local template = require "holos.compose.template"

local ENV = { A = "one", EMPTY = "", DOLLAR = "$A ${A", BROKEN = "\255" }

-- The expanded text, or its message; and the names that were not set.
local function expand(text)
  local unset = {}
  local result, message = template.expand(text, function(name) return ENV[name] end,
    function(name) unset[#unset + 1] = name end)
  return result or message, unset
end

test("what stays, and what becomes a sign of its own", function()
  for text, wanted in pairs {
    [""] = "", ["plain"] = "plain", ["$1 $- $(id) $"] = "$1 $- $(id) $", ["$$"] = "$", ["$$$$"] = "$$",
    ["$$A $$${A}"] = "$A $one", ["$A$A"] = "oneone", ["$A.b"] = "one.b", ["$Ab"] = "", ["}$A{"] = "}one{",
    ["${EMPTY:-{}}"] = "{}", ["${EMPTY:-{a: {b}}}"] = "{a: {b}}", ["${X:-$$}"] = "$", ["${X:-$${A}}"] = "${A}",
    ["${A:+\n}"] = "\n", ["é${A}日"] = "éone日",
  } do
    equal((expand(text)), wanted, text)
  end
end)

test("what a variable holds is not expanded again", function()
  equal((expand("${DOLLAR} ${X:-$DOLLAR}")), "$A ${A $A ${A")
end)

test("words are looked at when they are used, and not before", function()
  equal({ expand("${A:-${ }${B}} ${A?${B}} ${EMPTY+x}${X+${B}}") }, { "one one x", {} })
  equal({ expand("$B ${C}${B} ${X-${D}} ${EMPTY-${E}}") }, { "   ", { "B", "C", "B", "D" } })
end)

test("what is no variable: the piece, and why", function()
  for text, message in pairs {
    ["a ${"] = '"${" is no variable: its "}" is missing',
    ["${A\nb"] = '"${A" is no variable: its "}" is missing',
    ["${A:-{}"] = '"${A:-{}" is no variable: its "}" is missing',
    ["x${}y"] = '"${}" is no variable: a name comes directly after "${"',
    ["${1}"] = '"${1}" is no variable: a name comes directly after "${"',
    ["${A }"] = '"${A }" is no variable: after A comes "}" or one of :- - :? ? :+ +',
    ["${A:}"] = '"${A:}" is no variable: after A comes "}" or one of :- - :? ? :+ +',
    ["${A/a/b}"] = '"${A/a/b}" is no variable: after A comes "}" or one of :- - :? ? :+ +',
    ["${X:-${X!}}"] = '"${X!}" is no variable: after X comes "}" or one of :- - :? ? :+ +',
    ["$BROKEN"] = "the value of the variable BROKEN is not UTF-8",
  } do
    equal((expand(text)), message, text)
  end
  local long = expand("${" .. ("x"):rep(500) .. "!}")
  ok(#long < 250 and long:find("xxx… comes", 1, true), long)
end)

test("a required variable says how to set it", function()
  local result, message, hint = template.expand("${X:?say $A}", function(name) return ENV[name] end)
  equal({ result, message }, { nil, "required variable X is missing a value: say one" })
  equal(hint, "set it in the environment, in .env, or in a file that --env-file names: X=…")
end)

test("words inside of words end at a limit", function()
  local function nested(levels) return ("${X:-"):rep(levels) .. "end" .. ("}"):rep(levels) end
  equal((expand(nested(template.depth_limit - 1))), "end")
  ok(expand(nested(template.depth_limit + 1) .. "$A"):find("more than 50 levels deep", 1, true))
  ok(expand(nested(20000)):find("more than 50 levels deep", 1, true))
  equal(#template.variables(nested(20000)), template.depth_limit)
end)

-- It would take minutes if any step looked back.
test("long names and words take their time once", function()
  local long = ("x"):rep(300000)
  local begun = os.clock()
  for _, text in ipairs { "${%s:-%s{}}", "${%s%s{}}", "${%s:%s", "${%s-%s}", "${%s!%s}", "${:%s%s}", "$%s${ %s}" } do
    template.expand(text:format(long, long), function() end)
    template.variables(text:format(long, long))
  end
  ok(os.clock() - begun < 10, ("%.1f s"):format(os.clock() - begun))
end)

test("growth ends at a limit", function()
  local big = ("x"):rep(1 << 19)
  local function lookup() return big end
  equal(#template.expand("$A$A", lookup), 1 << 20)
  local result, message = template.expand(("$A"):rep(100000), lookup)
  equal({ result, message }, { nil, "with its variables it would be longer than 1048576 bytes" })
end)

test("variables of a text, those in words after the one whose word it is", function()
  equal(template.variables("$A ${B:-x${C}} ${D?say ${E}} ${F+$G} $$H ${I-} ${ } ${J}"), {
    { name = "A" }, { name = "B", default = "x${C}" }, { name = "C" }, { name = "D", required = true }, { name = "E" },
    { name = "F", alternate = "$G" }, { name = "G" }, { name = "I", default = "" },
  })
end)

-- Texts of the grammar's own pieces: each is expanded or explained, and the variables found are those that are asked for.
test("ten thousand random texts", function()
  local PIECES = { "$", "{", "}", "A", "_b", ":", "-", "?", "+", "$$", "${", " ", "é", "\0", "\n", "1" }
  math.randomseed(3)
  for _ = 1, 10000 do
    local parts, asked, named = {}, {}, {}
    for position = 1, math.random(12) do parts[position] = PIECES[math.random(#PIECES)] end
    local text = table.concat(parts)
    local result, message = template.expand(text, function(name) asked[name] = true end)
    ok((result == nil) ~= (message == nil), text)
    for _, variable in ipairs(template.variables(text)) do named[variable.name] = true end
    for name in pairs(asked) do ok(named[name], text) end
    if result and not text:find("$", 1, true) then equal(result, text) end
  end
end)
