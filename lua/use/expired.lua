--- What is over of the trash goes with any command that changes something, also of projects that nobody may ever name again.
--- Nothing goes of one that somebody works on, or whose record cannot tell what may have to come back. Effects: locks, removes.
local aside = require "holos.run.aside"
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local lock = require "holos.run.lock"
local record_ = require "holos.run.record"
local sweep = require "holos.run.sweep"
local trash = require "holos.run.trash"

local M = {}

-- function(project) → the batches of it that stay, nil when all do; `may(project)` is asked of others than the command's own.
local function spared(context, record, may)
  local known = { [context.name] = aside.waiting(record) }
  local function look(name)
    if not may(name) then return false end
    local ok, other = pcall(record_.load, context.world, context.state, name)
    if not ok and not err.is(other) then error(other, 0) end
    return ok and aside.waiting(other)
  end
  return function(name)
    if known[name] == nil then known[name] = look(name) end
    return known[name] or nil
  end
end

--- What the next command will delete.
---@param record table  of the command's own project
---@return string[] texts
function M.texts(context, record)
  return trash.over(context.world, context.state, spared(context, record, function() return true end))
end

-- Locks of projects, let go together; of one that is gone nothing is left then.
local function new_locks(context)
  return setmetatable({}, { __close = function(locks)
    for name, held in pairs(locks) do
      sweep.project(context.world, context.state, name)
      held:release()
    end
  end })
end

--- Deletes it, and says so; what cannot be deleted is a warning. The caller holds his project's lock.
function M.sweep(context, talk, record)
  local world, state = context.world, context.state
  local locks <close> = new_locks(context)
  local function on_removed(batch, text)
    talk.notice("trash: deleting " .. text)
    journal.append(world, state, batch.project, { type = "trash.deleted", batch = batch.batch })
  end
  local spared_of = spared(context, record, function(name)
    locks[name] = lock.try(world, state:project_lock(name))
    return locks[name] ~= nil
  end)
  trash.sweep(world, state, on_removed, function(problem) talk.warn(tostring(problem)) end, spared_of)
end

return M
