--- Where a key that is unknown at its place would be right. Pure; needed only when something is wrong.
local project = require "holos.compose.schema.project"
local schema = require "holos.core.schema"

local M = {}

-- key → the paths of the mappings that know it: {"services.*.vm", …}. Keys of list items say nothing about where they are.
local function homes()
  local by_key = {}
  for _, entry in ipairs(schema.fields(project)) do
    local parent, key = entry.path:match("^(.*)%.([^.]+)$")
    if entry.field.class ~= "refused" and not entry.path:find("[]", 1, true) then
      by_key[key or entry.path] = by_key[key or entry.path] or {}
      table.insert(by_key[key or entry.path], parent or "")
    end
  end
  return by_key
end

local known

local function split(path)
  local parts = {}
  for part in path:gmatch("[^.]+") do parts[#parts + 1] = part end
  return parts
end

-- A pattern as a path: "*" is the name that stands there already, or NAME.
local function fill(parts, keys)
  local filled, is_same = {}, true
  for position, part in ipairs(parts) do
    is_same = is_same and (part == "*" and keys[position] ~= nil or part == keys[position])
    filled[position] = part ~= "*" and part or is_same and keys[position] or "NAME"
  end
  return schema.path(filled)
end

-- How many levels two places share, and how many there are to go from one to the other.
local function distance(parts, keys)
  local shared = 0
  while parts[shared + 1] and keys[shared + 1] and (parts[shared + 1] == "*" or parts[shared + 1] == keys[shared + 1]) do
    shared = shared + 1
  end
  return shared, #parts - shared + #keys - shared
end

local NEAR = 2 -- levels: "ports" at the top is two above services.NAME

local function looks_like_service(value)
  return schema.kind_of(value) == "map" and (value.image ~= nil or value.build ~= nil)
end

-- What other tools call keys of services.
local SYNONYMS = { args = "command", cmd = "command", cores = "cpus", count = "replicas", cpu = "cpus", env = "environment",
  instances = "replicas", mem = "memory", mounts = "volumes", net = "networks", ram = "memory", requires = "depends_on",
  vcpus = "cpus" }

--- Words that say where a key belongs; nil when nobody knows.
---@param keys table  the way to the mapping that holds it
---@param key string
---@param value any   what stands behind it
---@return string?
function M.place(keys, key, value)
  if #keys == 2 and keys[1] == "services" and SYNONYMS[key] then return ('did you mean "%s"?'):format(SYNONYMS[key]) end
  if #keys == 0 and looks_like_service(value) then return 'a service stands below "services:", indented further than that' end
  known = known or homes()
  local best, least
  for _, path in ipairs(known[key] or {}) do
    local parts = split(path)
    local _, steps = distance(parts, keys)
    if steps <= NEAR and (not least or steps < least) then best, least = parts, steps end
  end
  if not best then return nil end
  return #best == 0 and ('"%s" belongs to the top level'):format(key)
    or ('"%s" belongs below %s'):format(key, fill(best, keys))
end

return M
