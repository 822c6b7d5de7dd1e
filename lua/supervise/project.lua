--- One supervised project: its record, a keeper for each instance, those who ask. Effects: reads the record, watches its
--- directory and those of the instances.
local entry_ = require "holos.supervise.entry"
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local keeper_ = require "holos.supervise.keeper"
local record_ = require "holos.run.record"
local runtime = require "holos.run.runtime"
local server = require "holos.supervise.server"
local supervisor = require "holos.run.supervisor"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

local DIRECTORY_MODE = tonumber("700", 8)

local Project = {}
Project.__index = Project

--- A project that nobody looks after yet.
function M.new(world, state, name)
  return setmetatable({ world = world, state = state, name = name, keepers = {}, listeners = {}, held = {},
    over = task.event() }, Project)
end

--- Something happened: written down, and told to those who listen.
function Project:emit(event)
  journal.append(self.world, self.state, self.name, event)
  self:publish(event)
end

--- Tells those who listen; somebody else has written it down.
function Project:publish(event)
  for listener in pairs(self.listeners) do listener(event) end
end

--- Ends it when there is nothing left to look after. Keepers call this when theirs has changed.
function Project:review()
  for _, keeper in pairs(self.keepers) do
    if keeper:is_active() then return end
  end
  self.over:fire("idle")
end

--- Whether a client has asked to leave an instance alone.
function Project:is_held(name) return (self.held[name] or 0) > 0 end

--- Clients ask to leave instances alone, and no longer do.
function Project:hold(names, by)
  for _, name in ipairs(names) do
    self.held[name] = (self.held[name] or 0) + by
    if self.keepers[name] then self.keepers[name]:poke() end
  end
end

local function read_record(project)
  local ok, record = pcall(record_.load, project.world, project.state, project.name)
  if ok then return record or { instances = {} } end
  if not err.is_failure(record) then error(record, 0) end
  project:emit { type = "supervisor.trouble", message = record.message }
end

--- Takes over what the record says now. A damaged one changes nothing.
function Project:reload()
  local record = read_record(self)
  if not record then return end
  for name, keeper in pairs(self.keepers) do
    if not record.instances[name] then
      self.keepers[name] = nil
      keeper:drop()
    end
  end
  for _, name in ipairs(table_.keys(record.instances)) do
    local entry = entry_.of(record.instances[name])
    if self.keepers[name] then
      self.keepers[name]:update(entry)
    else
      local keeper = keeper_.new(self, name, entry)
      self.keepers[name] = keeper
      self.scope:spawn(name, keeper.run, keeper)
    end
  end
  self:review()
end

--- Watches the directory of an instance; one that was replaced is watched anew.
local function watch_instance(project, watch, watched, name)
  local id = watch:add(project.state:instance(project.name, name), { "move" })
  if id then watched[id] = name end
end

local function take_event(project, watch, watched, event)
  local name = watched[event.id]
  if event.id == watched.records then
    if event.name == project.name .. ".json" then project:reload() end
  elseif event.id == watched.instances then
    if project.keepers[event.name] then
      watch_instance(project, watch, watched, event.name)
      project.keepers[event.name]:poke()
    end
  elseif name and event.name == "runtime.json" and project.keepers[name] then
    project.keepers[name]:poke()
  end
end

--- Tells keepers of what is written about theirs, for ever.
local function watch_files(project)
  local world, state = project.world, project.state
  local watch <close> = err.check(project.name, world.fs.watch())
  local watched = {}
  watched.records = err.check(project.name, watch:add(state:records(), { "move", "delete" }))
  watched.instances = err.check(project.name, watch:add(state:instances(project.name), { "create", "move" }))
  for _, entry in ipairs(world.fs.list(state:instances(project.name)) or {}) do
    watch_instance(project, watch, watched, entry.name)
  end
  project:reload()
  while true do
    local event = watch:try_next()
    if event then take_event(project, watch, watched, event) else task.wait { fd = watch:fileno(), dir = "r" } end
  end
end

--- Looks after a project; the caller holds the supervisor's lock.
---@return "idle"|"retired" why
function M.look_after(world, state, name)
  local project = M.new(world, state, name)
  err.check("state directory", world.fs.mkdir_all(state:supervisors(), DIRECTORY_MODE))
  err.check("state directory", world.fs.mkdir_all(state:instances(name), DIRECTORY_MODE))
  local listener <close> = server.listen(project)
  return task.scope(function(scope)
    project.scope = scope
    scope:spawn("server", server.run, project, listener)
    scope:spawn("files", watch_files, project)
    local why = project.over:wait()
    scope:cancel(why)
    return why
  end)
end

local function is_alive_or_due(world, state, project, name)
  local ok, now = pcall(runtime.load, world, state, project, name)
  if not ok or not now then return false end
  return now.pid ~= nil or now.restarts ~= nil and now.restarts.next_ms ~= nil
end

--- Whether there is anything to look after: something that is to run, and runs, has ended unseen, or is to be restarted.
function M.is_needed(world, state, name)
  local ok, record = pcall(record_.load, world, state, name)
  if not ok or not record or not supervisor.is_wanted(record) then return false end
  for instance, entry in pairs(record.instances) do
    if entry.desired == "running" and is_alive_or_due(world, state, name, instance) then return true end
  end
  return false
end

return M
