--- The record that a plan rests on, and what is wanted in it. Effects: reads; writes the record.
local aside = require "holos.run.aside"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local foreign = lazy "holos.run.foreign"
local observe = require "holos.run.observe"
local project = require "holos.run.project"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local volume = require "holos.plan.reconcile.volume"

local M = {}

--- Two directories with one project name would take each other's disks.
local function refuse_other_directory(context, known)
  local directory = context.project.directory
  if not known or known.directory == directory or context.options.project_name then return end
  err.raise { message = ("project %s belongs to %s, not to %s"):format(context.name, known.directory, directory),
    code = "ECONSENT", exit = 3, hint = ("give this one another name, or say that it is the same: -p %s"):format(context.name) }
end

--- The record as it is, with what commands that were killed had done; a new one where there is none.
---@return table record
---@return string[] warnings
function M.of(context)
  local world, state = context.world, context.state
  local known = record_.load(world, state, context.name)
  refuse_other_directory(context, known)
  local record = known or record_.new(context.name, context.project.directory, context.project.files)
  trash.forget_taken(world, state, record)
  foreign.adopt(world, state, record, table_.keys(volume.kept(context.project)))
  return record, table_.map(aside.look(world, state, record), aside.gone_text)
end

--- Reads context.record again: as it is now that we hold the lock.
function M.reload(context, talk)
  local gone
  context.record, gone = project.load(context.world, context.state, context.name)
  for _, name in ipairs(gone or {}) do talk.warn(aside.gone_text(name)) end
  if context.record then return end
  err.raise { message = ("project %s is gone; another command took it down"):format(context.name), code = "ENOENT" }
end

--- The names of what runs, whatever is wanted of it.
---@return string[]
function M.running(context)
  local known = record_.load(context.world, context.state, context.name)
  return table_.filter(table_.keys(known and known.instances or {}), function(name)
    return observe.is_running(context.world, context.state, context.name, name)
  end)
end

--- Writes down what is to become of instances, before it is done.
---@param chosen table<string, boolean>  instance names
---@param desired "running"|"stopped"|"removed"
function M.set_desired(context, chosen, desired)
  for name in pairs(chosen) do context.record.instances[name].desired = desired end
  record_.save(context.world, context.state, context.record)
end

return M
