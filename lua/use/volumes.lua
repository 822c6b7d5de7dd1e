--- volumes: those of a project, or of all, without locks; and finding the one that is meant. Effects: reads only.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local foreign = require "holos.run.foreign"
local identity = require "holos.plan.identity"
local observe = require "holos.run.observe"
local project_ = require "holos.use.project"
local record_ = require "holos.run.record"
local state_ = require "holos.use.state"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local volumes = require "holos.plan.volumes"

local M = {}

local NAME = "^[%w][%w_.-]*$"
-- A file name has 255 bytes at most, ".qcow2" among them.
local NAME_BYTES = 249

---@class holos.VolumeRow
---@field project string
---@field name    string
---@field path    string
---@field state   string    "ok", "gone" (it was made), "damaged", "unrecorded" (no record knows it)
---@field problem string?   of a damaged one
---@field guest_path string  where guests of its project have it
---@field format  string
---@field fs      string?   nil when nobody knows
---@field size_bytes integer?       as guests see it
---@field allocated_bytes integer?  what it takes here
---@field users   table[]   holos.VolumeUser, with `running`

local function state_of(world, row, entry)
  local info, message, code = world.qcow2.info(row.path)
  if info then
    row.size_bytes, row.allocated_bytes = info.virtual_bytes, info.allocated_bytes
    return info.corrupt and "damaged" or entry and "ok" or "unrecorded", info.corrupt and "it is marked corrupt" or nil
  end
  return code == "ENOENT" and "gone" or "damaged", message
end

--- One volume of a project as it is.
---@param records table<string, table>  all of them
---@param applied_of function  of run/observe
---@param identify function    of run/foreign, one for all rows: it remembers what it has looked at
---@return holos.VolumeRow
function M.row(world, state, records, project, name, applied_of, identify)
  local entry = records[project] and records[project].volumes[name]
  local row = { project = project, name = name, path = state:volume(project, name), format = "qcow2", fs = entry and entry.fs,
    guest_path = identity.volume_path(identity.volume_serial(world.hash.sha256, name)) }
  row.state, row.problem = state_of(world, row, entry)
  row.users = volumes.users(records, row, applied_of, identify)
  for _, user in ipairs(row.users) do user.running = select(2, applied_of(user.project, user.instance)) end
  return row
end

local function names_of(world, state, record, project)
  local names = {}
  for name, entry in pairs(record and record.volumes or {}) do names[name] = entry.made or entry.desired == "removed" or nil end
  for _, entry in ipairs(directory_.entries(world, state:volumes(project))) do
    local name = entry.name:match("^([^.].*)%.qcow2$")
    if name then names[name] = true end
  end
  return table_.keys(names)
end

--- All records: that of a context as it is there, the others as they are.
---@return table<string, table>
function M.records(context)
  local records = record_.all(context.world, context.state)
  records[context.name] = context.record
  return records
end

--- All volumes of a project.
---@param applied_of function  of run/observe
---@param identify function    of run/foreign
---@return holos.VolumeRow[]
function M.of_project(world, state, records, project, applied_of, identify)
  return table_.map(names_of(world, state, records[project], project), function(name)
    return M.row(world, state, records, project, name, applied_of, identify)
  end)
end

local function of_all(world, options)
  local state = state_.locate(world, options)
  local records, damaged = record_.all(world, state)
  local rows, names = table_.list {}, table_.copy(records)
  local applied_of, identify = observe.applied_of(world, state), foreign.identifier(world)
  for _, entry in ipairs(directory_.entries(world, state.root .. "/volumes")) do names[entry.name] = true end
  for _, name in ipairs(table_.keys(names)) do
    table_.extend(rows, M.of_project(world, state, records, name, applied_of, identify))
  end
  return rows, table_.map(damaged, function(bad) return bad.message end)
end

--- The volumes of the project in reach; of all when none is in reach, or with options.all.
---@return holos.VolumeRow[] rows
---@return string[] warnings
function M.rows(world, options)
  if options.all then return of_all(world, options) end
  local ok, context = pcall(project_.from_record, world, options)
  if ok then
    local applied_of = observe.applied_of(world, context.state)
    return M.of_project(world, context.state, M.records(context), context.name, applied_of, foreign.identifier(world)),
      context.notices
  end
  if not err.is(context) then error(context, 0) end
  if context.code == "ENOFILE" then return of_all(world, options) end
  if context.code ~= "ENOPROJECT" or project_.asked_name(world, options) and not options.file then error(context, 0) end
  return table_.list {}, {}
end

-- The command line as it is with `-p project`.
local function for_project(options, project)
  if options.project_name and options.project_name ~= project then
    err.raise { message = ("-p %s and %s/… are two projects"):format(options.project_name, project), exit = 64 }
  end
  return setmetatable({ project_name = project }, { __index = options })
end

--- The project that a word names, with what is left of the word: "shop/data", or "data" of the project in reach.
---@return table options
---@return string name
function M.split(options, word)
  local project, name = word:match("^([^/]+)/(.*)$")
  if not project then return options, word end
  return for_project(options, project), name
end

--- Raises unless a new volume may be called so.
function M.require_name(name)
  if name:find(NAME) and #name <= NAME_BYTES then return end
  err.raise { message = ("%q is no name for a volume"):format(name), exit = 64,
    hint = "letters, digits, dots, dashes and underscores, the first of them a letter or digit" }
end

local function elsewhere(world, options, name)
  local ok, rows = pcall(of_all, world, options)
  if not ok then return nil end
  local words = {}
  for _, row in ipairs(rows) do
    if row.name == name then words[#words + 1] = row.project .. "/" .. name end
  end
  return words[1] and "there is " .. table.concat(words, " and ") or nil
end

--- The recorded project that a volume's name leads to.
---@param verb string?  the command, when it changes something
---@return table context  as of use/project.from_record
---@return string name    of the volume
function M.context(world, options, word, verb)
  local chosen, name = M.split(options, word)
  local ok, context = pcall(project_.from_record, world, chosen, nil, verb)
  if ok then return context, name end
  if err.is(context, "ENOFILE") then context.hint = elsewhere(world, options, name) or context.hint end
  error(context, 0)
end

--- The volume of a name that is there; raises when it is not, and when nobody can use it.
---@return holos.VolumeRow
function M.one(context, name)
  local names = names_of(context.world, context.state, context.record, context.name)
  if not table_.index_of(names, name) then
    local near = text.nearest(name, names)
    err.raise { message = ("project %s has no volume %q"):format(context.name, name), code = "ENOENT",
      hint = near and ("did you mean %q?"):format(near) or elsewhere(context.world, context.options, name) or "holos volumes ls" }
  end
  local row = M.row(context.world, context.state, M.records(context), context.name, name,
    observe.applied_of(context.world, context.state), foreign.identifier(context.world))
  if row.state == "gone" then
    err.raise { message = ("the disk of volume %s is gone: %s"):format(name, row.path), code = "ELOST",
      hint = "holos trash ls " .. context.name }
  end
  return row
end

return M
