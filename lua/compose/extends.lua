--- extends: a service is laid over another one, of its document or of another file. Pure.
--
-- What the other service needs (volumes, services that it depends on) does not come along. Relative paths in another
-- file are seen from that file.
local check = require "holos.core.schema.check"
local merge = require "holos.compose.merge"
local path = require "holos.core.path"
local paths = require "holos.compose.paths"
local relocate = require "holos.compose.relocate"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

--- Services in a chain, each extending the next.
M.depth_limit = 100

--- Values that may be copied for one project: a hundred thousand services that extend a large one end here.
M.copy_limit = 200000

local function is_map(value) return schema.kind_of(value) == "map" end

-- Reports at the `extends` of a service, which then stays without it.
local function fail(walk, source, name, message, hint)
  local state, service = walk.state, source.services[name]
  state.findings[#state.findings + 1] = {
    mark = (state.marks[service] or {}).extends, path = schema.path { "services", name, "extends" },
    message = message, hint = hint,
  }
end

-- {service, file}; nil after a report.
local function reference(walk, source, name)
  local service, at = source.services[name], check.new(walk.state.marks)
  at:enter(source.tree, "services")
  at:enter(source.services, name)
  at:enter(service, "extends")
  local wanted = check.value(rules.extends, service.extends, at)
  table.move(at.findings, 1, #at.findings, #walk.state.findings + 1, walk.state.findings)
  return wanted and wanted.service and #at.findings == 0 and wanted or nil
end

-- A copy that knows its marks, without what is reset; nil when too much has been copied.
local function copy(walk, source, value)
  if type(value) ~= "table" then return value end
  local marks, tags = walk.state.marks[value], source.tags[value]
  if not marks then return value end
  local result, result_marks = setmetatable({}, getmetatable(value)), {}
  walk.state.marks[result] = result_marks
  for key, item in next, value do
    walk.state.copied = walk.state.copied + 1
    if walk.state.copied > M.copy_limit then return nil end
    if not tags or tags[key] ~= "reset" then
      result[key], result_marks[key] = copy(walk, source, item), marks[key]
    end
  end
  return result
end

-- The services of a tree, to be resolved.
local function source_of(fragment, file)
  local services = is_map(fragment.tree.services) and fragment.tree.services or {}
  return { tree = fragment.tree, services = services, status = {}, incomplete = {}, directory = fragment.directory,
    lookup = fragment.lookup, name = fragment.name, tags = fragment.tags, file = file }
end

local function open_file(walk, source, file)
  local loaded, message = walk.loader.file(walk.state, file)
  if not loaded then return nil, message end
  local scope = walk.loader.scope { directory = path.parent(file), lookup = source.lookup, name = source.name, is_alone = true }
  scope.tree = walk.loader.merged(walk.state, { loaded }, scope) or {}
  relocate.all(scope.tree, scope.directory, walk.state.marks)
  local opened = source_of(scope, file)
  opened.is_unsound = walk.state.is_broken
  return opened
end

-- Another file is read once for all that extend it with the same variables.
local function source_in(walk, source, name, file)
  local absolute, message = paths.resolve(file, source.directory, walk.state.options.environment or {})
  if not absolute then return fail(walk, source, name, message) end
  local opened = walk.state.extended
  local key = source.lookup
  opened[key] = opened[key] or {}
  local other = opened[key][absolute]
  if not other then
    other, message = open_file(walk, source, absolute)
    if not other then return fail(walk, source, name, message) end
    opened[key][absolute] = other
  end
  return other
end

local function shown(walk, source)
  return source.file and walk.loader.shown(walk.state, source.file) or "this file"
end

local function cycle(walk, source, name)
  local chain, steps, several = walk.chain, {}, false
  local from = #chain
  while chain[from].source ~= source or chain[from].name ~= name do from = from - 1 end
  for position = from, #chain do several = several or chain[position].source ~= source end
  local list = table.move(chain, from, #chain, 1, {})
  list[#list + 1] = list[1]
  for position, step in ipairs(list) do
    steps[position] = several and ("%s in %s"):format(step.name, shown(walk, step.source)) or step.name
  end
  return "extends cycle detected: " .. table.concat(steps, " → ")
end

local function unknown(walk, other, name, is_same)
  local close = text.nearest(name, tables.keys(other.services))
  local elsewhere = is_same and ("one of another file: {file: FILE, service: %s}"):format(name) or nil
  return ('there is no service "%s" in %s'):format(name, shown(walk, other)),
    close and ('did you mean "%s"?'):format(close) or elsewhere
end

-- The service that another one extends, itself resolved, and where it is; nil after a report.
local function base_of(walk, source, name)
  local wanted = reference(walk, source, name)
  local other = wanted and (wanted.file and source_in(walk, source, name, wanted.file) or not wanted.file and source)
  if not other or other.is_unsound then return nil end
  local service = other.services[wanted.service]
  if service == nil then return fail(walk, source, name, unknown(walk, other, wanted.service, other == source)) end
  if other.status[wanted.service] == "open" then
    return fail(walk, source, name, cycle(walk, other, wanted.service))
  end
  if #walk.chain > M.depth_limit then
    return fail(walk, source, name, ("more than %d services extend each other"):format(M.depth_limit))
  end
  return M.service(walk, other, wanted.service), other, other.incomplete[wanted.service]
end

local function lay(walk, source, name, base, other)
  local state, over = walk.state, source.services[name]
  local below = is_map(base) and copy(walk, other, base) or {}
  if state.copied > M.copy_limit then
    return fail(walk, source, name, ("what is extended stands for more than %d values"):format(M.copy_limit))
  end
  state.marks[below] = state.marks[below] or {}
  source.services[name] = merge.into(state, source.tags, below, over, { "services", name })
end

--- A service with all that it extends below it.
---@param walk table    {state, loader, chain}
---@param source table  {services, status, …}
function M.service(walk, source, name)
  local service = source.services[name]
  if not is_map(service) or service.extends == nil or source.status[name] then return service end
  source.status[name], walk.chain[#walk.chain + 1] = "open", { source = source, name = name }
  if schema.kind_of(service.extends) ~= "null" then
    local base, other, is_incomplete = base_of(walk, source, name)
    source.incomplete[name] = is_incomplete or base == nil or nil
    service.extends = nil
    if base then lay(walk, source, name, base, other) end
  end
  service.extends = nil
  source.status[name], walk.chain[#walk.chain] = "done", nil
  return source.services[name]
end

local function extending(services)
  local names = {}
  for name, service in next, services do
    if is_map(service) and service.extends ~= nil then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- Resolves every `extends` of a document.
---@param state table
---@param fragment holos.Fragment
---@param loader table  holos.compose.gather
function M.apply(state, fragment, loader)
  if not is_map(fragment.tree.services) then return end
  local names = extending(fragment.tree.services)
  if #names == 0 then return end
  local source = source_of(fragment, fragment.chain[#fragment.chain])
  for _, name in ipairs(names) do M.service({ state = state, loader = loader, chain = {} }, source, name) end
  for name in next, source.incomplete do state.incomplete[name] = true end
end

return M
