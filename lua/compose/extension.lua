--- x-holos: what a file says to holos alone, which docker compose passes over. Pure.
--
-- Its keys are laid over those beside it: mappings key by key, anything else as a whole. In a service `ignore: [KEY, …]`
-- names keys that holos is to pass over.
local schema = require "holos.core.schema"

local M = {}

local KEY = "x-holos"

local function is_map(value) return schema.kind_of(value) == "map" end

-- Lays `over` over `base`, with the places of its values.
local function lay(base, over, marks)
  local base_marks, over_marks = marks[base] or {}, marks[over] or {}
  marks[base] = base_marks
  for key, value in next, over do
    if is_map(value) and is_map(base[key]) then
      lay(base[key], value, marks)
    else
      base[key], base_marks[key] = value, over_marks[key]
    end
  end
end

local function pass_over(container, list)
  for _, key in ipairs(list) do
    if type(key) == "string" then container[key] = nil end
  end
end

local function apply(container, keys, marks, report)
  local own = container[KEY]
  if own == nil or schema.kind_of(own) == "null" then return end
  keys[#keys + 1] = KEY
  if not is_map(own) then
    return report(keys, ("expected a mapping, got %s"):format(schema.show(own)))
  end
  local ignored = own.ignore
  container[KEY], own.ignore = nil, nil
  if ignored ~= nil and (schema.kind_of(ignored) ~= "list" or #keys == 1) then
    keys[#keys + 1] = "ignore"
    return report(keys, #keys == 2 and "stands in services" or "expected a list of keys")
  end
  pass_over(container, ignored or {})
  lay(container, own, marks)
end

--- Takes the keys of every x-holos to where they belong, in place.
---@param tree table   not checked yet
---@param marks table  marks[container][key]
---@param report fun(keys: table, message: string)
function M.apply(tree, marks, report)
  apply(tree, {}, marks, report)
  if not is_map(tree.services) then return end
  for name, service in next, tree.services do
    if is_map(service) and service[KEY] ~= nil then apply(service, { "services", name }, marks, report) end
  end
end

return M
