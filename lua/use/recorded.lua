--- The record that a plan rests on. Effects: reads only.
local err = require "holos.core.err"
local record_ = require "holos.run.record"
local aside = require "holos.run.aside"
local trash = require "holos.run.trash"

local M = {}

--- Two directories with one project name would take each other's disks.
local function refuse_other_directory(context, known)
  local project = context.project
  if not known or known.directory == project.directory or context.options.project_name then return end
  err.raise { message = ("project %s belongs to %s, not to %s"):format(context.name, known.directory, project.directory),
    code = "ECONSENT", exit = 3, hint = ("give this one another name, or say that it is the same: -p %s"):format(context.name) }
end

--- The record as it is, with what commands that were killed had done; a new one where there is none.
function M.of(context)
  local world, state, project = context.world, context.state, context.project
  local known = record_.load(world, state, context.name)
  refuse_other_directory(context, known)
  local record = known or record_.new(context.name, project.directory, project.files)
  trash.forget_taken(world, state, record)
  aside.look(world, state, record)
  return record
end

return M
