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
local task = require "holos.core.task"

local M = {}

--- An older one that retires, or a command that only looks, lets the lock go within this time.
M.LOCK_MS = 5000
--- One that was told to retire may be in the middle of a launch, which it sees to its end first.
M.RETIRED_MS = 60000
--- A project that cannot be looked after is tried again, first after this time, then each time after twice as long.
M.AGAIN_MS, M.AGAIN_MOST_MS = 1000, 60000

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
---@param name string?  its only project
function M.settle(world, state, name)
  if not scope_.look(world) then return end
  local ok, record = pcall(function() return name and record_.load(world, state, name) end)
  local result = scope_.enter(world, { project = name, directory = state.root,
    instances = ok and record and record.instances or {} })
  if name and result and result.warning then
    journal.append(world, state, name, { type = "supervisor.warning", message = result.warning })
  end
end

--- Looks after one project until nothing of it is wanted, or until it is told to retire.
---@param is_retiring boolean?  the one before was told to retire
---@return "idle"|"retired"|"another" why  another: it has a supervisor already
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
  until why == "retired" or not needed.by(world, state, name)
  return why
end

local function project_of(file) return file:match("^([a-z0-9][a-z0-9_-]*)%.json$") end

-- What goes wrong with one project, a bug too, ends none of the others.
local function run_again_and_again(world, state, name, is_retiring)
  local pause_ms = M.AGAIN_MS
  while true do
    local ok, why = xpcall(M.run, err.trace, world, state, name, is_retiring)
    if ok then return why end
    if err.is(why, "ECANCELED") then error(why, 0) end
    journal.append(world, state, name, { type = "supervisor.trouble", message = tostring(why) })
    task.wait { at_ms = task.now_ms() + pause_ms }
    pause_ms = math.min(2 * pause_ms, M.AGAIN_MOST_MS)
  end
end

-- One for this project alone makes room the first time; a newer one that made us retire is not told to go in turn.
local function look_after(world, state, name, known)
  local is_first = not known[name]
  known[name] = true
  if is_first then supervisor.retire(world, state, name) end
  run_again_and_again(world, state, name, is_first)
end

--- Looks after every project that has something to look after, also after those that come; never ends by itself.
function M.run_all(world, state)
  task.scope(function(scope)
    local running, known = {}, {}
    local function begin(name)
      if running[name] or not needed.by(world, state, name) then return end
      running[name] = true
      scope:spawn(name, function()
        look_after(world, state, name, known)
        running[name] = nil
      end)
    end
    local watch <close> = err.check("records", world.fs.watch())
    err.check("records", watch:add(state:records(), { "move" }))
    for _, entry in ipairs(world.fs.list(state:records()) or {}) do
      if project_of(entry.name) then begin(project_of(entry.name)) end
    end
    while true do
      local event = watch:try_next()
      if not event then
        task.wait { fd = watch:fileno(), dir = "r" }
      elseif event.name and project_of(event.name) then
        begin(project_of(event.name))
      end
    end
  end)
end

return M
