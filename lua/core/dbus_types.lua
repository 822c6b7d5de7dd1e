--- Types of D-Bus: signatures such as "a{sv}" as trees. Pure.
local M = {}

local MOST_BYTES, MOST_DEPTH = 255, 32

---@class holos.DbusType
---@field code string      the character that begins it
---@field align integer
---@field format string?   of string.pack, for numbers
---@field is_container boolean?
---@field item holos.DbusType?       of an array
---@field members holos.DbusType[]?  of a struct, or of a dictionary's entry

local BASIC = {
  y = { format = "B", align = 1 }, b = { align = 4 }, n = { format = "i2", align = 2 }, q = { format = "I2", align = 2 },
  i = { format = "i4", align = 4 }, u = { format = "I4", align = 4 }, x = { format = "i8", align = 8 },
  t = { format = "i8", align = 8 }, -- above 2^63 as Lua's integers wrap
  d = { format = "d", align = 8 }, h = { format = "I4", align = 4 }, s = { align = 4 }, o = { align = 4 }, g = { align = 1 },
}
for code, kind in pairs(BASIC) do kind.code = code end
local VARIANT = { code = "v", align = 1, is_container = true }

local parse_one

-- Members until `closer`; nil when there are none, or it never comes.
local function parse_members(text, at, closer, depth)
  local members = {}
  while at <= #text and text:sub(at, at) ~= closer do
    local member
    member, at = parse_one(text, at, depth)
    if not member then return nil end
    members[#members + 1] = member
  end
  if at > #text or #members == 0 then return nil end
  return members, at + 1
end

local function parse_array(text, at, depth)
  if text:sub(at, at) ~= "{" then
    local item, after = parse_one(text, at, depth)
    return item and { code = "a", align = 4, is_container = true, item = item }, after
  end
  local members, after = parse_members(text, at + 1, "}", depth)
  if not members or #members ~= 2 or members[1].is_container then return nil end
  return { code = "a", align = 4, is_container = true, item = { code = "{", align = 8, members = members } }, after
end

-- The type that begins at a place, and where the next one begins.
function parse_one(text, at, depth)
  local code = text:sub(at, at)
  if BASIC[code] then return BASIC[code], at + 1 end
  if code == "v" then return VARIANT, at + 1 end
  if depth > MOST_DEPTH then return nil end
  if code == "a" then return parse_array(text, at + 1, depth + 1) end
  if code ~= "(" then return nil end
  local members, after = parse_members(text, at + 1, ")", depth + 1)
  return members and { code = "(", align = 8, is_container = true, members = members }, after
end

--- The types of a signature; nil when it is none.
---@return holos.DbusType[]?
function M.parse(signature)
  if #signature > MOST_BYTES then return nil end
  local kinds, at = {}, 1
  while at <= #signature do
    local kind
    kind, at = parse_one(signature, at, 1)
    if not kind then return nil end
    kinds[#kinds + 1] = kind
  end
  return kinds
end

--- The type of a signature that names just one.
---@return holos.DbusType?
function M.single(signature)
  local kinds = M.parse(signature)
  return kinds and #kinds == 1 and kinds[1] or nil
end

--- Whether a text is the path of an object.
function M.is_path(text)
  return text == "/" or text:sub(1, 1) == "/" and text:sub(-1) ~= "/" and not text:find("[^%w_/]") and not text:find("//", 1, true)
end

return M
