--- Services that are built: their Dockerfiles are read, and say what the service does not say itself. Pure: files are read by
--- options.read.
--
-- This comes before the tree is checked, so that what a Dockerfile says is checked as what a file says. Its lines are places of
-- findings like others.
local built = require "holos.compose.built"
local check = require "holos.core.schema.check"
local document = require "holos.compose.document"
local evaluate = require "holos.dockerfile.evaluate"
local json = require "holos.core.json"
local path = require "holos.core.path"
local reference = require "holos.image.reference"
local rule = require "holos.compose.schema.build"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

--- The name of a Dockerfile that nobody names.
M.DEFAULT_NAME = "Dockerfile"
-- Warnings that say that something does not do what it says; matters of style are for `holos build --check`.
local TOLD = { CarriageReturn = true, JSONArgsInvalid = true, NoMeaning = true, UnusedBuildArg = true }

---@class holos.WantedBuild
---@field context string      absolute
---@field dockerfile string?  absolute; nil: the text stands in the compose file
---@field shown string        its name in messages
---@field text string
---@field args table<string, string>
---@field target string?
---@field recipe holos.dockerfile.Recipe?
---@field ast holos.dockerfile.Ast?

local function is_map(value) return type(value) == "table" and schema.kind_of(value) == "map" end

local function home_of(state) return (state.options.environment or {}).HOME or "~" end

local function absolute(state, name, base)
  if name:find("^~/") then return home_of(state) .. name:sub(2) end
  return path.absolute(name, base)
end

-- A copy in which json.null is itself.
local function copy_of(value)
  if type(value) ~= "table" or value == json.null then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = copy_of(item) end
  return setmetatable(result, getmetatable(value))
end

-- What a service says of its build, in final form; nil where that is wrong, which the check of the tree will tell.
local function said_of(service)
  if service.build == nil then
    if type(service.dockerfile) ~= "string" or service.dockerfile == "" then return nil end
    return { context = path.parent(service.dockerfile), dockerfile = path.base(service.dockerfile) }
  end
  if service.build == json.null then return nil end
  local at = check.new()
  local said = check.value(rule, copy_of(service.build), at)
  return #at.findings == 0 and said or nil
end

local function args_of(state, said)
  local args, options = {}, state.options
  local lookup = options.lookup or function(name) return (options.environment or {})[name] end
  for name, value in pairs(said.args or {}) do
    if value == json.null then value = lookup(name) end
    args[name] = value
  end
  return args
end

--- Where a service says what it is built from.
function M.mark(state, name)
  local own = state.marks[state.tree.services[name]] or {}
  return own.build or own.dockerfile or (state.marks[state.tree.services] or {})[name]
end

local function report(state, name, message, hint, mark)
  state.findings[#state.findings + 1] = { mark = mark or M.mark(state, name), path = ("services.%s.build"):format(name),
    message = message, hint = hint }
end

-- A text's name among those that marks speak of.
local function index_of(state, wanted)
  local key = wanted.dockerfile or wanted
  local index = state.indexes[key] or #state.files
  state.indexes[key], state.files[index + 1] = index, wanted.shown
  return index
end

local function report_unread(state, name, wanted, message)
  local stat, list = state.options.stat, state.options.list
  local directory = path.parent(wanted.dockerfile)
  if stat and directory == wanted.context and stat(directory) ~= "directory" then
    return report(state, name, ("the context %s is no directory that is there"):format(directory))
  end
  local near = stat and not stat(wanted.dockerfile) and list and tables.filter(list(directory), function(other)
    return other:lower():find("^dockerfile") ~= nil or other:lower():find("%.dockerfile$") ~= nil or other == "Containerfile"
  end) or {}
  report(state, name, message or wanted.shown .. " cannot be read",
    near[1] and ("there is %s; `dockerfile:` names it"):format(table.concat(near, ", ")) or nil)
end

--- What a service is built from; nil where that cannot be told, or read, which is reported then.
---@return holos.WantedBuild?
function M.wanted(state, name, service)
  local said = said_of(service)
  if not said or not state.options.read then return nil end
  local context = said.context or "."
  if context:find("^%a[%w+.-]*://") or context:find("^git@") then
    state.later[#state.later + 1] = { mark = M.mark(state, name), path = ("services.%s.build.context"):format(name),
      message = "not available yet", hint = "clone it, and name the directory" }
    return nil
  end
  local wanted = { context = absolute(state, context, state.options.directory), args = args_of(state, said), target = said.target }
  if said.dockerfile_inline then
    wanted.text, wanted.shown = said.dockerfile_inline, ("services.%s.build.dockerfile_inline"):format(name)
    return wanted
  end
  wanted.dockerfile = absolute(state, said.dockerfile or M.DEFAULT_NAME, wanted.context)
  wanted.shown = state.options.show and state.options.show(wanted.dockerfile) or path.relative(wanted.dockerfile,
    state.options.directory)
  local message
  wanted.text, message = state.options.read(wanted.dockerfile)
  if not wanted.text then return report_unread(state, name, wanted, message) end
  return wanted
end

local function architecture(state) return state.options.architecture or "x86_64" end

-- Mounts that can be read, and not made so far.
local function check_mount(mount)
  if mount.type ~= "secret" then return end
  return "--mount=type=secret is not available yet",
    "give the secret to the service: secrets:, and use it in cloud_init.runcmd"
end

-- Reads the recipe of a build; all that is wrong goes to the findings.
local function read_recipe(state, name, wanted, has_image)
  local index = index_of(state, wanted)
  local recipe, read = evaluate.read(wanted.text, { args = wanted.args, target = wanted.target,
    architecture = architecture(state), image = not has_image and reference.check_from or nil, mount = check_mount })
  if not recipe then
    for _, finding in ipairs(read) do
      report(state, name, finding.message, finding.hint, document.pack(index, finding.line, 1))
    end
    return nil
  end
  wanted.recipe, wanted.ast = recipe, read
  for _, warning in ipairs(recipe.warnings) do
    if TOLD[warning.rule] then
      state.warnings[#state.warnings + 1] = { mark = document.pack(index, warning.line, 1),
        path = ("services.%s.build"):format(name), message = warning.message }
    end
  end
  return index
end

-- "FROM ./disk.qcow2" is seen from the context.
local function fill_image(state, service, wanted, index)
  local from = wanted.recipe.from
  service.image = reference.is_path(from.text) and absolute(state, from.text, wanted.context) or from.text
  state.marks[service].image = document.pack(index, from.line, 1)
end

--- Reads what services are built from.
---@param state holos.ComposeState
function M.run(state)
  state.builds = {}
  for name, service in tables.sorted_pairs(state.tree.services) do
    if is_map(service) and (service.build ~= nil or service.dockerfile ~= nil) then
      local wanted = M.wanted(state, name, service)
      local index = wanted and read_recipe(state, name, wanted, service.image ~= nil)
      if index then
        if service.image == nil then fill_image(state, service, wanted, index) end
        built.fill(state, service, wanted.recipe, index)
        state.builds[name] = wanted
      end
    end
  end
end

local function below(list, own)
  local values = {}
  for _, pair in ipairs(list) do values[pair.name] = pair.value end
  return next(values) and tables.merge(values, own or {}) or own
end

--- Lays the builds into the services of the project; variables and labels of Dockerfiles go below those of services.
function M.finish(state)
  for name, wanted in pairs(state.builds) do
    local service = state.project.services[name]
    service.build = { context = wanted.context, dockerfile = wanted.dockerfile, shown = wanted.shown, recipe = wanted.recipe,
      ast = wanted.ast }
    service.environment = below(wanted.recipe.env, service.environment)
    service.labels = tables.merge(wanted.recipe.labels, service.labels)
  end
end

return M
