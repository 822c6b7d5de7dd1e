-- compose-go's own cases of merging two documents. All apply: merging knows nothing of what a key means for a machine.

local compose = require "tests.support.compose"
local conformance = require "tests.support.conformance"
local json = require "holos.core.json"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local vectors = conformance.json "compose-go/vectors/merge.json"

-- Where compose-go has a list of "K=V" after a merge, there is a mapping here, which says the same: each name has one
-- value, and their order means nothing.
local PAIRS = {
  additional_contexts = true, annotations = true, args = true, environment = true, labels = true, sysctls = true,
}

local function as_map(pairs_of)
  local map = {}
  for key, value in pairs(pairs_of) do
    if tables.is_list(pairs_of) then key, value = value:match("^([^=]*)=?(.*)$"), value:match("=(.*)$") or json.null end
    map[key] = value == json.null and value or tostring(value)
  end
  return map
end

local function comparable(value)
  if type(value) ~= "table" or value == json.null then return value end
  local result = setmetatable({}, getmetatable(value))
  for key, item in pairs(value) do
    result[key] = PAIRS[key] and type(item) == "table" and as_map(item) or comparable(item)
  end
  return result
end

for number, vector in ipairs(vectors) do
  test(("merge %d: %s"):format(number, vector.test), function()
    local merged, findings = compose.merge(vector.base, vector.override)
    equal(findings, {})
    equal(comparable(merged), comparable((compose.merge(vector.expected))))
  end)
end

test("no case is missing", function() equal(#vectors, 67) end)
