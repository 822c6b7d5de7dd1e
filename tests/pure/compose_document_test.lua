local document = require "holos.compose.document"
local json = require "holos.core.json"
local tables = require "holos.core.table"

local found, yaml = pcall(require, "sys.yaml")
if not found then skip "this Lua has no sys.yaml" end

-- What is built, and its first document as `tree`.
local function build(text, file_index)
  local built = document.build(assert(yaml.parse(text)), file_index)
  built.tree = built.trees[1]
  return built
end

local function findings_of(text)
  local lines = {}
  for position, finding in ipairs(build(text).findings) do
    local line, column = document.position(finding.mark)
    lines[position] = ("%d:%d %s: %s"):format(line, column, finding.path, finding.message)
  end
  return lines
end

test("the primitive and the builder speak of the same kinds", function()
  equal(yaml.kinds, document.kinds)
end)

test("lists know that they are lists, nulls are there", function()
  local tree = build("a: []\nb: {}\nc:\nd: [~, 1]\n").tree
  equal(tables.is_list(tree.a), true)
  equal(tables.is_list(tree.b), false)
  equal(tree.c, json.null)
  equal(tree.d, { json.null, 1 })
end)

test("marks are of keys and of items, and carry the file", function()
  local doc = build("a:\n  - x\n  - {k: v}\n'b c': 1\n", 3)
  local function at(container, key) return { document.position(doc.marks[container][key]) } end
  equal(at(doc.tree, "a"), { 1, 1, 3 })
  equal(at(doc.tree, "b c"), { 4, 1, 3 })
  equal(at(doc.tree.a, 1), { 2, 5, 3 })
  equal(at(doc.tree.a[2], "k"), { 3, 6, 3 })
end)

test("marks hold any line and cut far columns", function()
  equal({ document.position(document.pack(200, 200000000, 5000)) }, { 200000000, 4095, 200 })
end)

test("an alias is a copy of its own, with the marks of its text", function()
  local doc = build("a: &x {k: [1]}\nb: *x\nc: &y text\nd: *y\n")
  equal(doc.tree.b, { k = { 1 } })
  equal(doc.tree.d, "text")
  equal(rawequal(doc.tree.a, doc.tree.b), false)
  equal(rawequal(doc.tree.a.k, doc.tree.b.k), false)
  equal({ document.position(doc.marks[doc.tree.b].k) }, { 1, 8, 0 })
  equal(tables.is_list(doc.tree.b.k), true)
end)

test("an anchor is what was last named so", function()
  equal(build("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").tree, { a = 1, b = 1, c = 2, d = 2 })
end)

test("merges: what is written wins, then earlier merges", function()
  local doc = build("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 9}\nd: {w: 0, <<: *b}\n"
    .. "e: {<<: {q: 1}}\n")
  equal(doc.tree.c, { x = 9, y = 1, z = 2 })
  equal(doc.tree.d, { w = 0, y = 2, z = 2 })
  equal(doc.tree.e, { q = 1 })
  equal({ document.position(doc.marks[doc.tree.c].z) }, { 2, 14, 0 })
  equal(doc.findings, {})
end)

test("a merge of merges, of a list behind an alias, of nothing", function()
  equal(build("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n").tree.c, { x = 1, y = 2 })
  equal(build("l: &l [{x: 1}, {x: 2, y: 2}]\nc: {<<: *l}\n").tree.c, { x = 1, y = 2 })
  equal(build("c: {<<: , x: 1}\n").tree.c, { x = 1 })
  equal(build("c: {'<<': 1}\n").tree.c, { ["<<"] = 1 })
  equal(build("- <<\n").tree, { "<<" })
end)

test("duplicate keys name both places, the first stays", function()
  equal(findings_of "a: 1\nb: {c: 1, c: 2}\na: {x: [y]}\n", {
    "2:11 b.c: this key is already in line 2, column 5", "3:1 a: this key is already in line 1, column 1",
  })
  equal(build("a: 1\na: 2\nb: 3\n").tree, { a = 1, b = 3 })
end)

test("keys are text", function()
  equal(findings_of "1: a\n", { "1:1 : the key 1 is no text" })
  equal(findings_of "x: {true: a, ? [b] : c, ~: d, 1.5: {e: f}}\n", {
    "1:5 x: the key true is no text", "1:16 x: a list or mapping cannot be a key", "1:25 x: the key is empty",
    "1:31 x: the key 1.5 is no text",
  })
  equal(build("a: &k key\n*k : v\n").tree, { a = "key", key = "v" })
  equal(build("'1': a\n!!str 2: b\n").tree, { ["1"] = "a", ["2"] = "b" })
end)

test("aliases of nothing and of themselves", function()
  equal(findings_of "a: *x\nb: &b [*b]\n", {
    "1:4 a: *x names nothing: there is no &x before it", "2:8 b[1]: *b stands inside of what &b names",
  })
end)

test("documents of a stream: anchors are of one, an end mark makes none", function()
  local built = build "a: &x 1\n---\n---\nb: *x\n"
  equal(built.trees, { { a = 1 }, json.null, { b = json.null } })
  equal(built.findings[1].message, "*x names nothing: there is no &x before it")
  equal(build("--- \na: 1\n...\n").trees, { { a = 1 } })
  equal(build("").tree, nil)
  equal(build("# nothing\n---\n").tree, json.null)
end)

local function bomb(levels)
  local lines = { "a0: &a0 [x, x, x, x, x, x, x, x, x]" }
  for level = 1, levels do
    lines[#lines + 1] = ("a%d: &a%d [%s]"):format(level, level, (("*a%d, "):format(level - 1)):rep(9))
  end
  return table.concat(lines, "\n") .. "\n"
end

test("!reset and !override are kept beside the values of keys", function()
  local built = build "a: !reset 1\nb: !reset {c: [1]}\nd: !override [1]\ne: !override 'x'\nf: !reset\ng: !override 2\n"
  equal(built.tree, { a = json.null, b = json.null, d = { 1 }, e = "x", f = json.null, g = 2 })
  equal(built.tags[built.tree], { a = "reset", b = "reset", d = "override", e = "override", f = "reset", g = "override" })
  equal(built.findings, {})
end)

test("tags go with aliases and merges", function()
  local built = build "a: &x {k: !reset 1, l: !override 2}\nb: *x\nc: {<<: *x, l: 3}\n"
  equal(built.tags[built.tree.b], { k = "reset", l = "override" })
  equal(built.tags[built.tree.c], { k = "reset" })
  equal(built.tree.c, { k = json.null, l = 3 })
end)

test("!reset and !override stand nowhere else", function()
  equal(findings_of "!reset\na: [!reset x, !override [y]]\n!override b: 1\nc: {<<: !reset {}}\n", {
    "1:1 : the tag !reset stands before the value of a key only",
    "2:5 a[1]: the tag !reset stands before the value of a key only",
    "2:15 a[2]: the tag !override stands before the value of a key only",
    "3:1 : the tag !override stands before the value of a key only",
    "4:9 c.<<: the tag !reset stands before the value of a key only",
  })
end)

test("a billion laughs end at the limit", function()
  local doc = build(bomb(12))
  equal(doc.is_cut, true)
  equal(#doc.findings, 1)
  ok(doc.findings[1].message:find("more than 310000 values", 1, true))
  equal(build(bomb(3)).is_cut, nil)
end)

test("ten thousand aliases of little are fine", function()
  local doc = build("a: &a {x: 1}\nb: [" .. ("*a, "):rep(10000) .. "]\n")
  equal(doc.findings, {})
  equal(#doc.tree.b, 10000)
end)

test("aliases nest no deeper than anything else", function()
  local lines = { "a0: &a0 " .. ("["):rep(60) .. ("]"):rep(60) }
  lines[2] = "a1: &a1 " .. ("["):rep(60) .. "*a0" .. ("]"):rep(60)
  equal(build(table.concat(lines, "\n")).is_cut, true)
end)

test("the limit of aliases is one for all files", function()
  local half = "a: &a [" .. ("x, "):rep(1000) .. "]\nb: [" .. ("*a, "):rep(200) .. "]\n"
  local first = document.build(yaml.parse(half), 0, {})
  equal({ first.is_cut, first.copied }, { nil, 200 * 1001 })
  local second = document.build(yaml.parse(half), 1, { copied = first.copied })
  equal(second.is_cut, true)
  ok(document.build({ heads = {}, texts = {}, anchors = {}, tags = {} }, 2, { copied = second.copied }).copied == second.copied)
end)
