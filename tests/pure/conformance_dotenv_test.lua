-- Env files against godotenv's and compose-go's vectors: 17 files, 51 lines, 34 rows of 7 tables.

local conformance = require "tests.support.conformance"
local env_file = require "holos.compose.env_file"
local environment = require "holos.compose.environment"

local fixtures = conformance.json "dotenv/vectors-fixtures.json"
local lines = conformance.json "dotenv/vectors-parse.json"
local tables = conformance.json "dotenv/vectors-tables.json"

local function lookup_in(env)
  return function(name) return env[name] end
end

-- The values of the names of a text; nil and the problem as a user reads it.
local function parse(text, env)
  local parsed, problem = env_file.parse(text, lookup_in(env or {}))
  if parsed then return parsed.values end
  return nil, ("line %d: %s"):format(problem.line, problem.message)
end

for _, case in ipairs(fixtures) do
  test(("%s: %s"):format(case.test, case.file), function()
    local values, message = parse(conformance.text("dotenv/" .. case.file), case.os_env)
    if case.error then return equal({ values, message:sub(1, #case.error) }, { nil, case.error }) end
    for _, name in ipairs(case.expected_absent or {}) do equal(values[name], nil) end
    -- What counts in the end: the process' environment wins over the file where its note says so.
    local seen = case.note and environment.lookup(lookup_in(case.os_env), values) or lookup_in(values)
    for name, value in pairs(case.expected or {}) do equal(seen(name), value, name) end
  end)
end

for _, case in ipairs(lines) do
  test(case.input, function() equal(parse(case.input), { [case.key] = case.value }) end)
end

-- The environment that the tables of operators are read in.
local ENV = { EMPTY_VAR = "", TEST_VAR = "Test Value" }

local judge = {}

function judge.TestExpanding(row) equal(parse(row[2]), row[3]) end

function judge.TestUnterminatedQuotes(text)
  local values, message = parse(text)
  equal({ values, message:find("^line 1: unterminated quoted value ") ~= nil }, { nil, true })
end

function judge.TestLinesToIgnore(case)
  equal(parse(case.input), case.want and { OPTION_B = "\\n" } or {})
end

-- {name, text, "RESULT=" value, {Variable, Reason} where it is an error}
local function operator(row)
  local values, message = parse(row[2], ENV)
  local wanted = row[4]
  if type(wanted) ~= "table" then return equal(values, { RESULT = row[3]:match("^RESULT=(.*)$") }) end
  equal({ values, message }, { nil,
    ("line 1: required variable %s is missing a value: %s"):format(wanted.Variable, wanted.Reason) })
end

local rows = 0
for _, suite in ipairs(tables) do
  for number, case in ipairs(suite.cases) do
    rows = rows + 1
    test(("%s, row %d"):format(suite.test, number), function() (judge[suite.test] or operator)(case) end)
  end
end

test("no row is left out", function()
  equal({ #fixtures, #lines, #tables, rows }, { 17, 51, 7, 34 })
end)
