--- The texts of compose files to a project, or to all findings at once. Pure: the world is handed in as functions.
local lazy = require "holos.core.lazy"
local belongs = lazy "holos.compose.belongs"
local build = lazy "holos.compose.build"
local check = lazy "holos.core.schema.check"
local extension = lazy "holos.compose.extension"
local findings = require "holos.compose.findings"
local gather = require "holos.compose.gather"
local marks = require "holos.compose.marks"
local name_ = require "holos.compose.project_name"
local normalize = lazy "holos.compose.normalize"
local path = require "holos.core.path"
local paths = lazy "holos.compose.paths"
local project_schema = lazy "holos.compose.schema.project"
local rules = lazy "holos.compose.rules"
local schema = require "holos.core.schema"
local sizes = lazy "holos.compose.normalize.sizes"
local tables = require "holos.core.table"
local variables = lazy "holos.compose.variables"

local M = {}

---@class holos.LoadOptions
---@field files table[]?         {file = absolute path or nil, text =, shown = its name in messages}, each laid over those
---                              before it
---@field text string?           one file alone: what is in it,
---@field file string?           its absolute path,
---@field shown string?          and its name; absent: the last part of `file`
---@field directory string       absolute; relative paths in these files are seen from here
---@field parse function         sys.yaml.parse
---@field environment table?     variables; HOME is what "~" stands for
---@field lookup function?       name → what "$NAME" stands for in values, or nil; absent: as `environment` says
---@field lookup_for function?   (directory, env_files or nil for its .env, lookup around it) → lookup | nil, message: for
---                              files that are included
---@field stat function?         path → "file", "directory", … (links followed) or nil when there is nothing; without
---                              it the host is not looked at
---@field list function?         directory → the names in it, for suggestions
---@field read function?         path → text | nil, message; also of files that others include or extend
---@field show function?         path → how a user would write it
---@field sniff function?        path of an image → "qcow2", "raw" or nil, from its first bytes
---@field image function?        what `image:` names beside paths → what is known of it (compose/normalize/machine) | nil
---@field image_bytes function? (path, format) → the size of the disk in an image of that format, nil when it cannot be read
---@field architecture string?   of the host: "x86_64", "aarch64"
---@field name string?           the project's name, whatever the files say
---@field env_file function?     {path, required, format} → holos.EnvFile | nil, message, hint; absent: none is read
---@field profiles string[]?     profiles that are asked for; "*" is all of them
---@field replicas table<string, integer>?  numbers of instances, whatever the files say
---@field named string[]?        services that are asked for by name, and with them their profiles
---@field compat boolean?        keys that only mean something for containers are warned of, not refused
---@field without table?         {[stage] = true}: stages of `M.stages` and of compose.gather that are left out
---@field each_document function?  told of every document before anything is done to it: (tree, lookup)

---@class holos.ComposeState     what the stages share
---@field options holos.LoadOptions
---@field given table[]          the files that were given: options.files, or the one alone
---@field reads integer          texts that were taken in
---@field indexes table          file → its index in marks
---@field files string[]         names of all files that were read, for messages; a mark's file index counts from 0
---@field findings table[]       {mark, path, message, hint}
---@field warnings table[]
---@field marks table            marks[container][key] → packed position, for the containers of all documents
---@field tree table             the documents merged
---@field written table          written[list][position] → {key, position}: entries that stand elsewhere in the file
---@field has_extension boolean?  a document has x-holos
---@field later table[]          what has no effect so far: {mark, path, hint}
---@field is_broken boolean?     part of the files could not be read; what is missing in the rest may be there
---@field incomplete table       names of services that lack what they extend
---@field extended table         files that services are extended from, by their variables and paths
---@field copied integer         values that were copied from extended services
---@field builds table<string, holos.WantedBuild>?  what services are built from, by service
---@field aliased integer?        values that aliases stand for

-- Every stage takes the state and edits it; "stop" says that nothing after it could make sense. They run in this order.
M.stages = { "gather", "ignore", "build", "check", "resolve", "normalize", "consistency", "environment" }

local function report_at(state, list, keys, message, hint)
  local mark = marks.find(state, keys)
  list[#list + 1] = { mark = mark, path = schema.path(marks.written(state, keys)), message = message, hint = hint }
end

--- Adds a finding at the place that `keys` lead to.
local function reporter(state, list)
  return function(keys, message, hint) report_at(state, list, keys, message, hint) end
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

--- Texts → one tree with marks: everything that is included, extended and merged.
function M.gather(state)
  state.tree = gather.project(state, state.given)
  if not state.tree then return "stop" end
end

-- Those that lack what they extend are not to be told what is missing in them.
local function incomplete_services(state)
  local services, incomplete = state.tree.services, {}
  for name in next, state.incomplete do
    if schema.kind_of(services) == "map" and services[name] ~= nil then incomplete[services[name]] = true end
  end
  return incomplete
end

--- What services are to ignore is taken out.
function M.ignore(state)
  if state.has_extension then extension.pass_over(state.tree) end
end

-- Whether any service is built; told without loading what builds take.
local function any_is_built(services)
  for _, service in next, schema.kind_of(services) == "map" and services or {} do
    if type(service) == "table" and (service.build ~= nil or service.dockerfile ~= nil) then return true end
  end
  return false
end

--- What Dockerfiles say where services do not.
function M.build(state)
  if any_is_built(state.tree.services) then build.run(state) end
end

--- Holds the tree against the schema; values take their final form, defaults come in.
function M.check(state)
  local context = { written = state.written, belongs = function(...) return belongs.place(...) end }
  local at = check.new(state.marks, context, state.is_broken or incomplete_services(state))
  at.is_lenient, at.later = state.options.compat, state.later
  local tree = check.value(project_schema, state.tree, at)
  append(state.findings, at.findings)
  append(state.warnings, at.warnings)
  if state.is_broken or not tree.services then return "stop" end
  if next(tree.services) == nil and #at.findings == 0 then
    report_at(state, state.findings, { "services" }, "expected at least one service, got none")
  end
end

--- Paths of the host become absolute.
function M.resolve(state)
  local options = state.options
  paths.resolve_all(state.tree, options.directory, options.environment or {}, reporter(state, state.findings))
end

local function project_name(state)
  local given, directory = state.options.name, state.options.directory
  local name = given or state.tree.name or name_.derived(directory)
  if given and not name_.is_valid(given) then
    report_at(state, state.findings, { "name" },
      ('the project name "%s" that was asked for cannot be one'):format(given),
      'lower-case letters, digits, "-" and "_", at most 63, and a letter or digit first')
  elseif name == "" then
    report_at(state, state.findings, { "name" }, ('the directory "%s" gives the project no name'):format(directory),
      "add a line: name: my-stack")
  end
  return name
end

-- The user's own cloud-config. Without a `read` function nothing is read, as for a dry look at the file.
local function reader(state)
  return function(file, keys)
    if not state.options.read then return nil end
    local text, message = state.options.read(file)
    if text and text:find("^#cloud%-config%f[^%w-]") then return text end
    local problem = text and file .. ' is no cloud-config: its first line is not "#cloud-config"'
    report_at(state, state.findings, keys, problem or message or file .. " cannot be read")
  end
end

local function file_names(state)
  local names = tables.list {}
  for _, file in ipairs(state.given) do
    if file.file then names[#names + 1] = path.absolute(file.file, state.options.directory) end
  end
  return names
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list or {}) do set[item] = true end
  return set
end

-- The profiles that are asked for, and those of services that are asked for by name.
local function active_profiles(state)
  local active = set_of(state.options.profiles)
  for _, name in ipairs(state.options.named or {}) do
    for _, profile in ipairs((state.tree.services[name] or {}).profiles or {}) do active[profile] = true end
  end
  return active
end

-- A place as "holos.yaml:14:5".
local function placer(state)
  return function(keys) return marks.text(marks.find(state, keys), state.files) end
end

--- The tree becomes a project.
function M.normalize(state)
  local options = state.options
  state.project = normalize.project(state.tree, {
    name = project_name(state), directory = options.directory, files = file_names(state),
    profiles = active_profiles(state), marks = marks.lookup(state, state.files),
    facts = { sniff = options.sniff or function() end, read = reader(state), image = options.image or function() end },
    report = reporter(state, state.findings), place = placer(state),
    warn = reporter(state, state.warnings),
  })
  for name, count in pairs(options.replicas or {}) do
    if state.project.services[name] then state.project.services[name].replicas = count end
  end
  normalize.put_off(state.project, state.later, function(mark) return marks.text(mark, state.files) end)
end

local function lookup_of(state)
  local options = state.options
  return options.lookup or function(name) return (options.environment or {})[name] end
end

--- The checks across services, and against the host.
function M.consistency(state)
  rules.run(state.project, reporter(state, state.findings), {
    stat = state.options.stat,
    image_bytes = state.options.image_bytes,
    written = function(name, which) return sizes.written(name, state.tree.services[name], which) end,
    variable = lookup_of(state), list = state.options.list,
    mark = function(keys) return marks.find(state, keys) or 0 end,
    is_written = function(kind, name)
      local written = state.marks[state.tree[kind]]
      return written ~= nil and written[name] ~= nil
    end,
    path = function(keys) return schema.path(marks.written(state, keys)) end,
    warn = reporter(state, state.warnings),
  })
end

--- Services get their variables and labels.
function M.environment(state)
  local read = state.options.env_file or function() end
  variables.fill(state.tree, state.project, {
    file = function(entry, keys)
      local parsed, message, hint = read(entry)
      if message then report_at(state, state.findings, keys, message, hint) end
      return parsed
    end,
    variable = lookup_of(state),
  })
  if state.builds then build.finish(state) end
end

--- What the stages begin with.
---@param options holos.LoadOptions
---@return holos.ComposeState
function M.begin(options)
  return {
    options = options, given = options.files or { { file = options.file, text = options.text, shown = options.shown } },
    files = {}, indexes = {}, reads = 0, findings = {}, warnings = {}, marks = {}, incomplete = {}, extended = {}, copied = 0,
    written = {}, later = {},
  }
end

--- Runs all stages; raises err.findings with everything that is wrong, in the order of the files.
---@param options holos.LoadOptions
---@return holos.ComposeState state  its tree is checked, and its project made, where no stage was left out
function M.run(options)
  local state, without = M.begin(options), options.without or {}
  for _, stage in ipairs(M.stages) do
    if not without[stage] and M[stage](state) == "stop" then break end
  end
  if #state.findings > 0 then append(state.findings, state.later) end
  gather.settle(state)
  findings.raise(state.findings, state.files, #state.later > 0 and findings.WITHOUT or nil)
  state.warning_lines = findings.lines(state.warnings, state.files)
  return state
end

--- The name of a project alone: its services may be wrong. Raises as `run` does where it cannot be told.
---@param options holos.LoadOptions
---@return string name
function M.name(options)
  local state = M.begin(options)
  local name = M.gather(state) ~= "stop" and project_name(state)
  return #state.findings == 0 and name_.is_valid(name) and name or M.load(options).name
end

--- Loads a project; raises as `run` does.
---@param options holos.LoadOptions
---@return table project  holos.Project
function M.load(options)
  local state = M.run(options)
  state.project.warnings = state.warning_lines
  return state.project
end

return M
