--- The volumes that go when a project is taken down. Effects through run/*; prints nothing.
local foreign = require "holos.run.foreign"
local observe = require "holos.run.observe"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local volume_ = require "holos.run.volume"

local M = {}

--- The volumes that are there: those that the file calls external, or the others.
---@return table<string, {size_bytes: integer}>
function M.of(context, is_external)
  local chosen = {}
  for name, volume in pairs(observe.volumes(context.world, context.state, context.name)) do
    local entry = context.record.volumes[name]
    if (entry and entry.is_external or false) == is_external then chosen[name] = volume end
  end
  return chosen
end

--- Raises when other projects have one of them.
function M.require_unused(context)
  foreign.require_unused(context.world, context.state, context.name, table_.keys(M.of(context, false)))
end

--- Moves them to the trash; all of them or none.
---@param batch string  the directory there
function M.take(context, batch)
  local record, names = context.record, table_.keys(M.of(context, false))
  volume_.require_free(context.world, context.state, context.name, names)
  for _, name in ipairs(names) do
    record.volumes[name] = record.volumes[name] or {}
    record.volumes[name].desired = "removed"
  end
  record_.save(context.world, context.state, record)
  for _, name in ipairs(names) do
    trash.take_volume(context.world, context.state, context.name, name, batch)
    record.volumes[name] = nil
  end
end

return M
