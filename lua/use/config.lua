--- config: what the files say, merged, as one document. Effects: reads the files and what they name.
local canonical = require "holos.compose.canonical"
local compose = require "holos.compose"
local err = require "holos.core.err"
local files = require "holos.use.files"
local hash = require "holos.compose.canonical.hash"
local model = require "holos.compose.canonical.model"
local paths = require "holos.compose.paths"
local project_ = require "holos.use.project"
local relocate = require "holos.compose.relocate"
local tables = require "holos.core.table"
local unknown = require "holos.use.unknown"
local used_ = require "holos.compose.used"

local M = {}

-- What needs the values of variables, or what comes after.
local AS_WRITTEN = { interpolate = true, build = true, check = true, resolve = true, normalize = true, consistency = true,
  environment = true }

-- The stages that options leave out. What Dockerfiles say stays theirs, but for hashes.
local function left_out(options)
  if options.no_interpolate or options.variables then return AS_WRITTEN end
  return { build = not options.hash, resolve = options.no_path_resolution,
    consistency = options.no_consistency, environment = options.no_env_resolution }
end

-- Where relative paths are kept in the model, their files are found all the same.
local function find_files(load_options)
  local function absolute(name)
    return paths.resolve(name, load_options.directory, load_options.environment) or name
  end
  for _, key in ipairs { "stat", "read", "sniff", "image_bytes" } do
    local base = load_options[key]
    load_options[key] = function(name, ...) return base(absolute(name), ...) end
  end
  local env_file = load_options.env_file
  load_options.env_file = function(entry)
    return env_file { path = absolute(entry.path), required = entry.required, format = entry.format }
  end
end

local function require_services(services, names)
  for _, name in ipairs(names or {}) do
    if not services[name] then unknown.refuse("service", name, services) end
  end
end

--- Runs the stages that are wanted.
---@return table context  {world, options, state, used, variables, services = those asked for or nil, warnings}
function M.load(world, options)
  local found, used = project_.require_files(world, options), {}
  local load_options, variables = project_.load_options(world, found, options)
  load_options.without = left_out(options)
  load_options.each_document = function(tree) used_.add(used, tree) end
  if options.no_path_resolution then find_files(load_options) end
  local state = compose.run(load_options)
  require_services((state.tree or {}).services or {}, options.arguments)
  return { world = world, options = options, state = state, used = used, variables = variables, sources = found.files,
    services = #options.arguments > 0 and options.arguments or nil,
    warnings = project_.warnings(found, variables, state.warning_lines) }
end

--- The canonical model of it.
---@return table tree, table origins
function M.document(context)
  local options, state = context.options, context.state
  if options.no_interpolate and not options.no_path_resolution then
    relocate.all(state.tree, state.options.directory, state.marks)
  end
  return canonical.document(state, { services = context.services, interpolate = not options.no_interpolate,
    normalize = not options.no_normalize, environment = not options.no_env_resolution })
end

--- As YAML; `is_explained`: each line says where it comes from.
function M.yaml(context, is_explained)
  local tree, origins = M.document(context)
  return canonical.yaml(tree, is_explained and { origins = origins, files = context.state.files } or nil)
end

-- Of a service as the project has it, or as a file has it.
local function profiles_of(service)
  return tables.is_list(service.profiles) and service.profiles or {}
end

--- Names of one kind, sorted: services, volumes, networks, images, profiles.
function M.names(context, kind)
  local names = {}
  if kind == "profiles" then
    for _, service in next, context.state.tree.services do
      for _, name in ipairs(profiles_of(service)) do names[name] = true end
    end
    return tables.keys(names)
  end
  local tree = M.document(context)
  if kind ~= "images" then return tables.keys(tree[kind] or {}) end
  for _, service in next, tree.services do names[service.image or ""] = true end
  names[""] = nil
  return tables.keys(names)
end

--- Every variable that the files name, by name.
---@return holos.UsedVariable[]
function M.variables(context)
  local list = tables.list {}
  for _, variable in tables.sorted_pairs(context.used) do list[#list + 1] = variable end
  return list
end

--- The variables that the files have: those of env files, and of the shell's those that a file names. One that holds a
--- secret is not among them.
---@return string[][] pairs  {name, value}, by name
function M.environment(context)
  local names, found = {}, tables.list {}
  for name in next, context.variables.values do names[name] = true end
  for name in next, context.used do names[name] = true end
  for _, secret in next, context.state.tree.secrets or {} do
    if secret.environment then names[secret.environment] = nil end
  end
  for _, name in ipairs(tables.keys(names)) do
    local value = context.variables.lookup(name)
    if value then found[#found + 1] = { name, value } end
  end
  return found
end

-- What a config holds, unless it cannot be read: then where it comes from has to do.
local function digest_of(context)
  local world = context.world
  return function(config)
    local source = config and config.source
    if not source or source.kind == "environment" then return nil end
    local text = source.text or files.read(world, source.path)
    return text and world.hash.sha256(text)
  end
end

-- The names that stand in a list, each once.
local function named(wanted, services)
  local names, seen = {}, {}
  for name in wanted:gmatch("[^,%s]+") do
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  if #names == 0 then
    err.raise { message = "--hash: names no service", code = "EUSAGE", exit = 64,
      hint = "there are: " .. table.concat(tables.keys(services), " ") }
  end
  require_services(services, names)
  return names
end

--- The hashes of services by name.
---@param wanted string  names with commas between them, or "*"
---@return string[][] rows  {name, hash}
function M.hashes(context, wanted)
  local project, rows = context.state.project, {}
  local names = wanted == "*" and tables.keys(model.chosen(project, context.services)) or named(wanted, project.services)
  for position, name in ipairs(names) do
    rows[position] = { name, hash.of(project, name, digest_of(context), context.world.hash.sha256) }
  end
  return rows
end

return M
