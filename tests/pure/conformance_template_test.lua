-- Interpolation against compose-go's own tables: 29 + 6 texts and 94 rows of 10 tables.

local conformance = require "tests.support.conformance"
local template = require "holos.compose.template"

local simple = conformance.json "compose-go/vectors/template-simple.json"
local tables = conformance.json "compose-go/vectors/template-tables.json"

local function lookup_in(env)
  return function(name) return env[name] end
end

local function expand(text, env)
  return template.expand(text, lookup_in(env))
end

for _, case in ipairs(simple.cases) do
  test(("%s: %s"):format(case.test, case.template), function()
    local unset = {}
    local result = template.expand(case.template, lookup_in(case.env or simple.env), function(name) unset[#unset + 1] = name end)
    equal(result, case.expected)
    if case.test:find("DoesNotWarn") then equal(unset, {}) end
    if case.test:find("WarnsWhenUsed") then equal(unset, { "B" }) end
  end)
end

for _, case in ipairs(simple.errors) do
  test(("%s: %s"):format(case.test, case.template), function()
    local result, message, hint = expand(case.template, simple.env)
    equal({ result, message:find("is no variable: ", 1, true) ~= nil, hint }, { nil, true, template.ESCAPE })
  end)
end

local judge = {}

local function by_result(case, env)
  local result, message = expand(case.template or case.test, env)
  local wanted = case.expectedError or case.errMsg and ": " .. case.errMsg
  if not wanted then return equal(result, case.expected) end
  equal(result, nil)
  equal(message:sub(1, #"required variable "), "required variable ")
  equal(message:sub(-#wanted), wanted)
end

-- A row with `err` names the variable and the reason, and must have no result.
function judge.TestPrecedence(case, env)
  if type(case.err) ~= "table" then return by_result(case, env) end
  by_result({ template = case.template, expectedError =
    ("required variable %s is missing a value: %s"):format(case.err.Variable, case.err.Reason) }, env)
end

-- Which operator was chosen is seen from outside: what an unset, an empty and a set variable give.
local BEHAVIOUR = {
  [":?"] = { "error", "error", "x" }, ["?"] = { "error", "", "x" }, [":-"] = { "word", "word", "x" },
  ["-"] = { "word", "", "x" }, [":+"] = { "", "", "word" }, ["+"] = { "", "word", "word" },
}

function judge.TestSubstitutionFunctionChoice(row)
  local text, operator, seen = row[2], row[3], {}
  local word = text:sub(#"VARNAME" + #operator + 1)
  for position, value in ipairs { false, "", "x" } do
    local result, message = expand("${" .. text .. "}", { VARNAME = value or nil })
    seen[position] = result == word and "word" or result or message:sub(-#word) == word and "error"
  end
  equal(seen, BEHAVIOUR[operator])
end

local function texts_in(value, found)
  if type(value) == "string" then found[#found + 1] = value end
  for _, item in pairs(type(value) == "table" and value or {}) do texts_in(item, found) end
  return found
end

function judge.TestExtractVariables(case)
  local found, wanted = {}, {}
  for _, text in ipairs(texts_in(case.dict, {})) do
    for _, variable in ipairs(template.variables(text)) do
      found[variable.name] = { default = variable.default, required = variable.required, alternate = variable.alternate }
    end
  end
  for name, variable in pairs(case.expected) do
    local default = variable.DefaultValue
    wanted[name] = { default = default ~= "" and default or nil, required = variable.Required,
      alternate = variable.PresenceValue }
  end
  equal(found, wanted)
end

local rows = 0
for _, suite in ipairs(tables) do
  for number, case in ipairs(suite.cases) do
    rows = rows + 1
    test(("%s, row %d"):format(suite.test, number), function() (judge[suite.test] or by_result)(case, suite.env) end)
  end
end

test("no row is left out", function()
  equal({ #simple.cases, #simple.errors, #tables, rows }, { 29, 6, 10, 94 })
end)
