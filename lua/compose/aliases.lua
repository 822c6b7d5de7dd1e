--- Aliases and `<<` of a document that is being built (holos.compose.document), and how much they would add, told from the
--- events before anything is copied. Pure.
--
-- A "billion laughs" is a few hundred events and refused in microseconds, whatever it would grow to.
local json = require "holos.core.json"
local tables = require "holos.core.table"

local M = {}

--- Raised where building ends at a limit.
M.CUT = {}

-- What each kind of event adds to the sizes; see holos.compose.document for the kinds.
local PLAIN, QUOTED, ALIAS, END, DOCUMENT = 0, 1, 2, 5, 6

-- The size of a finished value goes to the container around it, and to the anchor that names it.
local function add(walk, size, anchor)
  if anchor then walk.sizes[anchor] = size end
  walk.stack[walk.depth] = walk.stack[walk.depth] + size
end

local function open(walk, anchor)
  walk.depth = walk.depth + 1
  walk.stack[walk.depth], walk.anchors[walk.depth] = 1, anchor or false
end

local function close(walk)
  local size, anchor = walk.stack[walk.depth], walk.anchors[walk.depth]
  walk.depth = walk.depth - 1
  add(walk, size, anchor or nil)
end

--- How many values the aliases of a file stand for, counted on from `copied`.
---@param events table    as from sys.yaml.parse
---@param copied integer  what the aliases of earlier files stand for
---@return integer copied
---@return integer? index  of the first alias with which it is more than `limit`
function M.count(events, copied, limit)
  local walk = { sizes = {}, stack = { [0] = 0 }, anchors = {}, depth = 0 }
  for index, head in ipairs(events.heads) do
    local kind = head & 7
    if kind == PLAIN or kind == QUOTED then
      add(walk, 1, events.anchors[index])
    elseif kind == ALIAS then
      local size = walk.sizes[events.texts[index]] or 1
      copied = copied + size
      if copied > limit then return copied, index end
      add(walk, size)
    elseif kind == END then
      close(walk)
    elseif kind ~= DOCUMENT then
      open(walk, events.anchors[index])
    end
  end
  return copied
end

-- A copy with marks of its own; nil when it would be too deep.
local function copy(builder, value, depth)
  if depth > builder.depth_limit then return nil end
  local marks = builder.marks[value]
  if not marks then return value end
  local result, result_marks = setmetatable({}, getmetatable(value)), {}
  builder.marks[result] = result_marks
  if builder.merge_tags[value] then builder.merge_tags[result] = tables.copy(builder.merge_tags[value]) end
  for key, item in next, value do
    local copied = copy(builder, item, depth + 1)
    if copied == nil then return nil end
    result[key], result_marks[key] = copied, marks[key]
  end
  return result
end

--- The value that the alias at `index` stands for, as a copy of its own.
---@param report fun(builder: table, mark: integer, message: string)
function M.value(builder, index, mark, report)
  local name = builder.texts[index]
  local anchor = builder.anchors[name]
  if not anchor or anchor.open then
    local format = anchor and "*%s stands inside of what &%s names" or "*%s names nothing: there is no &%s before it"
    report(builder, mark, format:format(name, name))
    return json.null
  end
  local value = copy(builder, anchor.value, builder.depth + 1)
  if value ~= nil then return value end
  report(builder, mark, ("with this alias the file is nested deeper than %d levels"):format(builder.depth_limit))
  error(M.CUT, 0)
end

local function is_mapping(builder, value)
  return builder.marks[value] ~= nil and not tables.is_list(value)
end

--- Notes a tag about merging that stands before the value of a key.
function M.keep_tag(builder, map, key, tag)
  builder.merge_tags[map] = builder.merge_tags[map] or {}
  builder.merge_tags[map][key] = tag
end

local function merge_one(builder, map, map_marks, source)
  local marks, tags = builder.marks[source], builder.merge_tags[source]
  for key, value in pairs(source) do
    if map[key] == nil then
      map[key], map_marks[key] = value, marks[key]
      if tags and tags[key] then M.keep_tag(builder, map, key, tags[key]) end
    end
  end
end

--- Puts what `<<` names into a mapping. Keys that are written out win over merged ones, and earlier merges over later ones.
---@param merged {value: any, mark: integer}
---@param report fun(builder: table, mark: integer, message: string)
function M.merge(builder, map, marks, merged, report)
  local sources = tables.is_list(merged.value) and merged.value or { merged.value }
  builder.path[builder.depth] = "<<"
  for _, source in ipairs(sources) do
    if not is_mapping(builder, source) then
      return report(builder, merged.mark, "expected a mapping or a list of mappings to merge")
    end
    merge_one(builder, map, marks, source)
  end
end

return M
