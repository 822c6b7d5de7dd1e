--- The trash: instance directories (and volumes) that were taken away, kept for a time. Effects: renames, removes.
--- trash/<project>/<UTC time>/ holds what one command took: instances/<name>, volumes/<file>, record.json.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local keeping = require "holos.run.keeping"
local lease = require "holos.plan.lease"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"

local M = {}

M.KEEP_DAYS = keeping.DAYS
local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)

--- A name for a batch that sorts by time: "20261121T010203.456Z".
function M.batch_name(world)
  local now_ms = world.clock.utc_ms()
  return world.clock.iso(now_ms):gsub("[-:]", ""):gsub("Z$", "") .. (".%03dZ"):format(now_ms % 1000)
end

--- Opens a batch: the directory, and a record of what was there so that it can be put back.
---@param name string?  of the batch; a new one when absent
---@return string directory
function M.open_batch(world, state, record, name)
  local directory = state:trash(record.name) .. "/" .. (name or M.batch_name(world))
  err.check("trash", world.fs.mkdir_all(directory .. "/instances", DIRECTORY_MODE))
  err.check("trash", world.fs.write_atomic(directory .. "/record.json", world.json.encode(record, { indent = 1 }),
    { mode = FILE_MODE, sync = true }))
  return directory
end

--- Moves an instance directory into the batch.
function M.take_instance(world, state, project, name, batch)
  local from = state:instance(project, name)
  if not world.fs.lstat(from) then return end
  err.check(name, world.fs.rename(from, ("%s/instances/%s"):format(batch, name), { sync = true }))
end

--- Moves a volume into the batch.
function M.take_volume(world, state, project, name, batch)
  err.check("volume " .. name, world.fs.mkdir_all(batch .. "/volumes", DIRECTORY_MODE))
  err.check("volume " .. name, world.fs.rename(state:volume(project, name), ("%s/volumes/%s.qcow2"):format(batch, name),
    { sync = true }))
end

--- Removes a batch that came to hold nothing.
function M.close_batch(world, directory)
  for _, part in ipairs { "/instances", "/volumes" } do
    if #directory_.entries(world, directory .. part) > 0 then return end
  end
  M.remove(world, { directory = directory })
end

local function is_gone(world, path)
  local _, _, code = world.fs.lstat(path)
  return code == "ENOENT"
end

--- Takes out of a record what somebody moved to the trash and was killed before he could write that down: it was to be
--- removed, and it is not there. What is gone and was not to be removed is a loss, and stays in the record.
function M.forget_taken(world, state, record)
  for name, entry in pairs(record.instances) do
    if entry.desired == "removed" and is_gone(world, state:instance(record.name, name)) then
      record.instances[name] = nil
      lease.forget(record, name)
    end
  end
  for name, entry in pairs(record.volumes) do
    if entry.desired == "removed" and is_gone(world, state:volume(record.name, name)) then record.volumes[name] = nil end
  end
end

local function names_in(world, directory, pattern)
  local names = table_.list {}
  for _, entry in ipairs(directory_.entries(world, directory)) do names[#names + 1] = entry.name:match(pattern) end
  return names
end

--- What the trash holds, oldest first.
---@return {project: string, batch: string, directory: string, instances: string[], volumes: string[], at_ms: integer}[]
function M.list(world, state)
  local batches = {}
  for _, project in ipairs(directory_.entries(world, state:trash())) do
    for _, batch in ipairs(directory_.entries(world, state:trash(project.name))) do
      local directory = state:trash(project.name) .. "/" .. batch.name
      local stat = world.fs.stat(directory)
      batches[#batches + 1] = { project = project.name, batch = batch.name, directory = directory,
        instances = names_in(world, directory .. "/instances", ".+"),
        volumes = names_in(world, directory .. "/volumes", "^(.+)%.qcow2$"),
        at_ms = stat and stat.mtime_ns // 1000000 or 0 }
    end
  end
  table.sort(batches, function(a, b) return a.batch < b.batch end)
  return batches
end

--- The newest batch of a project that holds an instance.
---@return string? name  of the batch
function M.batch_of(world, state, project, instance)
  local newest
  for _, batch in ipairs(M.list(world, state)) do
    if batch.project == project and table_.index_of(batch.instances, instance) then newest = batch.batch end
  end
  return newest
end

--- The record as it was when the batch was taken.
function M.record_of(world, batch)
  local known = record_.read(world, batch.directory .. "/record.json", batch.project,
    "the disks are there, beside it: instances/*/root.qcow2")
  if known then return known end
  err.raise { message = ("%s has no record.json, so what its disks belong to cannot be told"):format(batch.directory),
    code = "EDAMAGED", hint = "the disks are there: instances/*/root.qcow2" }
end

--- Refuses when something is in the way of what a batch would put back.
function M.require_room(world, state, batch)
  for _, name in ipairs(batch.instances) do
    if world.fs.lstat(state:instance(batch.project, name)) then
      err.raise { message = ("%s exists; `holos down -p %s` first"):format(name, batch.project), code = "EEXIST", exit = 3 }
    end
  end
  for _, name in ipairs(batch.volumes) do
    if world.fs.lstat(state:volume(batch.project, name)) then
      err.raise { message = ("volume %s exists; it is not overwritten"):format(name), code = "EEXIST", exit = 3 }
    end
  end
end

--- Puts instances and volumes of a batch back.
function M.restore(world, state, batch)
  for _, name in ipairs(batch.instances) do
    err.check(name, world.fs.rename(("%s/instances/%s"):format(batch.directory, name),
      state:instance(batch.project, name), { sync = true }))
  end
  for _, name in ipairs(batch.volumes) do
    err.check(name, world.fs.rename(("%s/volumes/%s.qcow2"):format(batch.directory, name),
      state:volume(batch.project, name), { sync = true }))
  end
end

--- Deletes a batch for good.
function M.remove(world, batch)
  err.check("trash", world.fs.remove_tree(batch.directory))
end

--- Why a batch may go: its time is over, or less than a tenth of the file system is free; nil when it may not. A batch
--- whose time is not known stays, and so do all while the clock is not set (before 2024).
local function why_over(world, state, batch)
  if not keeping.age_ms(world, batch.at_ms) then return nil end
  if keeping.is_over(world, batch.at_ms) then return ("older than %d days"):format(M.KEEP_DAYS) end
  local space = world.fs.space(state.root)
  if space and space.free_bytes * 10 < space.total_bytes then return "as the disk is nearly full" end
end

--- "20261121T010203.456Z of lab (db-0 web-0), older than 7 days"
local function text_of(batch, why)
  local names = table_.extend(table_.copy(batch.instances), batch.volumes)
  return ("%s of %s (%s), %s"):format(batch.batch, batch.project, table.concat(names, " "), why)
end

--- What `sweep` would delete if it came now; it stops once the disk has room again.
---@param spared_of fun(project: string): table<string, boolean>?  its batches that stay; nil when all of them do
---@return string[] texts
function M.over(world, state, spared_of)
  local texts = {}
  for _, batch in ipairs(M.list(world, state)) do
    local why = why_over(world, state, batch)
    local spared = why and spared_of(batch.project)
    if spared and not spared[batch.batch] then texts[#texts + 1] = text_of(batch, why) end
  end
  return texts
end

--- Deletes what is over, oldest first, of projects whose locks the caller holds.
---@param on_removed fun(batch: table, text: string)  told of each, before it is deleted
---@param on_problem fun(problem: holos.Error)  of one that cannot be deleted; the others are
---@param spared_of fun(project: string): table<string, boolean>?  its batches that stay; nil when all of them do
function M.sweep(world, state, on_removed, on_problem, spared_of)
  for _, batch in ipairs(M.list(world, state)) do
    local why = why_over(world, state, batch)
    local spared = why and spared_of(batch.project)
    if spared and not spared[batch.batch] then
      on_removed(batch, text_of(batch, why))
      local ok, problem = pcall(M.remove, world, batch)
      if not ok and not err.is_failure(problem) then error(problem, 0) end
      if not ok then on_problem(problem) end
    end
  end
end

return M
