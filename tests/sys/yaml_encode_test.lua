-- Trees as YAML: read back by holos and by Python's own YAML, which is of version 1.1, they are the same trees.

local document = require "holos.compose.document"
local files = require "tests.support.files"
local json = require "holos.core.json"
local sys_json = require "sys.json"
local sys_yaml = require "sys.yaml"
local tables = require "holos.core.table"
local yaml = require "holos.core.yaml"

local SEED = tonumber(files.environment "HOLOS_TEST_SEED" or 20261121)

local TEXTS = {
  "", " ", "a", "a b", " a", "a ", "a:", "a: b", "a:b", ":a", "#a",
  "a #b", "a#b", "- a", "-", "-a", "--a-b", "---", "...", "?", "? a",
  "!a", "&a", "*a", "%a", "@a", "`a`", "'a'", '"a"', 'say "a"', "[a]",
  "{a}", "a, b", "a]", "|", ">", "=", "<<", "~", "~/x", "/x", "./x",
  "../x", "..x", ".x", ".inf", ".nan", "null", "Null", "true",
  "TRUE", "yes", "No", "on", "off", "y", "N", "1", "-1", "+1", "0x1f",
  "0o17", "017", "0b1", "1_000", "1e5", "1.5", "1.", ".5", "1:30",
  "190:20:30", "2026-01-31", "2026-01-31T12:00:00Z", "1m30s", "1.5s",
  "20G", "10.5.0.9", "10.5.0.0/24", "52:54:00:12:34:56", "5e", "e5",
  "$x", "a$$b", "a\nb", "a\nb\n", "a\n\nb\n", "\na", "a\n\n", "\n",
  "a\n", " a\nb", "a\n  b\n", "a\n \nb", "a\n\tb\n", "\ta\nb",
  "a\n\t\nb", "a\tb", "a\rb", "a\\nb", "a\127b", "a\1b", "é", "über: ß",
  "a\194\133b", "a\226\128\168b", "\239\187\191a", "😀\nx", "a\194\160b",
  "x: |\n  y\n", "- a\n- b\n", "# a\nb\n", "a: b\n#c", "%a\nb",
  ("word "):rep(60) .. "end", ("x"):rep(3000), "a\n" .. ("y"):rep(3000) .. "\n",
}

local KEYS = {
  "a", "b c", "y", "1", "a: b", "", "#", "x\ny", "null", "<<", "é", "-", "?", ("k"):rep(1500), ("wide "):rep(300) .. "end",
}

local function scalar()
  local kind = math.random(12)
  if kind == 1 then return math.random(-1000, 1000) end
  if kind == 2 then return math.random() * 10 ^ math.random(-8, 20) end
  if kind == 3 then return math.random(2) == 1 end
  if kind == 4 then return json.null end
  if kind == 5 then return math.random(-3, 3) + 0.0 end
  return TEXTS[math.random(#TEXTS)]
end

local function tree(depth)
  local kind = depth > 0 and math.random(3) or 1
  if kind == 1 then return scalar() end
  local made = kind == 2 and tables.list {} or {}
  for position = 1, math.random(0, 4) do
    made[kind == 2 and position or KEYS[math.random(#KEYS)]] = tree(depth - 1)
  end
  return made
end

local function read(text)
  local events = assert(sys_yaml.parse(text))
  local built = document.build(events)
  equal(built.findings, {}, text)
  return built.trees[1]
end

-- Each line of input is a YAML text as JSON; each line of output what Python reads, as JSON.
local JUDGE = [[
import json, sys
try:
  import yaml
except ImportError:
  sys.exit(77)
for line in sys.stdin:
  print(json.dumps(yaml.safe_load(json.loads(line))))
]]

-- As JSON text: no number loses its kind. Python's 1e+20 has no point.
local function plain(value) return json.encode(value) end

local function check_all(trees)
  local lines = {}
  for position, value in ipairs(trees) do
    local text = yaml.encode(value)
    equal(plain(read(text)), plain(value), text)
    lines[position] = sys_json.encode(text)
  end
  local result = run_tool({ "python3", "-c", JUDGE }, { stdin = table.concat(lines, "\n") .. "\n" })
  if result.status == 77 then skip "python3 has no yaml module" end
  equal(result.stderr, "")
  local position = 0
  for line in result.stdout:gmatch("[^\n]+") do
    position = position + 1
    equal(plain(assert(sys_json.decode("[" .. line .. "]"))), plain(tables.list { trees[position] }), yaml.encode(trees[position]))
  end
  equal(position, #trees)
end

test("every text alone, as a value, in a list, and as a key", function()
  local trees = {}
  for _, text in ipairs(TEXTS) do
    table.move({ text, { key = text }, tables.list { text, "x", text },
      { [text] = { [text] = tables.list { { [text] = text } } } } }, 1, 4, #trees + 1, trees)
  end
  check_all(trees)
end)

test(("random trees of seed %d"):format(SEED), function()
  math.randomseed(SEED)
  local trees = {}
  for position = 1, files.environment "HOLOS_TESTS" == "all" and 3000 or 300 do trees[position] = tree(5) end
  check_all(trees)
end)

test("the first key, and comments", function()
  local value = { a = 1, name = "x", z = { name = 1, b = tables.list { "c", { d = "e\nf\n" } } } }
  local text = yaml.encode(value, { first = "name", note = function(_, key) return key ~= "a" and "# of " .. key or nil end })
  equal(text, "name: x  # # of name\na: 1\nz:  # # of z\n  b:  # # of b\n    - c  # # of 1\n    - d: |  # # of d\n"
    .. "        e\n        f\n"
    .. "  name: 1  # # of name\n")
  equal(read(text), value)
end)
