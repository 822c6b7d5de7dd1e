--- x-holos: what a file says to holos alone, which docker compose passes over. Pure.
--
-- In every document its keys are laid over those beside it, before the document is merged with others: mappings and lists
-- of K=V key by key, anything else as a whole. In a service `ignore: [KEY, …]` names keys that holos is to pass over,
-- whichever file says them; that is done when all are merged.
local lazy = require "holos.core.lazy"
local merge = lazy "holos.compose.merge"
local merging = lazy "holos.compose.schema.merging"
local schema = require "holos.core.schema"

local M = {}

local KEY = "x-holos"

-- Ways of merging by which two lists become one mapping.
local BY_KEY = { pairs = true, names = true }

local function is_map(value) return schema.kind_of(value) == "map" end

local function lay(merger, base, over, rule)
  local marks, tags = merger.marks[over] or {}, merger.tags[over] or {}
  merger.depth = merger.depth + 1
  for key, value in next, over do
    local child = rule and (rule.fields and rule.fields[key] or rule.each)
    merger.keys[merger.depth] = key
    if tags[key] or base[key] == nil then
      merge.put(merger, base, key, value, marks[key], tags[key])
    elseif is_map(value) and is_map(base[key]) then
      lay(merger, base[key], value, child)
    elseif child and BY_KEY[child.how] then
      merge.key(merger, base, over, key, child)
    else
      merge.put(merger, base, key, value, marks[key])
    end
  end
  merger.depth = merger.depth - 1
end

local function report(state, container, key, keys, message)
  state.findings[#state.findings + 1] = { mark = (state.marks[container] or {})[key], path = schema.path(keys),
    message = message }
end

local function path_in(keys)
  local inner = { table.unpack(keys) }
  inner[#inner + 1] = KEY
  return inner
end

-- What is to be passed over, where it may be said; nil after a report.
local function sound_ignore(state, own, keys)
  local ignored = own.ignore
  if ignored == nil or schema.kind_of(ignored) == "list" and #keys > 1 then return ignored end
  keys[#keys + 1] = "ignore"
  report(state, own, "ignore", keys, #keys == 2 and "stands in services" or "expected a list of keys")
end

local function apply(state, tags, container, keys, rule)
  local own, base_keys = container[KEY], { table.unpack(keys) }
  if own == nil or schema.kind_of(own) == "null" then return end
  keys[#keys + 1] = KEY
  container[KEY] = nil
  if not is_map(own) then
    return report(state, container, KEY, keys, ("expected a mapping, got %s"):format(schema.show(own)))
  end
  if own[KEY] ~= nil then report(state, own, KEY, path_in(keys), "stands inside of itself") end
  local ignored = sound_ignore(state, own, keys)
  own.ignore, own[KEY] = nil, nil
  lay(merge.begin(state, tags, base_keys), container, own, rule)
  if ignored then container[KEY] = { ignore = ignored } end
end

--- Takes the keys of every x-holos of a document to where they belong, in place; what is to be ignored stays.
---@param state table             {marks, findings, files}
---@param fragment holos.Fragment
function M.apply(state, fragment)
  local tree, tags = fragment.tree, fragment.tags
  if tree[KEY] ~= nil then apply(state, tags, tree, {}, merging) end
  if not is_map(tree.services) then return end
  for name, service in next, tree.services do
    if is_map(service) and service[KEY] ~= nil then
      apply(state, tags, service, { "services", name }, merging.fields.services.each)
    end
  end
end

--- Takes out what services are to ignore, when all documents are merged.
---@param tree table  not checked yet
function M.pass_over(tree)
  if not is_map(tree.services) then return end
  for _, service in next, tree.services do
    local own = is_map(service) and service[KEY]
    for _, key in ipairs(own and own.ignore or {}) do
      if type(key) == "string" then service[key] = nil end
    end
    if own then service[KEY] = nil end
  end
end

return M
