--- Who stands by in a project's scope while its supervisor lives elsewhere: in a unit of `supervise --all`, or where cron has
--- started it. systemd asks those in a scope to end and nobody else, and QEMU does not hear that. Effects: a lock; those of
--- supervise/leave.
local leave = require "holos.supervise.leave"
local lock = require "holos.run.lock"
local main = require "holos.supervise.main"
local needed = require "holos.supervise.needed"
local project_ = require "holos.supervise.project"
local scope = require "holos.run.scope"
local supervisor = require "holos.run.supervisor"
local task = require "holos.core.task"

local M = {}

--- Who has told us to retire has taken our lock within this time.
M.RETIRED_MS = 10000
--- The end of another supervisor is heard; this is how often it is looked for all the same.
M.LOOK_MS = 60000
local FOREVER_MS = 1 << 50

-- Until the supervisor's lock is free; true when there is something to supervise, too.
local function until_free(world, state, name)
  local _held <close> = lock.take(world, state:supervisor_lock(name), { name = "supervisor of " .. name,
    timeout_ms = FOREVER_MS, look_ms = M.LOOK_MS, owner_text = ("%s %s"):format(supervisor.note(world), name) })
  if needed.by(world, state, name) then return true end
  supervisor.clear(world, state, name)
  return false
end

local function stand_by(world, state, name, unit, pause_ms)
  return task.race {
    function()
      task.wait { at_ms = task.now_ms() + pause_ms }
      return supervisor.is_elsewhere(world, state, name, unit) and until_free(world, state, name)
    end,
    function()
      leave.run(project_.new(world, state, name))
      return false
    end,
  }
end

--- Stands by, where that is of use.
---@param why "idle"|"retired"|"another"|"left"  how supervising has ended (supervise/main)
---@return boolean again  the supervisor's lock is free, and somebody is to take it
function M.run(world, state, name, why)
  local unit = scope.unit(name)
  if why == "idle" or why == "left" or scope.own(world) ~= unit then return false end
  local place <close> = lock.try(world, state:standby_lock(name))
  if not place then return false end
  local again = stand_by(world, state, name, unit, why == "retired" and M.RETIRED_MS or 0)
  if not world.fs.lstat(state:record(name)) then world.fs.remove(state:standby_lock(name)) end
  return again
end

--- Supervises a project (supervise/main), and stands by while another does.
function M.stay(world, state, name)
  repeat local why = main.run(world, state, name) until not M.run(world, state, name, why)
end

return M
