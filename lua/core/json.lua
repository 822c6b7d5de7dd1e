--- JSON text made without effects, for what is written into guests: sorted keys, one line. Pure.
--
-- Reading is sys.json's; both agree on lists (metatable field __jsontype = "array") and on null.
local tables = require "holos.core.table"

local M = {}

--- The one null of pure code: what a YAML null becomes, where "there, but empty" differs from "not there".
M.null = setmetatable({}, {
  __jsontype = "null",
  __tostring = function() return "null" end,
  __newindex = function() error("null has no fields", 2) end,
})

--- Whether `value` is null: ours, or the light userdata that sys.json decodes to.
function M.is_null(value)
  return value == M.null or type(value) == "userdata"
end

-- RFC 8259, section 7: what must be escaped; DEL and the rest may stand as they are.
local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

local function encode_number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then error("JSON has no " .. value) end
  return ("%.17g"):format(value)
end

local encoders = {}

function encoders.string(value) return '"' .. value:gsub('[%c"\\]', escape) .. '"' end
encoders.number = encode_number
encoders.boolean = tostring
function encoders.userdata() return "null" end

local function encode_list(list)
  local items = {}
  for position, item in ipairs(list) do items[position] = M.encode(item) end
  return "[" .. table.concat(items, ",") .. "]"
end

local function encode_object(object)
  local fields = {}
  for key, value in tables.sorted_pairs(object) do
    if type(key) ~= "string" then error("a JSON object has text keys, got " .. tostring(key)) end
    fields[#fields + 1] = encoders.string(key) .. ":" .. M.encode(value)
  end
  return "{" .. table.concat(fields, ",") .. "}"
end

function encoders.table(value)
  if value == M.null then return "null" end
  return tables.is_list(value) and encode_list(value) or encode_object(value)
end

--- `value` as JSON text on one line. Raises for what JSON does not have: functions, cycles' depth, not-a-number.
---@return string
function M.encode(value)
  local encoder = encoders[type(value)]
  if not encoder then error("a " .. type(value) .. " has no JSON form") end
  return encoder(value)
end

return M
