-- What the tables of others do not say about .dockerignore and the patterns of COPY.

local glob = require "holos.dockerfile.glob"
local ignore = require "holos.dockerfile.ignore"

local function compiled(...) return assert(ignore.compile { ... }) end

test("lines end in any way, comments stand at the margin only, and names keep the blanks inside them", function()
  equal(ignore.read "\xEF\xBB\xBF# one\r\n *.log \r\n\r\n #two\na b\n./x//y/\n!/z\n", { "*.log", "#two", "a b", "x/y", "!z" })
end)

test("a directory that is left out is looked into when something below it may be taken back", function()
  local patterns = compiled("node_modules", "docs", "!docs/README.md")
  equal({ ignore.may_hold(patterns, "docs"), ignore.may_hold(patterns, "node_modules") }, { true, false })
  equal(ignore.may_hold(compiled("a", "!**/keep"), "a"), true)
end)

test("what is taken back can be left out again by a later line", function()
  local patterns = compiled("*", "!src", "src/*.o")
  equal({ ignore.matches(patterns, "src/a.c"), ignore.matches(patterns, "src/a.o"), ignore.matches(patterns, "README") },
    { false, true, true })
end)

test("two stars are a pattern of directories in .dockerignore, and in COPY two times one star", function()
  local pieces = assert(glob.parse "src/**/x")
  equal({ glob.matches(pieces, "src/a/x"), glob.matches(pieces, "src/a/b/x") }, { true, false })
  equal(ignore.matches(compiled "src/**/x", "src/a/b/x"), true)
end)

test("stars between brackets and behind backslashes stand for themselves", function()
  equal({ ignore.matches(compiled "a[**]b", "a*b"), ignore.matches(compiled "a[**]b", "axxb") }, { true, false })
  equal({ ignore.matches(compiled [[a\**]], "a*bc"), ignore.matches(compiled [[a\**]], "abc") }, { true, false })
end)

test("a pattern made to be slow takes no longer than its length times that of the name", function()
  local pattern, name = ("a*"):rep(60) .. "b", ("a"):rep(400)
  equal(glob.matches(assert(glob.parse(pattern)), name), false)
  equal(ignore.matches(compiled(("**/a"):rep(20) .. "c"), ("a/"):rep(60) .. "b"), false)
end)

test("bytes that are no UTF-8 are characters of their own", function()
  local pieces = assert(glob.parse "a?[^x]\xff")
  equal({ glob.matches(pieces, "a\xe2\xff\xff"), glob.matches(pieces, "a\xff\xff") }, { true, false })
end)
