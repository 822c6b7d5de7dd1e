--- A supervisor of every project of a state directory. Effects: those of supervise/main, for each.
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local main = require "holos.supervise.main"
local needed = require "holos.supervise.needed"
local scope_ = require "holos.run.scope"
local supervisor = require "holos.run.supervisor"
local task = require "holos.core.task"

local M = {}

--- A project that cannot be looked after is tried again, first after this time, then each time after twice as long.
M.AGAIN_MS, M.AGAIN_MOST_MS = 1000, 60000

local function project_of(file) return file:match("^([a-z0-9][a-z0-9_-]*)%.json$") end

--- The names of all projects that are recorded.
function M.names(world, state)
  local names = {}
  for _, entry in ipairs(world.fs.list(state:records()) or {}) do names[#names + 1] = project_of(entry.name) end
  return names
end

-- What goes wrong with one project, a bug too, ends none of the others.
local function run_again_and_again(world, state, name, is_retiring, leaving)
  local pause_ms = M.AGAIN_MS
  while true do
    local ok, why = xpcall(main.run, err.trace, world, state, name, is_retiring)
    if ok then return why end
    if err.is(why, "ECANCELED") then error(why, 0) end
    journal.append(world, state, name, { type = "supervisor.trouble", message = tostring(why) })
    local has_left = task.race {
      function() task.wait { at_ms = task.now_ms() + pause_ms } return false end,
      function() leaving:wait() return true end,
    }
    if has_left then return "left" end
    pause_ms = math.min(2 * pause_ms, M.AGAIN_MOST_MS)
  end
end

-- One for this project alone makes room the first time; a newer one that made us retire is not told to go in turn.
local function look_after(world, state, name, known, leaving)
  local is_first = not known[name]
  known[name] = true
  if is_first then supervisor.retire(world, state, name) end
  run_again_and_again(world, state, name, is_first, leaving)
end

-- Begins with each project that is recorded, and that will be.
local function follow_records(world, state, begin)
  local watch <close> = err.check("records", world.fs.watch())
  err.check("records", watch:add(state:records(), { "move" }))
  for _, name in ipairs(M.names(world, state)) do begin(name) end
  while true do
    local event = watch:try_next()
    if not event then
      task.wait { fd = watch:fileno(), dir = "r" }
    elseif event.name and project_of(event.name) then
      begin(project_of(event.name))
    end
  end
end

--- Looks after every project that has something to look after, also after those that come; ends with the scope that it is in,
--- and never by itself.
function M.run(world, state)
  state:prepare(world)
  task.scope(function(scope)
    local running, known, leaving = {}, {}, task.event()
    local function begin(name)
      if running[name] or not needed.by(world, state, name) then return end
      running[name] = true
      scope:spawn(name, function()
        look_after(world, state, name, known, leaving)
        running[name] = nil
      end)
    end
    task.race {
      function() follow_records(world, state, begin) end,
      function() scope_.await_end(world) end,
    }
    leaving:fire(true) -- each project sees its machines off, and we wait for all
  end)
end

return M
