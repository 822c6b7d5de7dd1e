--- A checked tree back to the language of the files, by the rules that it was checked with. Pure.
--
-- What the checks made of values is undone: durations and sizes are texts, and where a rule names a form, that makes what
-- a file would say. Nothing is changed in place; the new tree has the places of its values beside it.
local forms = require "holos.compose.canonical.forms"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

---@class holos.Writing
---@field marks table       marks[container][key] of the tree that is read
---@field origins table     origins[container][key] of the tree that is made: a mark, or "default" or "implied" for what no
---                          file says; nil: as the container's
---@field escape boolean    whether "$" is doubled, so that it is none of a variable when it is read again
---@field defaults boolean  whether values that nobody has written are there

local writers = {}

-- A container that some file has written may have got values that none has.
local function origin_of(marks, key, otherwise)
  return marks and (marks[key] or otherwise)
end

--- A value as it is, with its texts escaped.
function M.plain(writing, value)
  if type(value) == "string" then return writing.escape and (value:gsub("%$", "$$")) or value end
  local kind = schema.kind_of(value)
  if kind ~= "map" and kind ~= "list" then return value end
  local made, marks, origins = kind == "list" and tables.list {} or {}, writing.marks[value], {}
  writing.origins[made] = origins
  for key, item in next, value do made[key], origins[key] = M.plain(writing, item), origin_of(marks, key, "implied") end
  return made
end

--- What a file says for `value`, which has passed a check by `rule`.
function M.value(writing, rule, value)
  rule = schema.loaded(rule)
  if rule.form then return M.plain(writing, forms[rule.form](value)) end
  local write = writers[rule.kind] or M.plain
  return write(writing, value, rule)
end

function writers.duration(_, value) return units.write_duration(value) end

function writers.size(_, value) return value < 0 and value or units.write_bytes(value) end

local function each(writing, value, rule)
  local made, marks, origins = tables.is_list(value) and tables.list {} or {}, writing.marks[value], {}
  writing.origins[made] = origins
  for key, item in next, value do
    made[key], origins[key] = M.value(writing, rule.of, item), origin_of(marks, key, "implied")
  end
  return made
end

writers.list, writers.map = each, each

function writers.either(writing, value, rule)
  local chosen = rule[schema.kind_of(value)]
  if chosen then return M.value(writing, chosen, value) end
  return M.plain(writing, value)
end

local function is_empty(value) return type(value) == "table" and next(value) == nil end

-- Whether a file that does not say it means the same, and need not be told so. What is inside of a table may have been
-- written elsewhere; that shows when it is made.
local function is_idle(writing, field, value, mark)
  return is_empty(field.default) and is_empty(value) or not mark and not writing.defaults and type(value) ~= "table"
end

local function write_field(writing, field, value, mark)
  local has_default = field and field.default ~= nil
  if has_default and is_idle(writing, field, value, mark) then return nil end
  local made
  if field and field.rule then made = M.value(writing, field.rule, value) else made = M.plain(writing, value) end
  if has_default and not mark and is_empty(made) then return nil end
  return made, has_default and "default" or "implied"
end

function writers.record(writing, value, rule)
  local made, marks, origins = {}, writing.marks[value], {}
  writing.origins[made] = origins
  for key, item in next, value do
    local written, otherwise = write_field(writing, rule.fields[key], item, marks and marks[key])
    made[key], origins[key] = written, origin_of(marks, key, otherwise)
  end
  return made
end

return M
