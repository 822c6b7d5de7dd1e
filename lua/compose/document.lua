--- YAML events to one plain tree, with the position of every entry in side tables. Pure.
--
-- A tree is tables, texts, numbers, booleans and json.null; lists are core.table lists. Every alias is a copy of its
-- own, so that later stages may edit in place. marks[container][key] is a packed position: of the key in a mapping, of
-- the item in a list.
local aliases = require "holos.compose.aliases"
local json = require "holos.core.json"
local scalar = require "holos.compose.scalar"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

--- Values that aliases may add to one document: a "billion laughs" ends here, within milliseconds.
M.alias_limit = 100000

--- Levels that a tree may have once aliases are in place; sys.yaml limits only what is written out.
M.depth_limit = 100

--- What the low three bits of a head say: the same numbers as sys.yaml.kinds.
M.kinds = { plain = 0, quoted = 1, alias = 2, sequence = 3, mapping = 4, ["end"] = 5, document = 6 }

--- Packs a position: file in bits 40 and up, line in 12…39, column in 0…11; line and column count from 1.
function M.pack(file_index, line, column)
  return file_index << 40 | line << 12 | math.min(column, 4095)
end

--- What `pack` packed.
---@return integer line, integer column, integer file_index
function M.position(mark)
  return mark >> 12 & 0xfffffff, mark & 0xfff, mark >> 40
end

-- A frame is a container that is being filled. Its `put` takes the next value: into a list, as a key, or after a key;
-- after a refused key the value is dropped, after `<<` it is kept for merging.
local put = {}

function put.item(_, frame, value, mark)
  local position = frame.count + 1
  frame.count, frame.container[position], frame.marks[position] = position, value, mark
end

function put.value(_, frame, value)
  frame.container[frame.key], frame.put = value, put.key
end

function put.dropped(_, frame)
  frame.put = put.key
end

function put.merge(_, frame, value)
  frame.merge, frame.put = value, put.key
end

-- What the next value of a frame will be called in messages; nil when it has no name.
local function next_name(frame)
  if frame.put == put.item then return frame.count + 1 end
  if frame.put == put.merge then return "<<" end
  return frame.put == put.value and frame.key or nil
end

local function report(builder, mark, message, hint, name)
  local keys = {}
  for level = 3, builder.depth do keys[#keys + 1] = builder.frames[level].name end
  if builder.depth > 1 then keys[#keys + 1] = name or next_name(builder.top) end
  table.insert(builder.findings, { mark = mark, path = schema.path(keys), message = message, hint = hint })
end

local function shown_key(key)
  if type(key) ~= "table" then return ("the key %s is no text"):format(tostring(key)) end
  return key == json.null and "the key is empty" or "a list or mapping cannot be a key"
end

local function refuse_key(builder, frame, key, mark)
  if type(key) == "string" then
    local line, column = M.position(frame.marks[key])
    report(builder, mark, ("this key is already in line %d, column %d"):format(line, column), nil, key)
  else
    report(builder, mark, shown_key(key), type(key) ~= "table" and "put it in quotes" or nil)
  end
  frame.put = put.dropped
end

function put.key(builder, frame, key, mark)
  if type(key) ~= "string" or frame.container[key] ~= nil then return refuse_key(builder, frame, key, mark) end
  frame.key, frame.marks[key], frame.put = key, mark, put.value
end

local function push_frame(builder, container, is_mapping, name)
  local depth, marks = builder.depth + 1, {}
  local frame = builder.frames[depth] or {}
  builder.frames[depth], builder.marks[container] = frame, marks
  frame.container, frame.marks, frame.name, frame.count = container, marks, name, 0
  frame.put, frame.merge, frame.merge_mark, frame.anchor = is_mapping and put.key or put.item, nil, nil, nil
  builder.depth, builder.top = depth, frame
end

local function check_container_tag(builder, index, mark, own)
  local tag = builder.tags[index]
  if not tag or tag == "tag:yaml.org,2002:" .. own then return end
  report(builder, mark, scalar.refuse_tag(tag))
end

local function open(builder, container, is_mapping, index, mark)
  local frame = builder.top
  local name = next_name(frame)
  check_container_tag(builder, index, mark, is_mapping and "map" or "seq")
  frame.put(builder, frame, container, mark)
  push_frame(builder, container, is_mapping, name)
  local anchor = builder.anchor_names[index]
  if anchor then
    builder.top.anchor = { value = container, open = true }
    builder.anchors[anchor] = builder.top.anchor
  end
end

local function is_mapping(builder, value)
  return builder.marks[value] ~= nil and not tables.is_list(value)
end

local function merge_one(builder, frame, source)
  local marks = builder.marks[source]
  for key, value in pairs(source) do
    if frame.container[key] == nil then frame.container[key], frame.marks[key] = value, marks[key] end
  end
end

-- Keys that are written out win over merged ones, and earlier merges over later ones.
local function merge(builder, frame)
  local sources = tables.is_list(frame.merge) and frame.merge or { frame.merge }
  for _, source in ipairs(sources) do
    if not is_mapping(builder, source) then
      return report(builder, frame.merge_mark, "expected a mapping or a list of mappings to merge", nil, "<<")
    end
    merge_one(builder, frame, source)
  end
end

-- A copy with marks of its own; nil when it would be too deep.
local function copy(builder, value, depth)
  if depth > M.depth_limit then return nil end
  local marks = builder.marks[value]
  if not marks then return value end
  local result, result_marks = setmetatable({}, getmetatable(value)), {}
  builder.marks[result] = result_marks
  for key, item in next, value do
    local copied = copy(builder, item, depth + 1)
    if copied == nil then return nil end
    result[key], result_marks[key] = copied, marks[key]
  end
  return result
end

local function start_merge(builder, frame, mark)
  if frame.merge_mark then
    report(builder, mark, "this key is here twice", "merge several mappings with <<: [*one, *two]", "<<")
    frame.put = put.dropped
  else
    frame.put, frame.merge_mark = put.merge, mark
  end
end

-- The value of a scalar with a tag; what it would be without it when the tag does not fit.
local function tagged(builder, index, mark, value)
  local result, message = scalar.tagged(builder.texts[index], builder.tags[index])
  if result ~= nil then return result end
  report(builder, mark, message)
  return value
end

local function put_scalar(builder, index, mark, value)
  local frame = builder.top
  if builder.is_bare then return frame.put(builder, frame, value, mark) end
  if builder.tags[index] then value = tagged(builder, index, mark, value) end
  local anchor = builder.anchor_names[index]
  if anchor then builder.anchors[anchor] = { value = value } end
  return frame.put(builder, frame, value, mark)
end

-- Most words of a file occur many times.
local function resolve(builder, text)
  local value = scalar.resolve(text)
  builder.resolved[text] = value
  return value
end

local on = {}

on[M.kinds.plain] = function(builder, index, mark)
  local text, frame = builder.texts[index], builder.top
  if text == "<<" and frame.put == put.key then return start_merge(builder, frame, mark) end
  local value = builder.resolved[text]
  if value == nil then value = resolve(builder, text) end
  return put_scalar(builder, index, mark, value)
end

on[M.kinds.quoted] = function(builder, index, mark)
  return put_scalar(builder, index, mark, builder.texts[index])
end

on[M.kinds.alias] = function(builder, index, mark)
  local name, frame = builder.texts[index], builder.top
  local anchor = builder.anchors[name]
  if not anchor or anchor.open then
    local format = anchor and "*%s stands inside of what &%s names" or "*%s names nothing: there is no &%s before it"
    report(builder, mark, format:format(name, name))
    return frame.put(builder, frame, json.null, mark)
  end
  local value = copy(builder, anchor.value, builder.depth)
  if value == nil then
    report(builder, mark, ("with this alias the file is nested deeper than %d levels"):format(M.depth_limit))
    builder.is_cut = true
    return "stop"
  end
  frame.put(builder, frame, value, mark)
end

on[M.kinds.sequence] = function(builder, index, mark) open(builder, tables.list {}, false, index, mark) end

on[M.kinds.mapping] = function(builder, index, mark) open(builder, {}, true, index, mark) end

on[M.kinds["end"]] = function(builder)
  local frame = builder.top
  if frame.merge ~= nil and frame.merge ~= json.null then merge(builder, frame) end
  if frame.anchor then frame.anchor.open = nil end
  builder.depth = builder.depth - 1
  builder.top = builder.frames[builder.depth]
end

on[M.kinds.document] = function(builder, _, mark)
  if builder.top.count == 0 then return end
  report(builder, mark, "a second document starts here; only one in a file is understood for now",
    "put it into a file of its own, or drop the \"---\"")
  return "stop"
end

-- The first frame is a list that takes the documents.
local function make_builder(events)
  local builder = {
    texts = events.texts, tags = events.tags, anchor_names = events.anchors, marks = {}, anchors = {}, findings = {},
    is_bare = next(events.tags) == nil and next(events.anchors) == nil, resolved = {}, frames = {}, depth = 0,
  }
  push_frame(builder, tables.list {}, false)
  return builder
end

local function refuse_aliases(mark)
  local message = ("the aliases of this file stand for more than %d values"):format(M.alias_limit)
  return { marks = {}, findings = { { mark = mark, message = message } }, is_cut = true }
end

--- The first document of `events` (what sys.yaml.parse gives).
---@param events table
---@param file_index integer?  put into every mark; 0 when not given
---@return table document  {tree = value or nil for an empty file, marks = {[container] = {[key] = mark}},
---  findings = {{mark, path, message, hint}}, is_cut = true when building ended at a limit}
function M.build(events, file_index)
  local beyond = aliases.first_beyond(events, M.alias_limit)
  if beyond then return refuse_aliases(events.heads[beyond] >> 3 | (file_index or 0) << 40) end
  local builder, file_bits, heads = make_builder(events), (file_index or 0) << 40, events.heads
  for index = 1, #heads do
    local head = heads[index]
    if on[head & 7](builder, index, file_bits | head >> 3) == "stop" then break end
  end
  return {
    tree = builder.frames[1].container[1], marks = builder.marks, findings = builder.findings, is_cut = builder.is_cut,
  }
end

return M
