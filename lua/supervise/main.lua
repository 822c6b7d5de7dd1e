--- The supervisor of a project: looks after what its record wants to run, and ends when that is nothing. It owns no
--- truth: killed at any moment, the VMs go on and the next one takes over. Effects: through the other modules.
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local lock = require "holos.run.lock"
local needed = require "holos.supervise.needed"
local project_ = require "holos.supervise.project"
local record_ = require "holos.run.record"
local scope_ = require "holos.run.scope"
local scripts = require "holos.supervise.scripts"
local supervisor = require "holos.run.supervisor"

local M = {}

--- An older one that retires, or a command that only looks, lets the lock go within this time.
M.LOCK_MS = 5000
--- One that was told to retire may be in the middle of a launch, which it sees to its end first.
M.RETIRED_MS = 60000

local function try_lock(world, state, name, timeout_ms)
  local path = state:supervisor_lock(name)
  local ok, held = pcall(lock.take, world, path, { name = "supervisor of " .. name, timeout_ms = timeout_ms,
    owner_text = ("%s %s"):format(supervisor.note(world), name) })
  if ok then return held end
  if not err.is(held, "ELOCKED") then error(held, 0) end
end

-- nil when another keeps it.
local function take_lock(world, state, name, is_retiring)
  local held = try_lock(world, state, name, M.LOCK_MS)
  if held or not is_retiring and not supervisor.is_of_another_build(world, state, name) then return held end
  return try_lock(world, state, name, M.RETIRED_MS)
end

--- Goes where no login can end it, nor what it starts.
---@param name string?    its only project
---@param names string[]  all that it looks after now
function M.settle(world, state, name, names)
  if not scope_.look(world) then return end
  local projects = {}
  for _, each in ipairs(names) do
    local ok, record = pcall(record_.load, world, state, each)
    projects[#projects + 1] = ok and record and record.instances or nil
  end
  local result = scope_.enter(world, { project = name, directory = state.root, projects = projects })
  if name and result and result.warning then
    journal.append(world, state, name, { type = "supervisor.warning", message = result.warning })
  end
end

--- Looks after one project until nothing of it is wanted, or until it is told to retire.
---@param is_retiring boolean?  the one before was told to retire
---@return "idle"|"retired"|"another"|"left" why  another: it has a supervisor already; left: our scope ends
function M.run(world, state, name, is_retiring)
  local why
  repeat
    local held = take_lock(world, state, name, is_retiring)
    if not held then return "another" end
    do
      local _held <close> = held
      why = project_.look_after(world, state, name, scripts.attach)
      if why ~= "retired" then supervisor.clear(world, state, name) end
    end
    -- Who came between our last look and the end of our lock has seen that we are there, and relies on us.
  until why ~= "idle" or not needed.by(world, state, name)
  return why
end

return M
