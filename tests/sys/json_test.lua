-- sys.json: what is decoded, encoded and refused; Python's json module is the judge.

local json = require "sys.json"
local pure_json = require "holos.core.json"
local tables = require "holos.core.table"

local ACCEPTED = {
  "null", "true", "false", "0", "-0", "12", "-9223372036854775808", "9223372036854775807", "1.5", "-0.25", "1e3",
  "1E-3",
  '""', '"a\\"b\\\\c\\/d\\b\\f\\n\\r\\t"', '"\\u00e4\\u20ac\\ud83d\\ude00"', '"ä€😀"', '"\\u0000"', "[]", "{}", "[[]]",
  "[{}]",
  '{"a":[1,2,{"b":null}],"c":{}}', " [ 1 ,\n\t2 ]\r\n", '{"":0}', '{"é":1,"z":2,"a":3}', "[1.0]", "[0.1]", '"\127"',
  "1.7976931348623157e308", "5e-324",
}

local REFUSED = {
  { "", "1:1: " }, { " ", "1:1: " }, { "nul", "1:3: " }, { "[1,]", "1:4: " }, { "{,}", "1:2: " }, { "[1 2]", "1:4: " },
  { '{"a":1,"a":2}', "1:10: duplicate object key" }, { "01", "1:1: " }, { "+1", "1:1: " }, { ".5", "1:1: " },
  { "1.", "1:" }, { "0x10", "1:" }, { "NaN", "1:" }, { "Infinity", "1:" }, { "'a'", "1:1: " }, { '{a:1}', "1:2: " },
  { '"\\x41"', "1:" }, { '"\\ud800"', "1:" }, { '"a\nb"', "1:" }, { '"\255"', "1:" },
  { "9223372036854775808", "1:19: too big" },
  { "1e309", "1:5: real number overflow" }, { "[1] [2]", "1:5: end of file expected" }, { "// c\n1", "1:1: " },
  { '{"a":\n1,\n"b"}', "3:" }, { "[\n[\n", "3:1: " }, { "1\0", "1:2: a NUL byte" },
  { "[1\0,2]", "1:3: a NUL byte" }, { "\"\0\"", "1:2: a NUL byte" },
}

test("values keep their types", function()
  local value = json.decode '{"i":1,"f":1.0,"n":null,"t":true,"s":"a\\u0000b","l":[],"o":{}}'
  equal({ math.type(value.i), math.type(value.f), value.n == json.null, value.t, value.s },
    { "integer", "float", true, true, "a\0b" })
  equal(tables.is_list(value.l), true)
  equal(tables.is_list(value.o), false)
  equal(getmetatable(value.l).__jsontype, "array")
end)

test("what is refused names line and column", function()
  for _, case in ipairs(REFUSED) do
    local value, message, code = json.decode(case[1])
    equal({ value, code }, { nil, "EINVAL" }, case[1])
    ok(message:sub(1, #case[2]) == case[2], ("%q: %s"):format(case[1], message))
  end
end)

test("depth is limited before the parser recurses", function()
  equal(select(2, json.decode(("["):rep(1000000))), "1:129: nested deeper than 128 levels")
  equal(select(2, json.decode('{"a":\n[[1]]}', { max_depth = 2 })), "2:2: nested deeper than 2 levels")
  ok(json.decode(("["):rep(128) .. ("]"):rep(128)))
  ok(json.decode('["[[[[", "\\"[["]', { max_depth = 1 }))
  raises("max_depth", json.decode, "1", { max_depth = 100000 })
end)

test("encoding: sorted keys, lists by their mark, indentation", function()
  equal(json.encode { b = 1, a = { x = tables.list {}, y = {} } }, '{"a":{"x":[],"y":{}},"b":1}')
  equal(json.encode { 1, 2.0, "x", json.null, pure_json.null, true }, '[1,2.0,"x",null,null,true]')
  equal(json.encode({ a = { 1 } }, { indent = 2 }), '{\n  "a": [\n    1\n  ]\n}')
  equal(json.encode "a\0\n\"\\\127ä", '"a\\u0000\\n\\"\\\\\127ä"')
  equal(json.encode(math.mininteger), "-9223372036854775808")
  equal(json.encode(tables.freeze { a = { 1, { b = 2 } }, l = tables.list {} }), '{"a":[1,{"b":2}],"l":[]}')
end)

test("text that is not UTF-8 is a failure, the rest a bug", function()
  equal({ json.encode { a = "\255" } }, { nil, "a text that is not UTF-8 has no JSON form", "EILSEQ" })
  equal(select(3, json.encode { ["\255"] = 1 }), "EILSEQ")
  raises("a function has no JSON form", json.encode, { print })
  raises("nan", json.encode, 0 / 0)
  raises("inf", json.encode, { math.huge })
  raises("text keys", json.encode, { [2] = 1, x = 1 })
  raises("text keys", json.encode, { [true] = 1 })
  local loop = {}
  loop[1] = loop
  raises("nested deeper than 1000 levels", json.encode, loop)
end)

test("the pure writer agrees", function()
  for _, text in ipairs { '{"a":[1,"ä\\n",null,{"b":[],"c":{}}],"d":true}', '"\\u0001"', "[]", "{}" } do
    local value = json.decode(text)
    equal(json.decode(pure_json.encode(value)), value)
  end
  equal(pure_json.encode { a = tables.copy(pure_json.null) }, '{"a":null}')
end)

-- Reads pairs of lines; says for each whether both are the same JSON value, integers apart from floats.
local JUDGE = [[
import json, sys
def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    return a == b
lines = sys.stdin.buffer.read().decode().split("\x1e")
for i in range(0, len(lines) - 1, 2):
    print("same" if same(json.loads(lines[i]), json.loads(lines[i + 1])) else "differ: %r %r" % (lines[i],
      lines[i + 1]))
]]

local function judge(pairs_of_texts)
  local result = run_tool({ "python3", "-c", JUDGE },
    { stdin = table.concat(pairs_of_texts, "\30") .. "\30", env = { "PYTHONUTF8=1" } })
  equal(result.stderr, "")
  equal(result.stdout, ("same\n"):rep(#pairs_of_texts // 2))
end

test("decoded and encoded again, Python reads the same", function()
  local texts = {}
  for _, text in ipairs(ACCEPTED) do
    local value, message = json.decode(text)
    ok(value ~= nil, message)
    texts[#texts + 1], texts[#texts + 2] = text, json.encode(value)
  end
  judge(texts)
end)

local function random_text()
  local parts = {}
  for position = 1, math.random(0, 12) do parts[position] = utf8.char(math.random(0, 0xd7ff)) end
  return table.concat(parts)
end

local function random_value(depth)
  local kind = math.random(depth > 4 and 5 or 7)
  if kind == 1 then return math.random(0) end
  if kind == 2 then return (math.random() - 0.5) * 10.0 ^ math.random(-300, 300) end
  if kind == 3 then return random_text() end
  if kind == 4 then return math.random(2) == 1 end
  if kind == 5 then return json.null end
  local result = kind == 6 and tables.list {} or {}
  for position = 1, math.random(0, 5) do
    result[kind == 6 and position or random_text()] = random_value(depth + 1)
  end
  return result
end

test("a thousand random values survive, and Python reads what we read", function()
  math.randomseed(7)
  local texts = {}
  for _ = 1, 1000 do
    local value = random_value(0)
    local text = json.encode(value)
    local again = json.decode(text)
    equal(again, value)
    texts[#texts + 1], texts[#texts + 2] = text, json.encode(again, { indent = 3 })
  end
  judge(texts)
end)

test("a key that occurs twice is refused, however far apart", function()
  for _, between in ipairs { 0, 5, 23, 24, 25, 100 } do
    local fields = {}
    for i = 1, between do fields[i] = ('"k%d":%d,'):format(i, i) end
    local text = ('{"a":null,%s"a":1}'):format(table.concat(fields))
    ok(select(2, json.decode(text)):find("duplicate object key", 1, true), text)
  end
end)
