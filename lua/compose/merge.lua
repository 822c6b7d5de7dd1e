--- Lays one document over another, by the rules of compose files. Pure.
--
-- The tree below is edited in place and takes over the containers of the one above, with their marks and tags: nothing is
-- copied, and the tree above is not to be used afterwards. A value that was reset stays as json.null with its tag, so
-- that it also takes effect on what this result is laid over; holos.compose.reset ends that.
local json = require "holos.core.json"
local marks_ = require "holos.compose.marks"
local rules = require "holos.compose.schema.merging"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local unicity = require "holos.compose.unicity"

local M = {}

---@class holos.Merger
---@field marks table      marks[container][key] → packed position, of both trees
---@field tags table       tags[container][key] → "reset" | "override"
---@field findings table[]
---@field files string[]   names for messages, by file index
---@field keys table       where the merge is, from the root
---@field depth integer

local KINDS = { list = "a list", map = "a mapping" }

-- Kinds differ: what is below stays.
local function refuse(merger, old, value, below, above)
  local keys = table.move(merger.keys, 1, merger.depth, 1, {})
  local there = below and (" (%s)"):format(marks_.text(below, merger.files)) or ""
  local kinds = { KINDS[schema.kind_of(old)] or "a single value", KINDS[schema.kind_of(value)] or "a single value" }
  merger.findings[#merger.findings + 1] = {
    mark = above, path = schema.path(keys),
    message = ("cannot override: %s there%s, %s here"):format(kinds[1], there, kinds[2]),
    hint = "write it in the same form, or put !override before the value to replace what is there",
  }
  return old
end

--- Merges one key of a mapping that both sides have. What comes from above brings its mark along, and ends a tag below.
function M.key(merger, base, over, key, rule)
  local marks, tags, value = merger.marks, merger.tags[base], over[key]
  local below_marks = marks[base]
  local above, below = marks[over] and marks[over][key], below_marks and below_marks[key]
  merger.keys[merger.depth] = key
  local merged = M.value(merger, base[key], value, rule, below, above)
  base[key] = merged
  if merged == value and below_marks then below_marks[key] = above end
  if tags then tags[key] = nil end
end

--- Puts a value in the place of whatever is there.
function M.put(merger, base, key, value, mark, tag)
  local marks, tags = merger.marks[base], merger.tags[base]
  base[key] = value
  if marks then marks[key] = mark end
  if tags then tags[key] = tag elseif tag then merger.tags[base] = { [key] = tag } end
end

--- Lays a mapping over a mapping. A null above keeps what is below, but where nulls mean something.
---@param rule table?  of holos.compose.schema.merging
function M.map(merger, base, over, rule)
  local tags, marks, base_marks = merger.tags[over], merger.marks[over] or {}, merger.marks[base] or {}
  local fields, each, null_counts = rule and rule.fields, rule and rule.each, rule and rule.null_counts
  merger.depth = merger.depth + 1
  for key, value in next, over do
    local old, child = base[key], fields and fields[key] or each
    if tags and tags[key] or old == nil then
      M.put(merger, base, key, value, marks[key], tags and tags[key])
    elseif value ~= json.null or null_counts then
      if type(old) == "table" or child and child.how then
        M.key(merger, base, over, key, child)
      else
        base[key], base_marks[key] = value, marks[key]
      end
    end
  end
  merger.depth = merger.depth - 1
  return base
end

local function positions(list, name_of)
  local places = {}
  for position, item in ipairs(list) do
    local name = name_of(item)
    if name then places[name] = position end
  end
  return places
end

-- The items of a list by their marks. A file that comes in by two ways brings the same items twice.
local function by_origin(merger, list)
  local marks, items = merger.marks[list] or {}, {}
  for position, item in ipairs(list) do
    if marks[position] then items[marks[position]] = item end
  end
  return items
end

-- Items of no name follow those below, but for what is there from the same place of the same file.
local function append_others(merger, base, over)
  local known, base_marks, over_marks = by_origin(merger, base), merger.marks[base] or {}, merger.marks[over] or {}
  for position, item in ipairs(over) do
    local mark = over_marks[position]
    if not mark or known[mark] == nil or not tables.deep_equal(known[mark], item) then
      base[#base + 1], base_marks[#base + 1] = item, mark
    end
  end
  return base
end

--- Appends a list to a list. Where items have a name, one above takes the place of one below that has the same. Two of
-- the same name in one file are left for the checks to report, but for plain values, of which one is enough.
function M.append(merger, base, over, unique)
  local name_of = unique and unicity[unique]
  if not name_of then return append_others(merger, base, over) end
  if unique == "port" then base, over = unicity.singles(base, merger.marks), unicity.singles(over, merger.marks) end
  local places = positions(base, name_of)
  local base_marks, over_marks = merger.marks[base] or {}, merger.marks[over] or {}
  for position, item in ipairs(over) do
    local name = name_of(item)
    local target = name and places[name] or #base + 1
    base[target], base_marks[target] = item, over_marks[position]
    if name then places[name] = (unique == "value" or unique == "host") and target or nil end
  end
  return base
end

-- -- values that have several forms -----------------------------------------------------------------------------------

local function is_odd(item) return type(item) ~= "string" end

-- A list of texts as a mapping; what each item says is told by `split`. nil when something else is in it.
local function map_of_list(merger, list, split)
  local map, marks = {}, {}
  for position, item in ipairs(list) do
    if is_odd(item) then return nil end
    local key, value = split(item)
    map[key], marks[key] = value, merger.marks[list] and merger.marks[list][position]
  end
  merger.marks[map] = marks
  return map
end

local function split_pair(text)
  local key, value = text:match("^([^=]*)=(.*)$")
  return key or text, value or json.null
end

local function name_alone(text) return text, json.null end

-- Both sides in the form of mappings, and then merged. A list with odd items stands alone, for the schema to explain.
local function merge_as_maps(merger, old, value, rule, split)
  local base = schema.kind_of(old) == "map" and old or map_of_list(merger, old, split)
  local over = schema.kind_of(value) == "map" and value or map_of_list(merger, value, split)
  if not base or not over then return over and old or value end
  return M.map(merger, base, over, rule)
end

local function are_containers(one, other)
  return KINDS[schema.kind_of(one)] ~= nil and KINDS[schema.kind_of(other)] ~= nil
end

local PAIRS = { null_counts = true }

-- "host=address" for every address of a mapping, in the order of names.
local function hosts_of_map(merger, map)
  local list, marks = tables.list {}, {}
  for host, addresses in tables.sorted_pairs(map) do
    for _, address in ipairs(tables.is_list(addresses) and addresses or { addresses }) do
      if is_odd(address) then return nil end
      list[#list + 1] = ("%s=%s"):format(host, address)
      marks[#list] = merger.marks[map] and merger.marks[map][host]
    end
  end
  merger.marks[list] = marks
  return list
end

local function list_of_one(merger, value, mark)
  if schema.kind_of(value) == "list" then return value end
  local list = tables.list { value }
  merger.marks[list] = { mark }
  return list
end

--- How values are merged that are not merged by their kind alone; see holos.compose.schema.merging.
M.ways = {}

function M.ways.replace(_, _, value) return value end

function M.ways.pairs(merger, old, value, rule, below, above)
  if not are_containers(old, value) then return M.plain(merger, old, value, rule, below, above) end
  return merge_as_maps(merger, old, value, PAIRS, split_pair)
end

function M.ways.names(merger, old, value, rule, below, above)
  if not are_containers(old, value) then return M.plain(merger, old, value, rule, below, above) end
  return merge_as_maps(merger, old, value, rule, name_alone)
end

function M.ways.words(merger, old, value, rule, below, above)
  if schema.kind_of(old) == "map" or schema.kind_of(value) == "map" then
    return M.plain(merger, old, value, rule, below, above)
  end
  return M.append(merger, list_of_one(merger, old, below), list_of_one(merger, value, above), rule.unique)
end

function M.ways.hosts(merger, old, value, rule, below, above)
  if not are_containers(old, value) then return M.plain(merger, old, value, rule, below, above) end
  local base = tables.is_list(old) and old or hosts_of_map(merger, old)
  local over = tables.is_list(value) and value or hosts_of_map(merger, value)
  if not base or not over then return over and old or value end
  return M.append(merger, base, over, rule.unique)
end

-- A text is the context.
local function as_build(merger, value, mark)
  if type(value) ~= "string" then return value end
  local build = { context = value }
  merger.marks[build] = { context = mark }
  return build
end

function M.ways.build(merger, old, value, rule, below, above)
  return M.plain(merger, as_build(merger, old, below), as_build(merger, value, above), rule, below, above)
end

-- Options belong to their driver.
function M.ways.logging(merger, old, value, rule, below, above)
  local both_maps = schema.kind_of(old) == "map" and schema.kind_of(value) == "map"
  if both_maps and old.driver and value.driver and old.driver ~= value.driver then return value end
  return M.plain(merger, old, value, rule, below, above)
end

-- Items that say the same under one key are one.
function M.ways.join(merger, old, value, rule, below, above)
  if schema.kind_of(old) ~= "list" or schema.kind_of(value) ~= "list" then
    return M.plain(merger, old, value, rule, below, above)
  end
  local function name_of(item) return schema.kind_of(item) == "map" and item[rule.by] or nil end
  local known, marks = positions(old, name_of), merger.marks
  for position, item in ipairs(value) do
    local name = name_of(item)
    local target = name and known[name]
    if target then
      M.map(merger, old[target], item)
    else
      old[#old + 1] = item
      if marks[old] then marks[old][#old] = marks[value] and marks[value][position] end
    end
  end
  return old
end

-- -- the whole --------------------------------------------------------------------------------------------------------

--- Merges two values by their kinds alone.
---@param below integer?  the mark of `old`
---@param above integer?  the mark of `value`
function M.plain(merger, old, value, rule, below, above)
  local kind = schema.kind_of(old)
  if not KINDS[kind] then return value end
  if kind ~= schema.kind_of(value) then return refuse(merger, old, value, below, above) end
  if kind == "map" then return M.map(merger, old, value, rule) end
  return M.append(merger, old, value, rule and rule.unique)
end

--- Merges two values of one place; gives what stands there now.
function M.value(merger, old, value, rule, below, above)
  local way = rule and rule.how
  if way and old ~= json.null and value ~= json.null then
    return M.ways[way](merger, old, value, rule, below, above)
  end
  return M.plain(merger, old, value, rule, below, above)
end

--- What a merge at `keys` works with.
---@return holos.Merger
function M.begin(state, tags, keys)
  return { marks = state.marks, tags = tags, findings = state.findings, files = state.files,
    keys = table.move(keys, 1, #keys, 1, {}), depth = #keys }
end

--- Lays the mapping `over` over the mapping `base`, which stand at `keys`; gives `base`.
---@param state table   {marks, findings, files}
---@param tags table    of the documents that both are from
---@param keys table?   {"services", "web"}: where they are; the root without it
---@return table base
function M.into(state, tags, base, over, keys)
  local rule = rules
  for _, key in ipairs(keys or {}) do rule = rule and (rule.fields and rule.fields[key] or rule.each) end
  return M.map(M.begin(state, tags, keys or {}), base, over, rule)
end

return M
