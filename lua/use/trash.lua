--- trash ls, restore, empty. Effects through run/trash.
local lazy = require "holos.core.lazy"
local aside = lazy "holos.run.aside"
local change = lazy "holos.use.change"
local contents = require "holos.run.contents"
local err = require "holos.core.err"
local images = lazy "holos.use.images"
local record_ = require "holos.run.record"
local restore = lazy "holos.plan.restore"
local sweep = require "holos.run.sweep"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local trash = require "holos.run.trash"

local M = {}

M.KEEP_DAYS = trash.KEEP_DAYS

--- What a name that somebody typed must be among, before anything is looked up by it.
local function require_known(names, project)
  if not project or names[project] then return end
  local near = text.nearest(project, table_.keys(names))
  err.raise { message = ("the trash holds nothing of %s"):format(project), code = "ENOENT",
    hint = near and ("did you mean %q?"):format(near) or "holos trash ls" }
end

local function in_trash(world, state)
  local names = {}
  for _, batch in ipairs(trash.list(world, state)) do names[batch.project] = true end
  return names
end

--- Batches of all projects, or of one.
function M.list(world, state, project)
  local names = in_trash(world, state)
  for name in pairs((record_.all(world, state))) do names[name] = true end
  require_known(names, project)
  return table_.filter(trash.list(world, state), function(batch) return not project or batch.project == project end)
end

local function newest(batches, project, name)
  for i = #batches, 1, -1 do
    local is_empty = #batches[i].instances + #batches[i].volumes == 0
    if batches[i].batch == name or (not name and not is_empty) then return batches[i] end
  end
  err.raise { message = ("the trash holds nothing of %s"):format(project) .. (name and " named " .. name or ""),
    code = "ENOENT", hint = "holos trash ls" }
end

local function refuse(refusals)
  if #refusals == 0 then return end
  local lines, owner = {}, nil
  for i, refusal in ipairs(refusals) do lines[i], owner = refusal.message, owner or refusal.owner end
  err.raise { message = table.concat(lines, "\n"), code = "ECLASH", exit = 3, hint = owner and
    ("nothing was put back; first: holos stop -p %s %s"):format(owner:match("^(.*)/(.*)$")) or "nothing was put back" }
end

--- The record as it will be; what has to be leased anew is told.
local function merged(context, batch, talk)
  local world, state = context.world, context.state
  local others = record_.all(world, state)
  others[context.name] = nil
  local result = restore.merge { living = record_.load(world, state, context.name), old = trash.record_of(world, batch),
    instances = batch.instances, volumes = batch.volumes, others = others, sha256 = world.hash.sha256,
    routes = world.net.routes() or {} }
  refuse(result.refusals)
  for _, notice in ipairs(result.notices) do talk.notice(notice) end
  return result.record
end

--- Puts the newest (or the named) batch of a project back; its instances are stopped afterwards.
---@param context table  {world, state, options, name: the project}
---@param talk table     notice(text)
---@return table batch
function M.restore(context, batch_name, talk)
  local world, state = context.world, context.state
  require_known(in_trash(world, state), context.name)
  local _held <close> = change.begin(context, talk)
  local batch = newest(M.list(world, state, context.name), context.name, batch_name)
  trash.require_room(world, state, batch)
  local record = merged(context, batch, talk)
  local _images <close> = images.hold_restored(context, record, batch.instances, talk)
  -- First, so that another restore finishes one that was cut off.
  record_.save(world, state, record, { is_intent = true })
  contents.restore(world, state, context.name, batch.directory)
  trash.restore(world, state, batch)
  trash.close_batch(world, batch.directory)
  return batch
end

-- Why a batch of a project stays; nil when nothing speaks against its end. What may have to come back stays, and all of a
-- project whose record cannot tell.
local function reason_of(world, state, name)
  local ok, record = pcall(record_.load, world, state, name)
  if not ok and not err.is_failure(record) then error(record, 0) end
  local waiting = ok and aside.waiting(record)
  return function(batch)
    if not ok then return tostring(record) end
    return waiting[batch.batch] and ("%s may have to come back (next: holos up)"):format(table.concat(batch.instances, " "))
  end
end

local function empty(context, name, wanted, talk, on_removed)
  local world, state = context.world, context.state
  local why = reason_of(world, state, name)
  for _, batch in ipairs(trash.list(world, state)) do
    local reason = wanted[batch.directory] and why(batch)
    if reason then
      talk.notice(("kept %s %s: %s"):format(name, batch.batch, reason))
    elseif wanted[batch.directory] then
      trash.remove(world, batch)
      on_removed(batch)
    end
  end
  sweep.project(world, state, name)
end

--- Deletes batches for good, but for those that may have to come back; each project's under its lock. What has come into the
--- trash since they were listed stays.
---@param context table    {world, state, options}
---@param batches table[]  as of `list`
---@param on_removed fun(batch: table)
function M.empty(context, batches, talk, on_removed)
  local world, state = context.world, context.state
  local by_project = {}
  for _, batch in ipairs(batches) do
    by_project[batch.project] = by_project[batch.project] or {}
    by_project[batch.project][batch.directory] = true
  end
  for name, wanted in table_.sorted_pairs(by_project) do
    local _held <close> = change.take_lock({ world = world, state = state, options = context.options, name = name }, talk)
    empty(context, name, wanted, talk, on_removed)
  end
end

return M
