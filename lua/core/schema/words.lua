--- Rules and values in the words of messages. Pure.
local schema = require "holos.core.schema"

local M = {}

local SHOWN_BYTES = 60

--- A value as it stands in a message: what was found.
function M.show(value)
  local kind = schema.kind_of(value)
  if kind == "text" then
    local text = #value > SHOWN_BYTES and value:sub(1, SHOWN_BYTES) .. "…" or value
    return '"' .. text:gsub("[%c\"\\]", { ["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }) .. '"'
  end
  if kind == "list" or kind == "map" then return kind == "list" and "a list" or "a mapping" end
  return kind == "null" and "nothing" or tostring(value)
end

local function range(rule_here)
  local least, most = rule_here.least, rule_here.most
  if least and most then return (" from %d to %d"):format(least, most) end
  return least and (" of at least %d"):format(least) or most and (" of at most %d"):format(most) or ""
end

local function quoted_list(values)
  local shown = {}
  for position, value in ipairs(values) do shown[position] = '"' .. value .. '"' end
  return table.concat(shown, ", ")
end

local NAMES = {
  text = "text", integer = "a whole number", boolean = "true or false", list = "a list", map = "a mapping",
}

local function alternatives(accepted)
  local names = {}
  for _, kind in ipairs { "text", "integer", "boolean", "list", "map" } do
    if accepted[kind] then names[#names + 1] = NAMES[kind] end
  end
  return table.concat(names, " or ")
end

local describe = {
  any = function() return "a value" end,
  text = function(r) return r.wanted or "text" end,
  integer = function(r) return "a whole number" .. range(r) end,
  boolean = function() return "true or false" end,
  duration = function() return 'a duration such as "90s" or "1m30s"' end,
  size = function() return 'a size such as "20G"' end,
  choice = function(r) return r.wanted or "one of " .. quoted_list(r.values) end,
  list = function() return "a list" end,
  map = function() return "a mapping" end,
  record = function() return "a mapping" end,
  parsed = function(r) return r.wanted or alternatives(r.accepts) end,
  either = alternatives,
}

function describe.lazy(r) return M.describe(schema.loaded(r)) end
describe.later, describe.ignored = describe.lazy, describe.lazy

--- What a rule wants, in the words of a message: "a whole number from 1 to 288".
function M.describe(rule_here)
  return describe[rule_here.kind](rule_here)
end

--- The names from the root to a value as one text: services.web.ports[2], volumes["a b"]; list positions count from 1.
---@param keys table  texts and integers
function M.path(keys)
  local parts = {}
  for position, key in ipairs(keys) do
    if math.type(key) == "integer" then
      parts[position] = ("[%d]"):format(key)
    elseif key:find("^[%w_<-][%w_<-]*$") then
      parts[position] = position == 1 and key or "." .. key
    else
      parts[position] = "[" .. M.show(key) .. "]"
    end
  end
  return table.concat(parts)
end

return M
