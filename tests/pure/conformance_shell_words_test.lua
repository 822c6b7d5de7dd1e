-- BuildKit's vectors for variables: 228 texts, 24 lines of words, and 53 rows of two tables.

local conformance = require "tests.support.conformance"
local dockerfile = require "tests.support.dockerfile"
local shell = require "holos.dockerfile.shell"

local ROOT = "buildkit-parser/"

local function trim(text) return text:match("^%s*(.-)%s*$") end

local ENVIRONMENT = { PWD = "/home", SHELL = "bash", KOREAN = "한국어", NULL = "" }
local texts = 0

for line in conformance.text(ROOT .. "shell/envVarTest"):gmatch("[^\n]+") do
  local platform, input, wanted = line:match("^([AUW])|(.-)%s*|%s*(.*)$")
  if platform and platform ~= "W" then
    texts = texts + 1
    test(input, function()
      local result, message = shell.word(trim(input), ENVIRONMENT)
      if trim(wanted) == "error" then return equal({ result, type(message) }, { nil, "string" }) end
      equal(result, trim(wanted))
    end)
  end
end

local rows, environment = {}, {}

for line in conformance.text(ROOT .. "shell/wordsTest"):gmatch("[^\n]+") do
  local name, value = line:match("^ENV%s+([^=]+)=(.*)$")
  if name then
    environment = setmetatable({ [name] = value }, { __index = environment })
  elseif not line:find("^#") then
    rows[#rows + 1] = { line = line, environment = environment }
  end
end

for _, row in ipairs(rows) do
  test("words: " .. row.line, function()
    local input, wanted = row.line:match("^(.-)%s|%s(.*)$")
    local words, message = shell.words(trim(input), row.environment)
    if trim(wanted) == "error" then return equal({ words, type(message) }, { nil, "string" }) end
    equal(table.concat(words, ","), (wanted:gsub("^%s+", "")))
  end)
end

local tables = {}
for _, suite in ipairs(conformance.json(ROOT .. "vectors/tables.json")) do tables[suite.test] = suite.cases end

for number, case in ipairs(tables.TestProcessWithMatches) do
  test(("row %d: %s"):format(number, case.input), function()
    local result, seen = shell.word(case.input, case.envs)
    if case.expectedErr then return equal({ result, type(seen) }, { nil, "string" }) end
    equal(result, case.expected)
    equal(dockerfile.names(seen.matched), dockerfile.names(type(case.matches) == "table" and case.matches))
    equal(dockerfile.names(seen.unmatched), dockerfile.names(case.unmatched))
  end)
end

for number, case in ipairs(tables.TestShellParserMandatoryEnvVars) do
  test(("wanted variables, row %d"):format(number), function()
    local result, message = shell.word(case.input, case.envs)
    if not case.expectedErr then return equal(result, case.expected) end
    equal({ result, message:find(case.expectedErr, 1, true) ~= nil }, { nil, true })
  end)
end

test("no row is left out", function()
  equal({ texts, #rows, #tables.TestProcessWithMatches, #tables.TestShellParserMandatoryEnvVars }, { 228, 24, 47, 6 })
end)
