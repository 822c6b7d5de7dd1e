--- The rules of a compose file as JSON Schema (draft 2020-12), for editors and other programs. Pure.
--
-- It says what a single file may look like before its variables are replaced: wherever a value has a grammar, a text with
-- a "$" in it will do. What needs more than a look at one value (names that exist, numbers that agree) is not in it.
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

M.DIALECT = "https://json-schema.org/draft/2020-12/schema"

local VARIABLE = { ["$ref"] = "#/$defs/variable" }

-- Classes of Lua patterns inside of brackets (Lua 5.4 manual, 6.4.1, in the C locale).
local CLASSES = { w = "0-9A-Za-z", d = "0-9", a = "A-Za-z", l = "a-z", u = "A-Z", x = "0-9A-Fa-f", s = " \\t-\\r",
  c = "\\x00-\\x1f\\x7f" }

local function escape(char)
  return char:find("[%w%s\"'<>@=~_,:;#%%&!/-]") and char or "\\" .. char
end

local function in_set(set)
  return (set:gsub("%%(.)", function(char) return CLASSES[char] or "\\" .. char end))
end

--- A regular expression (ECMA 262) for a Lua pattern of anchors, single characters, sets and the quantifiers * + ?.
function M.regex(pattern)
  local parts, at = {}, 1
  while at <= #pattern do
    local set, after = pattern:match("^%[([^%]]*)%]()", at)
    local char = pattern:sub(at, at)
    if set then
      parts[#parts + 1], at = "[" .. in_set(set) .. "]", after
    elseif char == "%" then
      local class = pattern:sub(at + 1, at + 1)
      parts[#parts + 1], at = CLASSES[class] and "[" .. CLASSES[class] .. "]" or escape(class), at + 2
    else
      parts[#parts + 1], at = char:find("[%^%$%.%*%+%?]") and char or escape(char), at + 1
    end
  end
  return table.concat(parts)
end

local function any_of(list)
  local kept, seen = tables.list {}, {}
  for _, one in ipairs(list) do
    for _, inner in ipairs(one.anyOf and next(one, "anyOf") == nil and next(one) == "anyOf" and one.anyOf or { one }) do
      if not seen[inner] then kept[#kept + 1], seen[inner] = inner, true end
    end
  end
  return #kept == 1 and kept[1] or { anyOf = kept }
end

local function or_variable(one) return any_of { one, VARIABLE } end

local makers = {}

--- What a rule admits.
function M.of(rule)
  return makers[rule.kind](rule)
end

function makers.any() return {} end

function makers.text(rule)
  local made = { type = "string", minLength = not rule.empty and 1 or nil, maxLength = rule.most }
  if not rule.pattern then return made end
  made.pattern = M.regex(rule.pattern)
  return or_variable(made)
end

function makers.integer(rule)
  return or_variable { anyOf = tables.list {
    { type = "integer", minimum = rule.least, maximum = rule.most }, { type = "string", pattern = "^-?[0-9]+$" },
  } }
end

function makers.boolean() return { ["$ref"] = "#/$defs/boolean" } end
function makers.duration() return { ["$ref"] = "#/$defs/duration" } end
function makers.size() return { ["$ref"] = "#/$defs/size" } end
function makers.choice(rule) return or_variable { enum = tables.list(tables.copy(rule.values)) } end
function makers.list(rule) return { type = "array", items = M.of(rule.of) } end

local JSON_TYPES = {
  text = "string", integer = "integer", number = "number", boolean = "boolean", null = "null", list = "array", map = "object",
}

function makers.parsed(rule)
  local types = tables.list {}
  for _, kind in ipairs { "text", "integer", "number", "boolean", "null", "list", "map" } do
    if rule.accepts[kind] then types[#types + 1] = JSON_TYPES[kind] end
  end
  local examples = rule.values or rule.example and { rule.example }
  return { type = #types == 1 and types[1] or types, examples = examples and tables.list(tables.copy(examples)) or nil }
end

function makers.either(rule)
  local list = {}
  for _, kind in ipairs { "text", "integer", "number", "boolean", "list", "map" } do
    if rule[kind] then list[#list + 1] = M.of(rule[kind]) end
  end
  return any_of(list)
end

local function or_null(one)
  if type(one.type) == "string" and not one.enum then
    one.type = tables.list { one.type, "null" }
    return one
  end
  return next(one) == nil and one or any_of { one, { type = "null" } }
end

function makers.map(rule)
  local item = M.of(rule.of)
  return { type = "object", additionalProperties = rule.empty and or_null(item) or item,
    propertyNames = rule.key and { maxLength = rule.key.most, pattern = rule.key.pattern and M.regex(rule.key.pattern) } or nil }
end

function makers.lazy(rule) return M.of(schema.loaded(rule)) end
makers.later, makers.ignored = makers.lazy, makers.lazy

local function default_of(field)
  local default = field.default
  if type(default) == "table" or default == nil then return nil end
  local kind = schema.loaded(field.rule).kind
  if kind == "duration" then return units.format_duration(default) end
  if kind == "size" then return (units.format_bytes(default):gsub(" (%u)iB", "%1")) end
  return default
end

local function property(field)
  if field.class == "refused" then return { description = "Refused: " .. field.reason .. ".", ["not"] = {} } end
  local made = or_null(M.of(field.rule))
  if made["$ref"] then made = { allOf = tables.list { made } } end
  made.default = default_of(field)
  if field.class == "ignored" then
    made.deprecated, made.description = true, "No effect: " .. field.reason .. "."
  else
    made.description = (field.class == "later" and "Not available yet. " or "") .. field.meaning
  end
  return made
end

function makers.record(rule)
  local properties, required = {}, tables.list {}
  for _, field in ipairs(rule.fields) do
    properties[field.name] = property(field)
    if field.required == true then required[#required + 1] = field.name end
  end
  for name, field in pairs(rule.others or {}) do properties[name] = property(field) end
  return {
    type = "object", properties = properties, required = #required > 0 and required or nil,
    patternProperties = { ["^x-"] = {} }, additionalProperties = rule.open and true or false,
  }
end

--- The whole schema, as plain data.
---@param rule table   of the whole file
---@param title string
function M.make(rule, title)
  local made = M.of(rule)
  made["$schema"], made.title = M.DIALECT, title
  made["$defs"] = {
    variable = { type = "string", pattern = "\\$", description = "A text with variables." },
    boolean = { anyOf = tables.list { { type = "boolean" },
      { enum = tables.list { "true", "false", "yes", "no", "on", "off", "y", "n" } }, VARIABLE } },
    duration = { anyOf = tables.list { { const = 0 },
      { type = "string", pattern = "^(0|([0-9]+(\\.[0-9]*)?(us|ms|s|m|h|d))+)$" }, VARIABLE } },
    size = { anyOf = tables.list { { type = "integer" },
      { type = "string", pattern = "^\\s*-?[0-9]+(\\.[0-9]*)?\\s*[bBkKmMgGtTpP]?[iI]?[bB]?\\s*$" }, VARIABLE } },
  }
  return made
end

return M
