--- A checked tree to the project that the rest of holos works with. Pure.
--
-- Nothing is decided here but names: defaults are in the schema, and the checks across services are in compose.rules.
local lazy = require "holos.core.lazy"
local dag = lazy "holos.core.dag"
local marks_ = require "holos.compose.marks"
local network = require "holos.compose.normalize.network"
local service_ = require "holos.compose.normalize.service"
local storage = require "holos.compose.normalize.storage"
local tables = require "holos.core.table"

local M = {}

local function dependency_names(service)
  local names = {}
  for position, dependency in ipairs(service.depends_on) do names[position] = dependency.service end
  return names
end

-- Those that are enabled: dependencies first, then by name. Where there is a cycle the order is by name, and a rule
-- reports the cycle.
local function make_order(services)
  local names, needs, none = {}, {}, {}
  for _, name in ipairs(tables.keys(services)) do
    local service = services[name]
    if service.is_enabled then
      names[#names + 1] = name
      if next(service.depends_on) then needs[name] = dependency_names(service) end
    end
  end
  local order = next(needs) and dag.order(names, function(name) return needs[name] or none end)
  return tables.list(order or names)
end

local function in_file_order(a, b)
  if a.mark ~= b.mark then return (a.mark or 0) < (b.mark or 0) end
  return a.path < b.path
end

--- Sorts what has no effect so far to the services that say it; what only services say that are left out is nobody's.
---@param project table
---@param later table[]  {mark, path, hint}
---@param text fun(mark: integer): string  a mark as "holos.yaml:14:5"
function M.put_off(project, later, text)
  project.not_yet = tables.list {}
  table.sort(later, in_file_order)
  for _, found in ipairs(later) do
    local keys = marks_.keys(found.path)
    local entry = { key = found.path, mark = found.mark and text(found.mark), hint = found.hint }
    local service = keys[1] == "services" and project.services[keys[2]]
    if not service or service.is_enabled then table.insert(project.not_yet, entry) end
    if service then
      service.not_yet = service.not_yet or tables.list {}
      table.insert(service.not_yet, entry)
    end
  end
end

--- The project, in the shape of holos.Project.
---@param tree table     checked, with absolute paths
---@param context table  {name, directory, files, marks, facts, report, warn, place, profiles}
function M.project(tree, context)
  local services = {}
  context.default_networks, context.no_cloud_init = network.default(), service_.no_cloud_init()
  context.profiles = context.profiles or {}
  for name, service in pairs(tree.services) do services[name] = service_.make(name, service, context) end
  local volumes = storage.volumes(tree.volumes, context.marks)
  storage.share(volumes, services)
  return {
    name = context.name, directory = context.directory, files = context.files, services = services,
    order = make_order(services), volumes = volumes,
    networks = network.all(tree.networks, services, context.name), configs = storage.sources(tree.configs),
    secrets = storage.sources(tree.secrets), marks = context.marks,
  }
end

return M
