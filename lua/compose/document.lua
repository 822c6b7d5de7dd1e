--- YAML events to plain trees, one for each document, with the position of every entry in side tables. Pure.
--
-- A tree is tables, texts, numbers, booleans and json.null; lists are core.table lists. Every alias is a copy of its
-- own, so that later stages may edit in place. marks[container][key] is a packed position: of the key in a mapping, of
-- the item in a list. tags[container][key] is "reset" (the value is json.null) or "override".
local lazy = require "holos.core.lazy"
local aliases = lazy "holos.compose.aliases"
local json = require "holos.core.json"
local scalar = require "holos.compose.scalar"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

--- Values that aliases may add to the files of a project, keys among them: a "billion laughs" ends here, within milliseconds.
--- What is just below fits in 64 MiB, whatever the values are.
M.alias_limit = 310000

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
  if kind == PLAIN then value = builder.resolved[value] end
  if builder.tags[index] then value = tagged(builder, index, value) end
  local anchor = builder.anchor_names[index]
  if anchor then builder.anchors[anchor] = { value = value } end
  return value
end

-- -- containers: each reader starts behind the event that opens it, and gives what follows ---------------------------

local readers = {}

local function read(builder, index, head)
  local kind = head & 7
  if kind <= builder.bare then
    local text = builder.texts[index]
    return kind == QUOTED and text or builder.resolved[text], index + 1
  end
  if kind <= QUOTED then return read_scalar(builder, index, kind), index + 1 end
  local mark = builder.file_bits | head >> 3
  if kind == ALIAS then return aliases.value(builder, index, mark, report), index + 1 end
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
  path[depth], builder.expected = type(key) == "string" and key, index
  local value, following = read(builder, index, builder.heads[index])
  if path[depth] then
    local line, column = M.position(marks[key])
    report(builder, mark, ("this key is already in line %d, column %d"):format(line, column),
      type(value) == "table" and "put all that belongs to it under one of them" or "keep one of them")
  else
    report(builder, mark, shown_key(key), type(key) ~= "table" and "put it in quotes" or nil)
  end
  path[depth] = false
  return following
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
  aliases.keep_tag(builder, map, key, tag)
  builder.expected = index
  local value, following = read(builder, index, builder.heads[index])
  return tag == "reset" and json.null or value, following
end

readers[M.kinds.mapping] = function(builder, index)
  local map, marks, depth, merged = {}, {}, builder.depth + 1, nil
  builder.marks[map], builder.depth = marks, depth
  local heads, texts, path, resolved, bare = builder.heads, builder.texts, builder.path, builder.resolved, builder.bare
  local tags, file_bits = bare < PLAIN and builder.tags, builder.file_bits
  local head = heads[index]
  while head & 7 ~= END do
    local mark, kind, text, behind = file_bits | head >> 3, head & 7, texts[index], index + 1
    local key = text
    if kind > bare then
      path[depth] = false
      key, behind = read(builder, index, head)
    elseif kind == PLAIN then
      key = resolved[text]
    end
    if text == "<<" and kind == PLAIN then
      merged, index = read_merged(builder, behind, mark, merged)
    elseif (key == text or type(key) == "string") and map[key] == nil then
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
  if merged and merged.value ~= json.null then aliases.merge(builder, map, marks, merged, report) end
  builder.depth = depth - 1
  return map, index + 1
end

-- -- documents ----------------------------------------------------------------------------------------------------

-- Most words of a file occur many times.
local resolved = {}

function resolved.__index(known, text)
  local value = scalar.resolve(text)
  known[text] = value
  return value
end

-- `bare` is the last kind of event that is a scalar and no more: without tags and anchors in the file, all are.
local function make_builder(events, file_bits, side)
  local is_bare = next(events.tags) == nil and next(events.anchors) == nil
  return {
    heads = events.heads, texts = events.texts, tags = events.tags, anchor_names = events.anchors, file_bits = file_bits,
    bare = is_bare and QUOTED or -1, resolved = setmetatable({}, resolved),
    marks = side.marks or {}, merge_tags = side.tags or {}, anchors = {}, findings = {}, path = {}, depth = 0,
    depth_limit = M.depth_limit,
  }
end

local function refuse_aliases(mark)
  local message = ("with this alias, aliases stand for more than %d values"):format(M.alias_limit)
  return { trees = {}, findings = { { mark = mark, message = message } }, is_cut = true, copied = M.alias_limit }
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
---@param side {marks: table, tags: table, copied: integer?}?  what several files share: the tables that marks and tags are
---  put into, and how many values the aliases of those before stand for
---@return table built  {trees = the value of each document; marks, where `trees` is a container too; tags;
---  findings = {{mark, path, message, hint}}; is_cut = true when building ended at a limit; copied: with this file}
function M.build(events, file_index, side)
  local file_bits = (file_index or 0) << 40
  local copied, beyond = side and side.copied or 0, nil
  if next(events.anchors) ~= nil then copied, beyond = aliases.count(events, copied, M.alias_limit) end
  if beyond then return refuse_aliases(events.heads[beyond] >> 3 | file_bits) end
  local builder, trees = make_builder(events, file_bits, side or {}), {}
  local fine, problem = pcall(read_documents, builder, trees)
  local is_cut = not fine and problem == aliases.CUT or nil
  if not fine and not is_cut then error(problem, 0) end
  return { trees = trees, marks = builder.marks, tags = builder.merge_tags, findings = builder.findings, is_cut = is_cut,
    copied = copied }
end

return M
