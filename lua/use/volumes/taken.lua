--- The volumes that go when a project is taken down. Effects through run/*; prints nothing.
local err = require "holos.core.err"
local foreign = require "holos.run.foreign"
local observe = require "holos.run.observe"
local project_ = require "holos.use.project"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local volume = require "holos.run.volume"
local volume_ = require "holos.plan.reconcile.volume"

local M = {}

-- The files in reach, where they are those of the project.
local function files_of(context)
  local found, name = project_.in_reach(context.world, context.options)
  if not found or name ~= context.name then return nil end
  local is_named = context.options.project_name ~= nil -- so is then what any file in reach makes
  return (not is_named or table_.index_of(context.record.files, found.files[1])) and found or nil
end

--- The project as the file in reach has it; nil where there is none, or none that can be loaded.
function M.project_of_file(context)
  local ok, project = pcall(function()
    local found = files_of(context)
    return found and project_.load(context.world, found, context.options)
  end)
  if not ok and not err.is(project) then error(project, 0) end
  return ok and project or nil, not ok
end

--- Has the record know which volumes the file calls external by now, as far as there is a file in reach that can be read.
function M.heed_file(context, talk)
  local project, is_wrong = M.project_of_file(context)
  if is_wrong then return talk.warn("the file cannot be loaded: what it calls external is known as of the last up only") end
  for name in pairs(project and volume_.external(project.volumes) or {}) do
    context.record.volumes[name] = context.record.volumes[name] or {}
    context.record.volumes[name].is_external = true
  end
end

--- The volumes that are there: those that the file calls external, or the others.
---@return table<string, {size_bytes: integer?, problem: string?}>
function M.of(context, is_external)
  local chosen = {}
  for name, there in pairs(observe.volumes(context.world, context.state, context.name)) do
    local entry = context.record.volumes[name]
    if (entry and entry.is_external or false) == is_external then chosen[name] = there end
  end
  return chosen
end

--- Raises when other projects have one of them.
function M.require_unused(context)
  foreign.require_unused(context.world, context.state, context.name, table_.keys(M.of(context, false)))
end

--- Moves them to the trash; all of them or none. While machines were stopped others may have come to have one.
---@param batch string  the directory there
---@return table<string, {size_bytes: integer?, problem: string?}> taken
function M.take(context, batch)
  M.require_unused(context)
  local record, there = context.record, M.of(context, false)
  local names = table_.keys(there)
  volume.require_free(context.world, context.state, context.name, names)
  for _, name in ipairs(names) do
    record.volumes[name] = record.volumes[name] or {}
    record.volumes[name].desired = "removed"
  end
  record_.save(context.world, context.state, record)
  for _, name in ipairs(names) do
    trash.take_volume(context.world, context.state, context.name, name, batch)
    record.volumes[name] = nil
  end
  return there
end

return M
