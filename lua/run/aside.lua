--- The disk of an instance that gets a new one: it waits in the trash, in a batch of its own, until the new one serves;
--- when that fails it comes back. Effects: renames in the state directory, writes records. The caller holds the
--- project's lock, and that of the instance where something may run.
--- The record's entry knows how far it came: `replaced` = written down; `replaced.is_moved` = the old directory is in the
--- trash; `replaced.is_put_back` = it is on its way back.
local contents = require "holos.run.contents"
local err = require "holos.core.err"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"

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

-- Somebody may have emptied the trash.
local function require_waiting(world, state, record, name)
  local replaced = record.instances[name].replaced
  if replaced.is_put_back or is_there(world, waiting_in(state, record, name)) then return end
  record.instances[name].replaced = nil
  err.raise { message = name .. ": its old disk is no longer in the trash, so the new one stays", code = "ENOENT" }
end

--- The old directory comes back, and the record says again what it is. Its VM does not run afterwards.
---@return table replaced  as it was recorded
function M.put_back(world, state, record, name)
  local entry = record.instances[name]
  local replaced = entry.replaced
  if replaced.is_moved then
    require_waiting(world, state, record, name)
    replaced.is_put_back = true
    record_.save(world, state, record)
    move_back(world, state, record, name)
  end
  entry.spec, entry.replaced, entry.disk_made = replaced.spec, nil, true
  record_.save(world, state, record)
  return replaced
end

--- Takes in what commands that were killed had done and not written down. Reads only; the record is changed in memory.
function M.look(world, state, record)
  for name, entry in pairs(record.instances) do
    if entry.replaced then M.is_moved(world, state, record, name) end
  end
end

--- Ends what was being put back when a command was killed.
function M.finish(world, state, record)
  M.look(world, state, record)
  for _, name in ipairs(table_.keys(record.instances)) do
    local replaced = record.instances[name].replaced
    if replaced and replaced.is_put_back then M.put_back(world, state, record, name) end
  end
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
