--- trash ls, restore, empty. Effects through run/trash.
local err = require "holos.core.err"
local lock = require "holos.run.lock"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local up = require "holos.use.up"

local M = {}

M.KEEP_DAYS = trash.KEEP_DAYS

--- Batches of all projects, or of one.
function M.list(world, state, project)
  return table_.filter(trash.list(world, state), function(batch) return not project or batch.project == project end)
end

local function newest(world, state, project, name)
  local batches = M.list(world, state, project)
  for i = #batches, 1, -1 do
    local is_empty = #batches[i].instances + #batches[i].volumes == 0
    if batches[i].batch == name or (not name and not is_empty) then return batches[i] end
  end
  err.raise { message = ("the trash holds nothing of %s"):format(project) .. (name and " named " .. name or ""),
    code = "ENOENT", hint = "holos trash ls" }
end

--- Lays what comes back over the living record, or over an empty one.
local function merged_record(living, old, batch)
  local record = living or table_.merge(old, {})
  if not living then record.instances = {} end
  for _, name in ipairs(batch.volumes) do
    record.volumes[name] = old.volumes[name] or {}
    record.volumes[name].desired = nil
  end
  for _, name in ipairs(batch.instances) do
    record.instances[name] = old.instances[name]
    record.instances[name].desired = "stopped"
    record.leases.addresses[name] = old.leases.addresses[name]
  end
  return record
end

--- Puts the newest (or the named) batch of a project back; its instances are stopped afterwards.
---@return table batch
function M.restore(world, state, project, batch_name)
  state:prepare(world, project)
  local _held <close> = lock.take(world, state:project_lock(project), { timeout_ms = up.LOCK_TIMEOUT_MS,
    owner_text = "holos trash restore", name = "project " .. project })
  local batch = newest(world, state, project, batch_name)
  local record = merged_record(record_.load(world, state, project), trash.record_of(world, batch), batch)
  trash.require_room(world, state, batch)
  record_.save(world, state, record) -- first, so that another restore finishes one that was cut off
  trash.restore(world, state, batch)
  trash.remove(world, batch)
  return batch
end

--- Deletes batches for good.
---@return table[] removed
function M.empty(world, state, project)
  local removed = M.list(world, state, project)
  for _, batch in ipairs(removed) do trash.remove(world, batch) end
  return removed
end

return M
