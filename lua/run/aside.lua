--- The disk of an instance that gets a new one: it waits in the trash, in a batch of its own, until the new one serves;
--- when that fails it comes back. Effects: renames in the state directory, writes records. The caller holds the
--- project's lock, and that of the instance where something may run.
--- The record's entry knows how far it came: `replaced` = written down; `replaced.is_moved` = the old directory is in the
--- trash; `replaced.is_put_back` = it is on its way back, `replaced.inode` tells it from the new one.
local lazy = require "holos.core.lazy"
local contents = require "holos.run.contents"
local err = require "holos.core.err"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"
local unfinished = lazy "holos.plan.reconcile.unfinished"

local M = {}

--- The name of the batch that an instance's directory waits in.
function M.batch_name(world, name) return trash.batch_name(world) .. "-" .. name end

local function directory_of(state, record, name)
  return state:trash(record.name) .. "/" .. record.instances[name].replaced.batch
end

local function waiting_in(state, record, name)
  return ("%s/instances/%s"):format(directory_of(state, record, name), name)
end

local function is_there(world, file) return world.fs.lstat(file) ~= nil end

-- Not: that it cannot be told.
local function is_gone(world, file)
  local _, _, code = world.fs.lstat(file)
  return code == "ENOENT"
end

--- A record of this one instance alone, as it stands in a batch.
local function record_of(record, name, spec)
  local copy = {}
  for key, value in pairs(record) do copy[key] = value end
  local entry = table_.copy(record.instances[name])
  entry.spec, entry.replaced, entry.previous, entry.kept, entry.disk_made = spec, nil, nil, nil, true
  copy.instances = { [name] = entry }
  return copy
end

local function open_batch(world, state, record, name, spec, batch)
  local directory = trash.open_batch(world, state, record_of(record, name, spec), batch)
  contents.copy_to_trash(world, state, spec, directory)
  return directory
end

--- Whether the old directory of an instance is in the trash, written down or not.
function M.is_moved(world, state, record, name)
  local replaced = record.instances[name].replaced
  if not replaced.is_moved and not is_there(world, state:instance(record.name, name)) then
    replaced.is_moved = is_there(world, waiting_in(state, record, name)) or nil
  end
  return replaced.is_moved == true
end

--- Moves the directory of an instance that does not run to the trash, once.
function M.set_aside(world, state, record, name)
  local replaced = record.instances[name].replaced
  if replaced.is_moved then return end
  if is_there(world, state:instance(record.name, name)) then
    local batch = open_batch(world, state, record, name, replaced.spec, replaced.batch)
    trash.take_instance(world, state, record.name, name, batch)
  end
  replaced.is_moved = true
  record_.save(world, state, record)
end

-- The new directory goes to a batch of its own, too: nothing is deleted, and its logs tell why it failed.
local function take_new(world, state, record, name)
  if not is_there(world, state:instance(record.name, name)) then return end
  local batch = open_batch(world, state, record, name, record.instances[name].spec, M.batch_name(world, name))
  trash.take_instance(world, state, record.name, name, batch)
end

-- What is in the batch is the old directory: as long as it is there, what stands in its place is the new one.
local function move_back(world, state, record, name)
  local batch, waiting = directory_of(state, record, name), waiting_in(state, record, name)
  if is_there(world, waiting) then
    take_new(world, state, record, name)
    contents.restore(world, state, record.name, batch)
    err.check(name, world.fs.rename(waiting, state:instance(record.name, name), { sync = true }))
  end
  if is_there(world, batch) then trash.close_batch(world, batch) end
end

--- Whether the old directory of an instance, that was being put back, stands in its place again, written down or not.
function M.is_back(world, state, record, name)
  local replaced = record.instances[name].replaced
  if not replaced.is_put_back or not is_gone(world, waiting_in(state, record, name)) then return false end
  local stat = world.fs.lstat(state:instance(record.name, name))
  return stat ~= nil and (replaced.inode == nil or replaced.inode == stat.inode)
end

--- The spec that the disk in an instance's place was made for.
function M.spec_in_place(world, state, record, name)
  local entry = record.instances[name]
  local is_old = entry.replaced and (not entry.replaced.is_moved or M.is_back(world, state, record, name))
  return is_old and entry.replaced.spec or entry.spec
end

-- What would have come back is gone: the new one stays.
local function forget(entry)
  entry.replaced = nil
  if entry.previous and entry.previous.has_new_disk then entry.previous = nil end
end

--- What is said of an instance whose old disk was to come back and is gone.
function M.gone_text(name) return name .. ": its old disk is no longer in the trash, so the new one stays" end

-- Somebody may have emptied the trash by hand.
local function require_waiting(world, state, record, name)
  local stat, message, code = world.fs.lstat(waiting_in(state, record, name))
  if stat or M.is_back(world, state, record, name) then return stat end
  if code ~= "ENOENT" then err.check(name, nil, message, code) end
  forget(record.instances[name])
  record_.save(world, state, record)
  err.raise { message = M.gone_text(name), code = "ENOENT" }
end

--- The old directory comes back, and the record says again what it is. Its VM does not run afterwards.
---@return table replaced  as it was recorded
function M.put_back(world, state, record, name)
  local entry = record.instances[name]
  local replaced = entry.replaced
  if replaced.is_moved then
    local old = require_waiting(world, state, record, name)
    replaced.is_put_back, replaced.inode = true, old and old.inode or replaced.inode
    record_.save(world, state, record)
    move_back(world, state, record, name)
  end
  entry.spec, entry.replaced, entry.disk_made = replaced.spec, nil, true
  record_.save(world, state, record)
  return replaced
end

-- Whether an old disk that was to come back is gone.
local function look_at(world, state, record, name)
  local entry = record.instances[name]
  if not M.is_moved(world, state, record, name) then return false end
  if M.is_back(world, state, record, name) then
    entry.spec, entry.replaced, entry.disk_made = entry.replaced.spec, nil, true
    return false
  end
  if not is_gone(world, waiting_in(state, record, name)) then return false end
  local is_due = unfinished.is_due(entry)
  forget(entry)
  return is_due
end

--- Takes in what commands that were killed had done and not written down, and what is gone from the trash. Reads only; the
--- record is changed in memory.
---@return string[] gone  those whose old disk was to come back and is gone
function M.look(world, state, record)
  return table_.filter(table_.keys(record.instances), function(name)
    return record.instances[name].replaced ~= nil and look_at(world, state, record, name)
  end)
end

--- The batches that hold what may have to come back.
---@return table<string, boolean>  by name
function M.waiting(record)
  local batches = {}
  for _, entry in pairs(record and record.instances or {}) do
    if entry.replaced then batches[entry.replaced.batch] = true end
  end
  return batches
end

return M
