-- JSON Schema from rules: patterns, kinds of values, classes of keys.

local json_schema = require "holos.compose.json_schema"
local project = require "holos.compose.schema.project"
local schema = require "holos.core.schema"

test("Lua patterns as regular expressions", function()
  local cases = {
    { "^[a-z0-9][a-z0-9-]*$", "^[a-z0-9][a-z0-9-]*$" }, { "^[%w_][%w_.-]*%$?$", "^[0-9A-Za-z_][0-9A-Za-z_.-]*\\$?$" },
    { "^/.*$", "^/.*$" }, { "^%x%x:%d+$", "^[0-9A-Fa-f][0-9A-Fa-f]:[0-9]+$" }, { "^[^=%c%s]+$", "^[^=\\x00-\\x1f\\x7f \\t-\\r]+$" },
    { "^a%.b%-c$", "^a\\.b-c$" }, { "^(x)$", "^\\(x\\)$" }, { "^[%d,-]+$", "^[0-9,-]+$" },
  }
  for _, case in ipairs(cases) do equal(json_schema.regex(case[1]), case[2], case[1]) end
end)

local RECORD = schema.record {
  { "name", schema.text { pattern = "%l+", most = 9 }, required = true, meaning = "Name." },
  { "free", schema.text { empty = true }, meaning = "Free." },
  { "count", schema.integer { least = 1 }, default = 3, meaning = "Count." },
  { "wait", schema.duration {}, default = 90000, class = "later", meaning = "Wait." },
  { "size", schema.size {}, default = 10 << 30, meaning = "Size." },
  { "on", schema.boolean {}, class = "ignored", reason = "off", meaning = "On." },
  { "never", class = "refused", reason = "no" },
  { "mode", schema.choice { values = { "a", "b" } }, meaning = "Mode." },
  { "either", schema.either { text = schema.text {}, list = schema.list { of = schema.text {} } }, meaning = "Either." },
  { "parsed", schema.parsed { accepts = { text = true, integer = true }, example = "8:8" }, meaning = "Parsed." },
  { "map", schema.map { of = schema.any(), key = schema.text { pattern = "%l+" } }, meaning = "Map." },
  { "lazy", schema.lazy(function() return schema.record({}, { open = true }) end), meaning = "Lazy." },
}

test("kinds of values, defaults and classes", function()
  local made = json_schema.of(RECORD)
  local of = made.properties
  equal({ made.type, made.required, made.additionalProperties, made.patternProperties },
    { "object", { "name" }, false, { ["^x-"] = {} } })
  equal(of.name.anyOf[1], { type = "string", minLength = 1, maxLength = 9, pattern = "^[a-z]+$" })
  equal({ of.free.type, of.free.minLength }, { { "string", "null" } })
  equal({ of.count.default, of.count.anyOf[1].minimum, of.count.anyOf[2].pattern }, { 3, 1, "^-?[0-9]+$" })
  equal({ of.wait.default, of.wait.description }, { "1m30s", "Not available yet. Wait." })
  equal({ of.size.default, of.size.anyOf[1] }, { "10G", { ["$ref"] = "#/$defs/size" } })
  equal({ of.on.deprecated, of.on.description }, { true, "No effect: off." })
  equal(of.never, { description = "Refused: no.", ["not"] = {} })
  equal(of.mode.anyOf[1].enum, { "a", "b" })
  equal(of.either.anyOf[2], { type = "array", items = { type = "string", minLength = 1 } })
  equal(of.parsed.anyOf[1], { type = { "string", "integer" }, examples = { "8:8" } })
  equal(of.map.propertyNames, { pattern = "^[a-z]+$" })
  equal(of.lazy.additionalProperties, true)
end)

test("the whole file: every key has a description, every reference a definition", function()
  local made = json_schema.make(project, "holos.yaml")
  local count = 0
  local function walk(node)
    if type(node) ~= "table" then return end
    local reference = node["$ref"]
    if reference then ok(made["$defs"][reference:match("^#/%$defs/(.+)$")], reference) end
    local properties = node.patternProperties and node.properties or {}
    for name, property in pairs(properties) do
      count = count + 1
      ok(type(property.description) == "string", name)
    end
    for _, inner in pairs(node) do walk(inner) end
  end
  walk(made)
  ok(count > 400, tostring(count))
  equal(made["$schema"], "https://json-schema.org/draft/2020-12/schema")
end)
