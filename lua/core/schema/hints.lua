--- What to write instead of a value that does not fit its rule. Pure; needed only when something is wrong.
local schema = require "holos.core.schema"
local text = require "holos.core.text"

local M = {}

local LISTED_NAMES = 13 -- more would not be read

local SCALAR = { text = true, integer = true, number = true, boolean = true }

local function names_of(fields)
  local names = {}
  for _, field in ipairs(fields) do
    if field.class ~= "refused" then names[#names + 1] = field.name end
  end
  return names
end

--- The keys of a record, where they are few enough to be read.
---@return string? hint
function M.known_keys(rule)
  local names = names_of(rule.fields)
  return #names <= LISTED_NAMES and not rule.others and "known here: " .. table.concat(names, ", ") or nil
end

-- `key: [value]`, for a value that stands where a list is wanted.
local function listed(rule, key, value)
  if rule.words_hint then return rule.words_hint end
  local item = type(value) == "string" and value:match("^%-(%S.*)$")
  if item then return ('a space is missing after "-": - %s'):format(item) end
  return type(key) == "string" and ("write %s: [%s]"):format(key, schema.show(value)) or ("write [%s]"):format(schema.show(value))
end

-- "image:./a" is a text, and so is "image=./a"; somebody meant a key and its value.
local function as_key(fields, value)
  local name, rest = value:match("^([%w_-]+)[:=](%S.*)$")
  return name and fields[name] and ('a key and its value are written "%s: %s"'):format(name, rest) or nil
end

local function for_record(rule, value, key)
  local odd = type(key) == "string" and text.odd_character(key)
  if odd then return odd end
  if type(key) == "string" and rule.fields[key] then
    return ('"%s" belongs below a name, and is indented further than that'):format(key)
  end
  local hint = type(value) == "string" and as_key(rule.fields, value) or rule.hint
  if hint or schema.kind_of(value) ~= "list" then return hint or M.known_keys(rule) end
  return 'write its keys without "- "'
end

local WITHOUT_DASH = 'write each as NAME: with what belongs to it indented below, without "- "'
local WITH_DASHES = 'write a list: each item begins with "- "'

-- A mapping with one plain value where text is wanted was text with ": " in it.
local function as_text(rule, value)
  local key, item = next(value)
  if key == nil or next(value, key) ~= nil or not SCALAR[schema.kind_of(item)] then return nil end
  if rule.is_pair then return ('write "%s=%s", or leave out every "- "'):format(key, tostring(item)) end
  return ("put the text in quotes: %s"):format(schema.show(("%s: %s"):format(key, tostring(item))))
end

local function takes_text(rule) return rule.kind == "text" or rule.kind == "either" and rule.text ~= nil end

local function takes_list(rule) return rule.kind == "list" or rule.kind == "either" and rule.list ~= nil end

--- What to write where `value` is of a kind that `rule` does not take; nil when there is nothing to say.
---@param key string|integer|nil  where it stands
---@return string? hint
function M.kind(rule, value, key)
  local is = schema.kind_of(value)
  if rule.kind == "record" then return for_record(rule, value, key) end
  if rule.kind == "map" then return is == "list" and WITHOUT_DASH or nil end
  if takes_text(rule) and math.type(key) == "integer" and is == "map" then return as_text(rule, value) end
  if takes_text(rule) and SCALAR[is] and is ~= "text" then return ("put it in quotes: %s"):format(schema.show(tostring(value))) end
  if not takes_list(rule) then return nil end
  if SCALAR[is] then return rule.kind == "either" and rule.hint or listed(rule, key, value) end
  return rule.hint or is == "map" and WITH_DASHES or nil
end

-- What is in the right form already is wrong for another reason.
local function suggestion(form, value) return form ~= value and ('write "%s"'):format(form) or nil end

local SIZE_LETTERS = { b = "", k = "K", m = "M", g = "G", t = "T" }

--- "2 gigs" → how a size is written.
---@return string? hint
function M.size(value)
  local number, letter = tostring(value):lower():gsub(",", "."):match("^%s*(%d+%.?%d*)%s*([bkmgt])%a*%s*$")
  return number and suggestion(number .. SIZE_LETTERS[letter], value) or nil
end

--- A number that was meant in larger units than bytes.
---@return string hint
function M.unit(value)
  local number = tonumber(value)
  return ('a number without a unit counts bytes; write for example "%s%s"'):format(tostring(value), number < 64 and "G" or "M")
end

local DURATION_UNITS = { s = "s", sec = "s", secs = "s", second = "s", seconds = "s", m = "m", min = "m", mins = "m",
  minute = "m", minutes = "m", h = "h", hour = "h", hours = "h", d = "d", day = "d", days = "d", ms = "ms" }

--- "1 minute" → how a duration is written.
---@return string? hint
function M.duration(value)
  local number, unit = tostring(value):lower():match("^%s*(%d+%.?%d*)%s*(%a+)%s*$")
  return DURATION_UNITS[unit] and suggestion(number .. DURATION_UNITS[unit], value) or nil
end

-- All names of a record.
local function all_names(rule)
  local names = {}
  for name in pairs(rule.others or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, field in ipairs(rule.fields) do names[#names + 1] = field.name end
  return names
end

--- What to say of a key that a record does not know.
---@param belongs fun(keys: table, key: string, value: any): string?  where the key would be right
---@return string message
---@return string? hint
function M.unknown_key(rule, key, value, keys, belongs)
  local odd = text.odd_character(key)
  if odd then return "unknown key", odd end
  local place = belongs and belongs(keys, key, value)
  if place then return "unknown key here; " .. place end
  local close = text.nearest(key, all_names(rule))
  if close then return ('unknown key; did you mean "%s"?'):format(close) end
  return "unknown key", M.known_keys(rule)
end

return M
