--- YAML events to plain trees, one for each document, with the position of every entry in side tables. Pure.
--
-- A tree is tables, texts, numbers, booleans and json.null; lists are core.table lists. Every alias is a copy of its
-- own, so that later stages may edit in place. marks[container][key] is a packed position: of the key in a mapping, of
-- the item in a list. tags[container][key] is "reset" (the value is json.null) or "override".
local aliases = require "holos.compose.aliases"
local json = require "holos.core.json"
local scalar = require "holos.compose.scalar"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

--- Values that aliases may add to one document, keys among them: a "billion laughs" ends here, within milliseconds.
M.alias_limit = 400000

--- Levels that a tree may have once aliases are in place; sys.yaml limits only what is written out.
M.depth_limit = 100

--- Tags that say how a value is merged: what stands for them in a document's side table.
M.merge_tags = { ["!reset"] = "reset", ["!override"] = "override" }

--- What the low three bits of a head say: the same numbers as sys.yaml.kinds.
M.kinds = { plain = 0, quoted = 1, alias = 2, sequence = 3, mapping = 4, ["end"] = 5, document = 6 }

local PLAIN, QUOTED, ALIAS, END = M.kinds.plain, M.kinds.quoted, M.kinds.alias, M.kinds["end"]
local TAGS = { [M.kinds.sequence] = "tag:yaml.org,2002:seq", [M.kinds.mapping] = "tag:yaml.org,2002:map" }

--- Packs a position: file in bits 40 and up, line in 12…39, column in 0…11; line and column count from 1.
function M.pack(file_index, line, column)
  return file_index << 40 | line << 12 | math.min(column, 4095)
end

--- What `pack` packed.
---@return integer line, integer column, integer file_index
function M.position(mark)
  return mark >> 12 & 0xfffffff, mark & 0xfff, mark >> 40
end

-- What is being read: the path leads to it from the root, level by level; false stands for what has no name.
local function report(builder, mark, message, hint)
  local keys = {}
  for level = 1, builder.depth do keys[#keys + 1] = builder.path[level] or nil end
  table.insert(builder.findings, { mark = mark, path = schema.path(keys), message = message, hint = hint })
end

-- A tag that is no type. Those about merging stand before the value of a key.
local function check_tag(builder, index)
  local tag, mark = builder.tags[index], builder.file_bits | builder.heads[index] >> 3
  if not M.merge_tags[tag] then return report(builder, mark, scalar.refuse_tag(tag)) end
  if builder.expected ~= index then
    report(builder, mark, ("the tag %s stands before the value of a key only"):format(tag))
  end
end

-- -- scalars and aliases ------------------------------------------------------------------------------------------

-- Most words of a file occur many times.
local function resolve(builder, text)
  local value = scalar.resolve(text)
  builder.resolved[text] = value
  return value
end

-- The value of a scalar with a tag; what it would be without it when the tag does not fit.
local function tagged(builder, index, value)
  if M.merge_tags[builder.tags[index]] then
    check_tag(builder, index)
    return value
  end
  local result, message, hint = scalar.tagged(builder.texts[index], builder.tags[index])
  if result ~= nil then return result end
  report(builder, builder.file_bits | builder.heads[index] >> 3, message, hint)
  return value
end

local function read_scalar(builder, index, kind)
  local value = builder.texts[index]
  if kind == PLAIN then
    local text = value
    value = builder.resolved[text]
    if value == nil then value = resolve(builder, text) end
  end
  if builder.is_bare then return value end
  if builder.tags[index] then value = tagged(builder, index, value) end
  local anchor = builder.anchor_names[index]
  if anchor then builder.anchors[anchor] = { value = value } end
  return value
end

-- A copy with marks of its own; nil when it would be too deep.
local function copy(builder, value, depth)
  if depth > M.depth_limit then return nil end
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

local CUT = {} -- raised where building ends at a limit

local function read_alias(builder, index, mark)
  local name = builder.texts[index]
  local anchor = builder.anchors[name]
  if not anchor or anchor.open then
    local format = anchor and "*%s stands inside of what &%s names" or "*%s names nothing: there is no &%s before it"
    report(builder, mark, format:format(name, name))
    return json.null
  end
  local value = copy(builder, anchor.value, builder.depth + 1)
  if value ~= nil then return value end
  report(builder, mark, ("with this alias the file is nested deeper than %d levels"):format(M.depth_limit))
  error(CUT, 0)
end

-- -- containers: each reader starts behind the event that opens it, and gives what follows ---------------------------

local readers = {}

local function read(builder, index, head)
  local kind = head & 7
  if kind <= QUOTED then return read_scalar(builder, index, kind), index + 1 end
  local mark = builder.file_bits | head >> 3
  if kind == ALIAS then return read_alias(builder, index, mark), index + 1 end
  local tag, name = builder.tags[index], builder.anchor_names[index]
  if tag and tag ~= TAGS[kind] then check_tag(builder, index) end
  local anchor = name and { open = true }
  if anchor then builder.anchors[name] = anchor end
  local container, following = readers[kind](builder, index + 1)
  if anchor then anchor.value, anchor.open = container, nil end
  return container, following
end

readers[M.kinds.sequence] = function(builder, index)
  local list, marks, depth, count = tables.list {}, {}, builder.depth + 1, 0
  builder.marks[list], builder.depth = marks, depth
  local heads, path = builder.heads, builder.path
  local head = heads[index]
  while head & 7 ~= END do
    count = count + 1
    path[depth], marks[count] = count, builder.file_bits | head >> 3
    list[count], index = read(builder, index, head)
    head = heads[index]
  end
  builder.depth = depth - 1
  return list, index + 1
end

local function shown_key(key)
  if type(key) ~= "table" then return ("the key %s is no text"):format(tostring(key)) end
  return key == json.null and "the key is empty" or "a list or mapping cannot be a key"
end

-- Reports a key; what stands behind it is read, and dropped.
local function refuse_key(builder, marks, key, mark, index)
  local path, depth = builder.path, builder.depth
  if type(key) == "string" then
    local line, column = M.position(marks[key])
    path[depth] = key
    report(builder, mark, ("this key is already in line %d, column %d"):format(line, column))
    path[depth] = false
  else
    report(builder, mark, shown_key(key), type(key) ~= "table" and "put it in quotes" or nil)
  end
  builder.expected = index
  return select(2, read(builder, index, builder.heads[index]))
end

local function is_mapping(builder, value)
  return builder.marks[value] ~= nil and not tables.is_list(value)
end

local function keep_tag(builder, map, key, tag)
  builder.merge_tags[map] = builder.merge_tags[map] or {}
  builder.merge_tags[map][key] = tag
end

local function merge_one(builder, map, map_marks, source)
  local marks, tags = builder.marks[source], builder.merge_tags[source]
  for key, value in pairs(source) do
    if map[key] == nil then
      map[key], map_marks[key] = value, marks[key]
      if tags and tags[key] then keep_tag(builder, map, key, tags[key]) end
    end
  end
end

-- Keys that are written out win over merged ones, and earlier merges over later ones.
local function merge(builder, map, marks, merged)
  local sources = tables.is_list(merged.value) and merged.value or { merged.value }
  builder.path[builder.depth] = "<<"
  for _, source in ipairs(sources) do
    if not is_mapping(builder, source) then
      return report(builder, merged.mark, "expected a mapping or a list of mappings to merge")
    end
    merge_one(builder, map, marks, source)
  end
end

-- The value of `<<`; the one of a second `<<` is dropped.
local function read_merged(builder, index, mark, merged)
  local value
  builder.path[builder.depth] = "<<"
  if merged then report(builder, mark, "this key is here twice", "merge several mappings with <<: [*one, *two]") end
  value, index = read(builder, index, builder.heads[index])
  return merged or { value = value, mark = mark }, index
end

-- The value of a key, with a tag about merging.
local function read_kept(builder, index, map, key)
  local tag = M.merge_tags[builder.tags[index]]
  keep_tag(builder, map, key, tag)
  builder.expected = index
  local value, following = read(builder, index, builder.heads[index])
  return tag == "reset" and json.null or value, following
end

readers[M.kinds.mapping] = function(builder, index)
  local map, marks, depth = {}, {}, builder.depth + 1
  builder.marks[map], builder.depth = marks, depth
  local heads, texts, path, merged = builder.heads, builder.texts, builder.path, nil
  local tags = not builder.is_bare and builder.tags
  local head = heads[index]
  while head & 7 ~= END do
    local mark, is_merge = builder.file_bits | head >> 3, head & 7 == PLAIN and texts[index] == "<<"
    path[depth] = false
    local key, behind = read(builder, index, head)
    if is_merge then
      merged, index = read_merged(builder, behind, mark, merged)
    elseif type(key) == "string" and map[key] == nil then
      path[depth], marks[key] = key, mark
      if tags and M.merge_tags[tags[behind]] then
        map[key], index = read_kept(builder, behind, map, key)
      else
        map[key], index = read(builder, behind, heads[behind])
      end
    else
      index = refuse_key(builder, marks, key, mark, behind)
    end
    head = heads[index]
  end
  if merged and merged.value ~= json.null then merge(builder, map, marks, merged) end
  builder.depth = depth - 1
  return map, index + 1
end

-- -- documents ----------------------------------------------------------------------------------------------------

local function make_builder(events, file_bits, side)
  return {
    heads = events.heads, texts = events.texts, tags = events.tags, anchor_names = events.anchors, file_bits = file_bits,
    is_bare = next(events.tags) == nil and next(events.anchors) == nil,
    marks = side.marks or {}, merge_tags = side.tags or {}, anchors = {}, findings = {}, resolved = {}, path = {}, depth = 0,
  }
end

local function refuse_aliases(mark)
  local message = ("the aliases of this file stand for more than %d values"):format(M.alias_limit)
  return { trees = {}, findings = { { mark = mark, message = message } }, is_cut = true }
end

-- Anchors are of their document.
local function read_documents(builder, trees)
  local heads, marks, index = builder.heads, {}, 1
  builder.marks[trees] = marks
  while heads[index] do
    local head = heads[index]
    if head & 7 == M.kinds.document then
      builder.anchors, index = {}, index + 1
    else
      marks[#trees + 1] = builder.file_bits | head >> 3
      trees[#trees + 1], index = read(builder, index, head)
    end
  end
end

--- The documents of `events` (what sys.yaml.parse gives).
---@param events table
---@param file_index integer?  put into every mark; 0 when not given
---@param side {marks: table, tags: table}?  the tables that marks and tags are put into, which several files share
---@return table built  {trees = the value of each document; marks, where `trees` is a container too; tags;
---  findings = {{mark, path, message, hint}}; is_cut = true when building ended at a limit}
function M.build(events, file_index, side)
  local file_bits, beyond = (file_index or 0) << 40, aliases.first_beyond(events, M.alias_limit)
  if beyond then return refuse_aliases(events.heads[beyond] >> 3 | file_bits) end
  local builder, trees = make_builder(events, file_bits, side or {}), {}
  local fine, problem = pcall(read_documents, builder, trees)
  local is_cut = problem == CUT or nil
  if not fine and not is_cut then error(problem, 0) end
  return { trees = trees, marks = builder.marks, tags = builder.merge_tags, findings = builder.findings, is_cut = is_cut }
end

return M
