--- The text of a compose file to a project, or to all findings at once. Pure: the world is handed in as functions.
local check = require "holos.core.schema.check"
local document = require "holos.compose.document"
local findings = require "holos.compose.findings"
local interpolate = require "holos.compose.interpolate"
local marks = require "holos.compose.marks"
local normalize = require "holos.compose.normalize"
local path = require "holos.core.path"
local paths = require "holos.compose.paths"
local project_schema = require "holos.compose.schema.project"
local rules = require "holos.compose.rules"
local schema = require "holos.core.schema"

local M = {}

---@class holos.LoadOptions
---@field text string              what is in the file
---@field file string              absolute path of the file
---@field shown string?            its name in messages; absent: the last part of `file`
---@field directory string         absolute; relative paths in the file are seen from here
---@field parse function           sys.yaml.parse
---@field environment table?       variables; HOME is what "~" stands for
---@field lookup function?         name → what "$NAME" stands for in values, or nil; absent: as `environment` says
---@field stat function?           path → "file", "directory", … (links followed) or nil when there is nothing; without
---                                it the host is not looked at
---@field read function?           path → text | nil, message
---@field sniff function?          path of an image → "qcow2", "raw" or nil, from its first bytes
---@field name string?             the project's name, whatever the file says

-- Every stage takes the state and edits it; "stop" says that nothing after it could make sense. They run in this order;
-- include, extends and merge belong between interpolate and check.
M.stages = { "parse", "build", "interpolate", "check", "resolve", "normalize", "consistency" }

local function report_at(state, list, keys, message, hint)
  local mark = marks.find(state.document, keys)
  list[#list + 1] = { mark = mark, path = schema.path(keys), message = message, hint = hint }
end

--- Adds a finding at the place that `keys` lead to.
local function reporter(state, list)
  return function(keys, message, hint) report_at(state, list, keys, message, hint) end
end

--- Text → events.
function M.parse(state)
  local events, message = state.options.parse(state.options.text)
  state.events = events
  if events then return end
  local line, column, reason = message:match("^(%d+):(%d+): (.*)$")
  local mark = line and document.pack(0, math.tointeger(tonumber(line)), math.tointeger(tonumber(column)))
  state.findings[1] = { mark = mark, message = reason or message }
  return "stop"
end

local function append(list, more)
  table.move(more, 1, #more, #list + 1, list)
end

local function wrong_root(tree)
  if tree == nil or schema.kind_of(tree) == "null" then
    return "the file is empty", 'a small one:\nservices:\n  web:\n    image: ./debian.qcow2'
  end
  if schema.kind_of(tree) ~= "map" then
    return ("expected keys such as services:, got %s"):format(schema.show(tree))
  end
end

--- Events → one tree with marks.
function M.build(state)
  local doc = document.build(state.events, 0)
  state.document, state.events = doc, nil
  append(state.findings, doc.findings)
  local message, hint = wrong_root(doc.tree)
  if doc.is_cut then return "stop" end
  if not message then return end
  if #state.findings == 0 then
    state.findings[1] = { mark = document.pack(0, 1, 1), message = message, hint = hint }
  end
  return "stop"
end

--- Variables in values are replaced.
function M.interpolate(state)
  local options, doc = state.options, state.document
  if not interpolate.is_needed(options.text) then return end
  local lookup = options.lookup or function(name) return (options.environment or {})[name] end
  local name = options.name or interpolate.own_name(doc.tree, lookup) or normalize.derived_name(options.directory)
  interpolate.run(state, { tree = doc.tree, marks = doc.marks, lookup = lookup, name = name })
end

--- Holds the tree against the schema; values take their final form, defaults come in.
function M.check(state)
  local at = check.new(state.document.marks)
  local tree = check.value(project_schema, state.document.tree, at)
  append(state.findings, at.findings)
  append(state.warnings, at.warnings)
  if not tree.services then return "stop" end
  if next(tree.services) == nil and #at.findings == 0 then
    report_at(state, state.findings, { "services" }, "expected at least one service, got none")
  end
end

--- Paths of the host become absolute.
function M.resolve(state)
  local options = state.options
  paths.resolve_all(state.document.tree, options.directory, options.environment or {}, reporter(state, state.findings))
end

local function project_name(state)
  local given, directory = state.options.name, state.options.directory
  local name = given or state.document.tree.name or normalize.derived_name(directory)
  if given and not normalize.is_name(given) then
    report_at(state, state.findings, { "name" },
      ('the project name "%s" that was asked for cannot be one'):format(given),
      "lower-case letters, digits and hyphens, at most 63")
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

--- The tree becomes a project.
function M.normalize(state)
  local options = state.options
  state.project = normalize.project(state.document.tree, {
    name = project_name(state), directory = options.directory,
    files = { path.absolute(options.file, options.directory) }, marks = marks.lookup(state.document, state.files),
    facts = { sniff = options.sniff or function() end, read = reader(state) },
  })
end

--- The checks across services, and against the host.
function M.consistency(state)
  rules.run(state.project, reporter(state, state.findings), {
    stat = state.options.stat,
    mark = function(keys) return marks.find(state.document, keys) or 0 end,
    warn = reporter(state, state.warnings),
  })
end

--- Loads a project; raises err.findings with everything that is wrong, in the order of the file.
---@param options holos.LoadOptions
---@return table project  holos.Project
function M.load(options)
  local state = {
    options = options, files = { options.shown or path.base(options.file) }, findings = {}, warnings = {},
  }
  for _, stage in ipairs(M.stages) do
    if M[stage](state) == "stop" then break end
  end
  interpolate.settle(state)
  findings.raise(state.findings, state.files)
  state.project.warnings = findings.lines(state.warnings, state.files)
  return state.project
end

return M
