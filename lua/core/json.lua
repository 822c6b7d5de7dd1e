--- JSON as text for what pure modules make (seeds, hash inputs): sorted keys, one line. Reading is sys.json's. Pure.
local table_ = require "holos.core.table"

local M = {}

--- The one null of pure code: what a YAML null becomes, where "there, but empty" differs from "not there".
M.null = setmetatable({}, {
  __jsontype = "null",
  __tostring = function() return "null" end,
  __newindex = function() error("null has no fields", 2) end,
})

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_byte(char) return ESCAPES[char] or ("\\u%04x"):format(char:byte()) end
local function escape_character(char) return ("\\u%04x"):format(utf8.codepoint(char, 1, 1, true)) end

-- Beyond JSON's own rules, what YAML 1.1 does not take as it is inside quotes: C1 controls, its two other line breaks
-- (U+2028, U+2029), the byte order mark, and U+FFFE and U+FFFF (YAML 1.1, section 4.1.1).
local function quote(text)
  local escaped = text:gsub('[%c"\\\127]', escape_byte):gsub("\194[\128-\159]", escape_character)
    :gsub("\226\128[\168\169]", escape_character):gsub("\239\187\191", escape_character)
    :gsub("\239\191[\190\191]", escape_character)
  return '"' .. escaped .. '"'
end

local encoders = {}

function encoders.string(value) return quote(value) end
function encoders.boolean(value) return tostring(value) end
function encoders.userdata() return "null" end -- sys.json decodes null to the light userdata NULL

function encoders.number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then error("JSON has no " .. tostring(value)) end
  return ("%.17g"):format(value)
end

-- By its metatable: a copy of null is null too.
local function is_null(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__jsontype == "null"
end

function encoders.table(value)
  if is_null(value) then return "null" end
  local parts = {}
  if table_.is_list(value) then
    for i, item in ipairs(value) do parts[i] = M.encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in table_.sorted_pairs(value) do parts[#parts + 1] = quote(tostring(key)) .. ":" .. M.encode(item) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- The JSON text of a plain value. Lists are recognised by table_.list or by holding something at 1.
function M.encode(value)
  local encoder = encoders[type(value)] or error("JSON has no " .. type(value))
  return encoder(value)
end

return M
