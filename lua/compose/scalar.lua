--- What an unquoted word of YAML is: text, number, true, false or null. Pure.
--
-- YAML 1.2.2, section 10.3.2 ("core schema"), with one rule of ours: a number that would not survive stays the text
-- that was written. That is `0644` (octal for some readers, decimal for others), integers beyond 64 bits, 1e999, .inf
-- and .nan.
local lazy = require "holos.core.lazy"
local json = require "holos.core.json"
local text_ = lazy "holos.core.text"

local M = {}

local WORDS = {
  [""] = json.null, ["~"] = json.null, null = json.null, Null = json.null, NULL = json.null,
  ["true"] = true, True = true, TRUE = true, ["false"] = false, False = false, FALSE = false,
}

-- Bytes a number may start with: + - . 0…9.
local STARTS_NUMBER = { [43] = true, [45] = true, [46] = true }
for digit = 48, 57 do STARTS_NUMBER[digit] = true end

local function decimal(text)
  if text:find("^[-+]?0%d") then return text end
  return math.tointeger(tonumber((text:gsub("^%+", "")))) or text
end

-- Lua reads hexadecimal modulo 2^64; sixteen digits with a low first one are the most that fit.
local function hexadecimal(text)
  local digits = text:match("^0x0*(%x*)$")
  if #digits > 16 or (#digits == 16 and digits:find("^[89a-fA-F]")) then return text end
  return tonumber("0x0" .. digits)
end

local function octal(text)
  local digits = text:match("^0o0*([0-7]*)$")
  if #digits > 21 then return text end -- 21 × 3 bits = 63
  return tonumber("0" .. digits, 8)
end

local function float(text)
  if not text:find("^[-+]?%.?%d") then return text end
  local mantissa, exponent = text:match("^[-+]?([%d.]+)(.*)$")
  local is_number = (mantissa:find("^%d+%.?%d*$") or mantissa:find("^%.%d+$"))
    and (exponent == "" or exponent:find("^[eE][-+]?%d+$"))
  local value = is_number and tonumber((text:gsub("^%+", "")))
  if not value or value == math.huge or value == -math.huge then return text end
  return value + 0.0
end

local function number(text)
  if text:find("^[-+]?%d+$") then return decimal(text) end
  if text:find("^0x%x+$") then return hexadecimal(text) end
  if text:find("^0o[0-7]+$") then return octal(text) end
  return float(text)
end

--- The value of an unquoted word; text stays as it is.
---@return string|number|boolean|table value  json.null for null
function M.resolve(text)
  local word = WORDS[text]
  if word ~= nil then return word end
  if STARTS_NUMBER[text:byte()] then return number(text) end
  return text
end

local CORE = "tag:yaml.org,2002:"

local wanted = {
  [CORE .. "int"] = function(value) return math.type(value) == "integer" end,
  [CORE .. "float"] = function(value) return type(value) == "number" end,
  [CORE .. "bool"] = function(value) return type(value) == "boolean" end,
  [CORE .. "null"] = function(value) return value == json.null end,
}

--- A tag as people write it: "!!str" for the long form.
function M.short_tag(tag)
  if tag:sub(1, #CORE) == CORE then return "!!" .. tag:sub(#CORE + 1) end
  return tag
end

--- Why a tag is refused.
---@return string message, string? hint
function M.refuse_tag(tag)
  local close = text_.nearest(tag, { "!reset", "!override" })
  return ("the tag %s has no meaning here"):format(M.short_tag(tag)), close and ("did you mean %s?"):format(close) or nil
end

--- The value of a scalar with a tag.
---@return string|number|boolean|table? value
---@return string? message  why the tag does not fit
function M.tagged(text, tag)
  if tag == "!" or tag == CORE .. "str" then return text end
  local fits = wanted[tag]
  if not fits then return nil, M.refuse_tag(tag) end
  local value = M.resolve(text)
  if tag == CORE .. "float" and math.type(value) == "integer" then value = value + 0.0 end
  if not fits(value) then return nil, ("%q is no %s"):format(text, M.short_tag(tag):sub(3)) end
  return value
end

return M
