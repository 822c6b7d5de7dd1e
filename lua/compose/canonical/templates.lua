--- Files whose variables stay in place: values without any are canonical, those with one are as the file has them. Pure.
local check = require "holos.core.schema.check"
local findings = require "holos.compose.findings"
local name_ = require "holos.compose.project_name"
local project_schema = require "holos.compose.schema.project"
local schema = require "holos.core.schema"
local write = require "holos.compose.canonical.write"

local M = {}

local function has_variable(value)
  if type(value) == "string" then return value:find("$", 1, true) ~= nil end
  if type(value) ~= "table" then return false end
  for _, item in next, value do
    if has_variable(item) then return true end
  end
  return false
end

-- A copy with the same places; `spots` gets those of texts with variables.
local function copy(value, marks, spots)
  if type(value) ~= "table" or schema.kind_of(value) == "null" then return value end
  local made, here = setmetatable({}, getmetatable(value)), marks[value] or {}
  marks[made] = here
  for key, item in next, value do
    if type(item) == "string" and item:find("$", 1, true) and here[key] then spots[here[key]] = true end
    made[key] = copy(item, marks, spots)
  end
  return made
end

-- The tree checked, but for what only its variables could make right.
local function checked(state)
  local spots, kept = {}, {}
  local at = check.new(state.marks, { written = {} }, true)
  at.is_lenient = state.options.compat
  local tree = check.value(project_schema, copy(state.tree, state.marks, spots), at)
  for _, finding in ipairs(at.findings) do
    if not spots[finding.mark] then kept[#kept + 1] = finding end
  end
  findings.raise(kept, state.files)
  return tree
end

local function is_map(value) return schema.kind_of(value) == "map" end

-- File systems in memory are among the other mounts of a checked service.
local function stay_apart(raw)
  return raw.tmpfs ~= nil and (has_variable(raw.tmpfs) or has_variable(raw.volumes))
end

local mixed

local function mixed_map(writing, raw, right, rule_of)
  local made, marks, origins, apart = {}, writing.marks[raw] or {}, {}, stay_apart(raw)
  writing.origins[made] = origins
  for key, item in next, raw do
    if apart and (key == "tmpfs" or key == "volumes") then
      made[key] = write.plain(writing, item)
    else
      made[key] = mixed(writing, rule_of(key), item, right[key])
    end
    origins[key] = marks[key]
  end
  if raw.tmpfs and not apart and not made.volumes and right.volumes then
    made.volumes = mixed(writing, rule_of("volumes"), {}, right.volumes)
  end
  return made
end

-- `raw` with its variables, `right` the same as far as it could be checked.
function mixed(writing, rule, raw, right)
  if not rule then return write.plain(writing, raw) end
  rule = schema.loaded(rule)
  if not has_variable(raw) then return right ~= nil and write.value(writing, rule, right) or nil end
  if not is_map(raw) or not is_map(right) or rule.form then return write.plain(writing, raw) end
  rule = schema.loaded(rule.kind == "either" and rule.map or rule)
  if rule.kind == "record" then
    return mixed_map(writing, raw, right, function(key) return (rule.fields[key] or {}).rule end)
  end
  return mixed_map(writing, raw, right, function() return rule.of end)
end

local function with_dependencies(services, names)
  local chosen = {}
  local function add(name)
    if chosen[name] or not services[name] then return end
    chosen[name] = true
    for dependency in next, services[name].depends_on or {} do add(dependency) end
  end
  for _, name in ipairs(names) do add(name) end
  return chosen
end

local function without_profiles(marks, service)
  if not is_map(service) then return service end
  local made = {}
  for key, value in next, service do
    if key ~= "profiles" then made[key] = value end
  end
  marks[made] = marks[service]
  return made
end

-- Keeps in `tree` only the services that are asked for by name: they are there whatever profiles the document is loaded with.
local function keep_services(tree, marks, chosen)
  local services = {}
  for name in next, chosen do services[name] = without_profiles(marks, tree.services[name]) end
  marks[services] = marks[tree.services]
  tree.services = services
end

-- A name that variables are in stays.
local function name_of(state, options)
  local given, written = state.options.name, state.tree.name
  return given or written or options.normalize and name_.derived(state.options.directory) or nil
end

--- The tree, with its variables in place.
---@param state holos.ComposeState  merged, and not checked
---@param options holos.CanonicalOptions
---@param writing holos.Writing
function M.document(state, options, writing)
  local right, raw = checked(state), {}
  for key, value in next, state.tree do raw[key] = key ~= "version" and value or nil end
  raw.name = name_of(state, options)
  right.name = raw.name
  writing.marks[raw] = state.marks[state.tree]
  if options.services then
    local chosen = with_dependencies(right.services, options.services)
    keep_services(raw, state.marks, chosen)
    keep_services(right, state.marks, chosen)
  end
  return mixed_map(writing, raw, right, function(key) return (project_schema.fields[key] or {}).rule end)
end

return M
