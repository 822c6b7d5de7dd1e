-- Keys that Compose knows, at every depth: none may be unknown to us. The list is the specification's own JSON Schema.

local conformance = require "tests.support.conformance"
local project = require "holos.compose.schema.project"
local schema = require "holos.core.schema"

local spec = conformance.json "compose-go/schema/compose-spec.json"

local function resolve(node)
  local name = node["$ref"] and node["$ref"]:match("^#/%$defs/(.+)$")
  return name and resolve(spec["$defs"][name]) or node
end

-- The alternative of a rule that takes a mapping or a list; nil when it takes none, "any" when it takes anything.
local function taking(rule, kind)
  rule = schema.loaded(rule)
  if rule.kind == "later" or rule.kind == "ignored" then return taking(rule.of, kind) end
  if rule.kind == "either" then return rule[kind] and taking(rule[kind], kind) end
  if rule.kind == "any" then return "any" end
  local takes = { record = "map", map = "map", list = "list" }
  return takes[rule.kind] == kind and rule or nil
end

local walk

-- Alternatives of a node, those of "oneOf" and "anyOf" included.
local function each_alternative(node, visit)
  node = resolve(node)
  visit(node)
  for _, word in ipairs { "oneOf", "anyOf" } do
    for _, alternative in ipairs(node[word] or {}) do each_alternative(alternative, visit) end
  end
end

local function add(missing, path, count)
  missing[#missing + 1] = path
  return count
end

local function walk_properties(properties, rule, path, job)
  local record = taking(rule, "map")
  if record == "any" then return end
  if not record or record.kind ~= "record" then return add(job.missing, path .. " (no mapping)") end
  for name, inner in pairs(properties) do
    local field, here = record.fields[name], path .. "." .. name
    job.count = job.count + 1
    if not field then add(job.missing, here) end
    if field and field.rule then walk(inner, field.rule, here, job) end
  end
end

local function walk_items(items, rule, path, job)
  local list = taking(rule, "list")
  if list and list ~= "any" then walk(items, list.of, path .. "[]", job) end
end

-- Mappings with free keys; those of texts alone have nothing in them to know.
local function walk_free(free, rule, path, job)
  local map = taking(rule, "map")
  if map and map ~= "any" and map.kind == "map" then walk(free, map.of, path .. ".*", job) end
end

function walk(node, rule, path, job)
  each_alternative(node, function(one)
    if one.properties then walk_properties(one.properties, rule, path, job) end
    if one.items then walk_items(one.items, rule, path, job) end
    for pattern, free in pairs(one.patternProperties or {}) do
      if pattern ~= "^x-" and type(free) == "table" then walk_free(free, rule, path, job) end
    end
  end)
end

test("every key of the specification is one of ours, or refused by name", function()
  local job = { missing = {}, count = 0 }
  walk(spec, project, "", job)
  table.sort(job.missing)
  equal(job.missing, {})
  ok(job.count > 300, ("only %d keys were compared"):format(job.count))
end)

-- The keys of a record that are docker's: all but our own.
local function theirs(rule)
  local names = {}
  for _, field in ipairs(rule.fields) do
    if not field.own then names[field.name] = true end
  end
  return names
end

test("keys that are said to be docker's are", function()
  local service = spec["$defs"].service.properties
  for name in pairs(theirs(schema.loaded(project.fields.services.rule.of))) do ok(service[name], name) end
  for name in pairs(theirs(project)) do ok(spec.properties[name], name) end
  for _, kind in ipairs { "network", "volume", "config", "secret" } do
    local map = taking(project.fields[kind .. "s"].rule, "map")
    for name in pairs(theirs(taking(map.of, "map"))) do
      ok(spec["$defs"][kind].properties[name] or name == "content", kind .. "." .. name)
    end
  end
end)
