--- The state directory: where it is, whether all in it is as the records say, a copy of what is not a disk.
--- Effects: through run/*; prints nothing.
local lazy = require "holos.core.lazy"
local backup = lazy "holos.run.backup"
local change = lazy "holos.use.change"
local clashes = lazy "holos.plan.clashes"
local err = require "holos.core.err"
local inspect = lazy "holos.run.inspect"
local path = require "holos.core.path"
local state = require "holos.run.state"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

--- The state directory, as run/state knows it.
function M.locate(world, options) return state.locate(world, options) end

-- The projects that a command is about: all, or the one that was named.
local function chosen(world, where, project)
  local names = inspect.projects(world, where)
  if not project then return names end
  if table_.index_of(names, project) then return { project } end
  local near = text.nearest(project, names)
  err.raise { message = ("there is no project %s in %s"):format(project, where.root), code = "ENOENT",
    hint = near and ("did you mean %q?"):format(near) or "holos ls --all" }
end

local function add_clashes(findings, records, project)
  for _, clash in ipairs(clashes.of(records)) do
    local owners = table.concat(clash.owners, " and ")
    if not project or owners:find(project, 1, true) then
      findings[#findings + 1] = { project = clash.owners[1]:match("^[^/]+"), where = clash.what,
        text = ("leased by %s"):format(owners), fix = "take one of them down and restore it: it is leased anew" }
    end
  end
end

--- What is wrong in the state directory; changes nothing and takes no locks.
---@param project string?  nil for all
---@return holos.StateFinding[] findings
---@return {projects: integer, instances: integer, volumes: integer} seen
function M.check(world, where, project)
  local findings, records, seen = {}, {}, { projects = 0, instances = 0, volumes = 0 }
  local names = chosen(world, where, project)
  for _, name in ipairs(inspect.projects(world, where)) do
    local wrong, record = inspect.project(world, where, name)
    records[name] = record
    if table_.index_of(names, name) then
      table_.extend(findings, wrong)
      seen.projects = seen.projects + 1
      seen.instances = seen.instances + #table_.keys(record and record.instances or {})
      seen.volumes = seen.volumes + #table_.keys(record and record.volumes or {})
    end
  end
  add_clashes(findings, records, project)
  if not project then table_.extend(findings, inspect.images(world, where)) end
  return findings, seen
end

-- One project after the other, each as it is while nobody changes it.
local function taken(context, talk, names)
  local files = {}
  for _, name in ipairs(names) do
    local at = { world = context.world, state = context.state, options = context.options, name = name }
    local _held <close> = change.take_lock(at, talk)
    if context.world.fs.lstat(context.state:record(name)) then backup.take(context.world, context.state, name, files) end
  end
  return files
end

--- Copies records, keys, configs and secrets to a new directory, or to an archive where the name ends in .tar.
---@param context table  {world, state, options, name: the project, nil for all}
---@return {target: string, projects: string[], files: integer}
function M.backup(context, target, talk)
  local world = context.world
  local names = chosen(world, context.state, context.name)
  local full = path.absolute(target, world.host.working_directory())
  backup.require_free(world, full)
  local files = taken(context, talk, names)
  backup.write(world, files, full)
  return { target = full, projects = names, files = #files }
end

return M
