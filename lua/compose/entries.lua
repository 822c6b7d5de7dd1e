--- Lists whose entries stand for several values, and lists that are put together from several keys. Pure.
--
-- written[list][position] = {key, position} tells by which words an item stands in the file when that is not where it is
-- in the tree; findings are told by those.
local tables = require "holos.core.table"

local M = {}

local function each_is_one(list)
  for _, item in ipairs(list) do
    if item and #item ~= 1 then return false end
  end
  return true
end

local function note(at, list, position, key, origin, mark)
  local written = at.context and at.context.written
  at.marks[list] = at.marks[list] or {}
  at.marks[list][position] = mark
  if not written then return end
  written[list] = written[list] or {}
  written[list][position] = { key, origin }
end

-- Where an item stands in the file.
local function origin_of(list, at, position)
  local written = at.context and at.context.written
  local origin = written and written[list] and written[list][position]
  return origin and origin[2] or position
end

--- A list of lists as one list; `false` for entries that were refused stays.
---@param list table
---@param at holos.At
---@param key string  the key that holds the list
function M.flatten(list, at, key)
  if each_is_one(list) then
    for position, item in ipairs(list) do list[position] = item and item[1] end
    return list
  end
  local result, marks = tables.list {}, at.marks[list] or {}
  for origin, item in ipairs(list) do
    for _, one in ipairs(item or { false }) do
      result[#result + 1] = one
      note(at, result, #result, key, origin, marks[origin])
    end
  end
  return result
end

--- A list without the items that say the same as one before them.
---@param name_of fun(item: any): any  what the same items have in common; nil for those that stay
function M.distinct(list, at, key, name_of)
  if #list < 2 then return list end
  local seen, repeated = {}, {}
  for position, item in ipairs(list) do
    local name = item and name_of(item)
    if name and seen[name] then repeated[position] = true end
    if name then seen[name] = true end
  end
  if next(repeated) == nil then return list end
  local result, marks = tables.list {}, at.marks[list] or {}
  for position, item in ipairs(list) do
    if not repeated[position] then
      result[#result + 1] = item
      note(at, result, #result, key, origin_of(list, at, position), marks[position])
    end
  end
  return result
end

--- Appends the items of the list at `key` to `list`, where they keep their places.
function M.append(list, more, at, key)
  local marks = at.marks[more] or {}
  for origin, item in ipairs(more) do
    list[#list + 1] = item
    note(at, list, #list, key, origin, marks[origin])
  end
end

return M
