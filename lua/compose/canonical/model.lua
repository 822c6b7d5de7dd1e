--- The part of a project that is asked for, as one tree in which nothing is left to be looked up elsewhere: names,
--- networks, variables and labels are in it. Pure.
local tables = require "holos.core.table"

local M = {}

-- What has done its work once files are one tree.
local GATHERED = { "include", "version" }

local function shallow(map)
  local copy = {}
  for key, value in next, map or {} do copy[key] = value end
  return copy
end

-- A copy of one level, with places that may be added to.
local function copy_of(state, map)
  local copy = shallow(map)
  state.marks[copy] = shallow(map and state.marks[map])
  return copy
end

--- The services that are asked for and what they wait for, or all that are not left out.
---@param project table
---@param names string[]?  nil: all
---@return table<string, boolean>
function M.chosen(project, names)
  local chosen = {}
  local function add(name)
    local service = project.services[name]
    if chosen[name] or not service or not service.is_enabled then return end
    chosen[name] = true
    for _, dependency in ipairs(service.depends_on) do add(dependency.service) end
  end
  for _, name in ipairs(names or tables.keys(project.services)) do add(name) end
  return chosen
end

-- Lays values that come from files too into a service; those of files are placed where the file is named.
local function resolve(state, service, key, file_key, values)
  local marks, own = {}, state.marks[service[key] or {}] or {}
  local files = state.marks[service[file_key] or {}] or {}
  local place = files[1] or state.marks[service][file_key]
  for name in next, values do marks[name] = own[name] or place end
  state.marks[service][key] = state.marks[service][key] or place
  service[file_key], service[key] = nil, next(values) ~= nil and values or nil
  state.marks[values] = marks
end

-- Who is chosen is there whatever profiles the model is loaded with.
local function service_of(state, name, options)
  local service, made = copy_of(state, state.tree.services[name]), state.project.services[name]
  service.profiles = nil
  if options.environment and (service.environment or service.env_file) then
    resolve(state, service, "environment", "env_file", made.environment)
  end
  if options.environment and service.label_file then resolve(state, service, "labels", "label_file", made.labels) end
  if options.normalize and not service.networks and not service.network_mode then
    service.networks = { default = {} }
  end
  return service
end

-- Every network by the name that it will have.
local function networks_of(state, options)
  local tree, project = state.tree, state.project
  if not options.normalize then return tree.networks end
  local networks = copy_of(state, tree.networks)
  for key, network in next, project.networks do
    networks[key] = copy_of(state, networks[key])
    networks[key].name = network.name
    local external = networks[key].external
    if type(external) == "table" then
      networks[key].external, state.marks[networks[key]].name = true, (state.marks[external] or {}).name
    end
  end
  return next(networks) ~= nil and networks or nil
end

local function note_used(used, service)
  for _, attachment in ipairs(service.networks) do used.networks[attachment.network] = true end
  for _, mount in ipairs(service.mounts) do
    if mount.kind == "volume" then used.volumes[mount.volume] = true end
  end
  for _, kind in ipairs { "configs", "secrets" } do
    for _, grant in ipairs(service[kind] or {}) do used[kind][grant.key] = true end
  end
end

-- Only what the chosen services have.
local function keep_used(state, model, chosen)
  local used = { networks = {}, volumes = {}, configs = {}, secrets = {} }
  for name in next, chosen do note_used(used, state.project.services[name]) end
  for kind, wanted in next, used do
    local kept = model[kind] and copy_of(state, model[kind])
    for key in next, model[kind] or {} do
      if not wanted[key] then kept[key] = nil end
    end
    model[kind] = kept and next(kept) ~= nil and kept or nil
  end
end

--- The tree.
---@param state holos.ComposeState  with its tree checked and its project
---@param options table  {services = string[]?, normalize, environment}: whether names and networks are filled in, and
---  variables and labels of files
function M.make(state, options)
  local model, chosen = copy_of(state, state.tree), M.chosen(state.project, options.services)
  for _, key in ipairs(GATHERED) do model[key] = nil end
  model.name, model.networks = state.project.name, networks_of(state, options)
  model.services = copy_of(state, state.tree.services)
  for name in next, state.tree.services do
    model.services[name] = chosen[name] and service_of(state, name, options) or nil
  end
  if options.services then keep_used(state, model, chosen) end
  return model
end

return M
