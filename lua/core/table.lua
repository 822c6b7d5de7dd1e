--- What the standard table library lacks: lists that know they are lists, sorted walks, copies, comparison. Pure.

local M = {}

-- The JSON writer and reader know lists by this field; without it an empty table would be an empty object.
local LIST = { __jsontype = "array" }

--- Marks `items` as a list, so that it is one even when empty. Gives the same table back.
function M.list(items)
  return setmetatable(items or {}, LIST)
end

--- Whether `value` is a list: marked as one, or holding something at 1.
function M.is_list(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return (type(meta) == "table" and meta.__jsontype == "array") or value[1] ~= nil
end

-- Numbers before strings before the rest, each in its own order: a total order for mixed keys.
local RANK = { number = 1, string = 2 }

local function key_before(a, b)
  local rank_a, rank_b = RANK[type(a)] or 3, RANK[type(b)] or 3
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a == 3 then return tostring(a) < tostring(b) end
  return a < b
end

--- The keys of `map` in a fixed order.
function M.keys(map)
  local keys, count, mixed = {}, 0, false
  for key in pairs(map) do
    count = count + 1
    keys[count] = key
    mixed = mixed or type(key) ~= "string"
  end
  if mixed then table.sort(keys, key_before) else table.sort(keys) end -- without a function: five times as fast
  return keys
end

--- `for key, value in sorted_pairs(map)`: as pairs, in the order of `keys`.
function M.sorted_pairs(map)
  local keys, position = M.keys(map), 0
  return function()
    position = position + 1
    local key = keys[position]
    if key ~= nil then return key, map[key] end
  end
end

--- A copy of plain data, as deep as it goes; metatables are shared. Tables that occur twice occur twice in the copy.
function M.copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = M.copy(item) end
  return setmetatable(result, getmetatable(value))
end

--- A new table: `base` with every key of `over` laid on top; mappings are merged, lists and scalars replaced.
function M.merge(base, over)
  local result = M.copy(base)
  for key, value in pairs(over) do
    local old = result[key]
    local both_maps = type(old) == "table" and type(value) == "table" and not M.is_list(old) and not M.is_list(value)
    result[key] = both_maps and M.merge(old, value) or M.copy(value)
  end
  return result
end

--- Whether two plain values are equal all the way down. Metatables do not count.
function M.deep_equal(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not M.deep_equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function refuse_write(_, key)
  error(("this value is frozen: cannot set %q"):format(tostring(key)), 2)
end

--- A read-only view of plain data. `#`, ipairs, pairs, table.concat and table.unpack see through it; next does not.
function M.freeze(value)
  if type(value) ~= "table" then return value end
  local meta = getmetatable(value)
  return setmetatable({}, {
    __index = function(_, key) return M.freeze(value[key]) end,
    __newindex = refuse_write,
    __len = function() return #value end,
    __pairs = function() return function(_, key)
      local following, item = next(value, key)
      return following, M.freeze(item)
    end end,
    __jsontype = type(meta) == "table" and meta.__jsontype or nil,
  })
end

--- The position of `wanted` in `list`, or nil.
function M.index_of(list, wanted)
  for position, item in ipairs(list) do
    if item == wanted then return position end
  end
end

--- A list of `fn(item, position)` over `list`.
function M.map(list, fn)
  local result = M.list {}
  for position, item in ipairs(list) do result[position] = fn(item, position) end
  return result
end

--- A list of those items for which `fn(item, position)` is true.
function M.filter(list, fn)
  local result = M.list {}
  for position, item in ipairs(list) do
    if fn(item, position) then result[#result + 1] = item end
  end
  return result
end

--- Appends all items of `more` to `list`, and gives `list` back.
function M.extend(list, more)
  for _, item in ipairs(more) do list[#list + 1] = item end
  return list
end

return M
