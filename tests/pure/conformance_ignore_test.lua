-- .dockerignore and the patterns of COPY against the tables of moby's patternmatcher: 67 + 4 + 54 + 21 + 10 + 1.

local conformance = require "tests.support.conformance"
local glob = require "holos.dockerfile.glob"
local ignore = require "holos.dockerfile.ignore"
local table_ = require "holos.core.table"

local tables = conformance.json "buildkit-parser/vectors/patternmatcher.json"
local single, several, names, compiled, others, reading = table.unpack(tables)

local function is_ignored(patterns, path) return ignore.matches(assert(ignore.compile(patterns)), path) end

for _, case in ipairs(single.cases) do
  test(("pattern %s, path %s"):format(case[1], case[2]), function() equal(is_ignored({ case[1] }, case[2]), case[3]) end)
end

for _, case in ipairs(several.cases) do
  test(("patterns %s, path %s"):format(table.concat(case[1], " "), case[2]), function()
    equal(is_ignored(case[1], case[2]), case[3])
  end)
end

for _, case in ipairs(names.cases) do
  test(("name %s by %s"):format(case[2], case[1]), function()
    local patterns, message = ignore.compile { case[1] }
    if type(case[4]) == "string" then
      equal({ patterns, message }, { nil, ("syntax error in pattern: %q"):format(case[1]) })
      equal({ glob.parse(case[1]) }, { nil, "syntax error in pattern" })
    else
      equal(ignore.matches(patterns, case[2]), case[3])
      -- A pattern of COPY is not held against the directories above.
      if case[2] ~= "ab/c" then equal(glob.matches(assert(glob.parse(case[1])), case[2]), case[3]) end
    end
  end)
end

local KINDS = { exact = "exactMatch", prefix = "prefixMatch", suffix = "suffixMatch", pattern = "regexpMatch" }
local REGULAR = { one = "[^/]", some = "[^/]*", deep = "(.*/)?", all = ".*" }

local function regular(piece)
  if piece.kind == "text" then return (piece.text:gsub("[.$]", "\\%0")) end
  return REGULAR[piece.kind] or ("[%s%s]"):format(piece.not_in and "^" or "", piece.text)
end

for _, case in ipairs(compiled.cases) do
  test("what becomes of " .. case[1], function()
    local pattern = assert(ignore.compile { case[1] })[1]
    local text = pattern.kind == "pattern" and "^" .. table.concat(table_.map(pattern.pieces, regular)) .. "$" or ""
    equal({ KINDS[pattern.kind], text }, { case[2], case[3] })
  end)
end

for number, case in ipairs(others.cases) do
  test(("row %d of all sorts"):format(number), function()
    if not case.error then return equal(is_ignored(case.patterns, case.path), case.ignored) end
    equal({ ignore.compile(case.patterns) }, { nil, case.error })
  end)
end

test("a file of patterns", function() equal(ignore.read(reading.cases[1].input), reading.cases[1].patterns) end)
