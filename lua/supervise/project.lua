--- One supervised project: its record, a keeper for each instance, those who ask. Effects: reads the record, watches its
--- directory and those of the instances.
local entry_ = require "holos.supervise.entry"
local err = require "holos.core.err"
local journal = require "holos.run.journal"
local keeper_ = require "holos.supervise.keeper"
local leave = require "holos.supervise.leave"
local record_ = require "holos.run.record"
local server = require "holos.supervise.server"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local watch_ = require "holos.supervise.watch"

local M = {}

local DIRECTORY_MODE = tonumber("700", 8)
local JOURNAL_BYTES = 4 << 20
--- A record that could not be read is read again, first after this time, then each time after twice as long.
M.AGAIN_MS, M.AGAIN_MOST_MS = 1000, 60000

local Project = {}
Project.__index = Project

--- A project that nobody looks after yet.
function M.new(world, state, name)
  return setmetatable({ world = world, state = state, name = name, keepers = {}, listeners = {}, held = {},
    directories = {}, moved = task.event(), over = task.event() }, Project)
end

-- A machine that fails for ever writes events for ever.
local function cap_journal(project)
  local file = project.state:events(project.name)
  local stat = project.world.fs.stat(file)
  if stat and stat.size_bytes > JOURNAL_BYTES then project.world.fs.rename(file, file .. ".1") end
end

--- Something happened: written down, and told to those who listen.
function Project:emit(event)
  cap_journal(self)
  journal.append(self.world, self.state, self.name, event)
  self:publish(event)
end

--- Tells those who listen; somebody else has written it down. One who cannot be told is dropped: a client ends no
--- supervisor.
function Project:publish(event)
  for listener, gone in pairs(self.listeners) do
    if not pcall(listener, event) then
      self.listeners[listener] = nil
      gone:fire()
    end
  end
  self:stir()
end

--- Wakes those who wait for another instance: something of one may be different now.
function Project:stir()
  local moved = self.moved
  self.moved = task.event()
  moved:fire()
end

--- Ends it when there is nothing left to look after. Keepers call this when theirs has changed. What is in hand loads
--- scripts; once nothing is, they have served.
function Project:review()
  local is_active, is_busy = false, false
  for _, keeper in pairs(self.keepers) do
    is_active, is_busy = is_active or keeper:is_active(), is_busy or keeper.is_busy
  end
  if not is_active then return self.over:fire("idle") end
  if not is_busy then self.world.build.release_scripts() end
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

-- What the record says has to reach us, and nothing tells when it can be read after all. A damaged one is mended by being
-- replaced, which is told.
local function read_later(project, problem)
  if project.is_to_read or err.is(problem, "EDAMAGED") then return end
  project.is_to_read = true
  project.again_ms = math.min(2 * (project.again_ms or M.AGAIN_MS // 2), M.AGAIN_MOST_MS)
  project.scope:spawn("record", function()
    task.wait { at_ms = task.now_ms() + project.again_ms }
    project.is_to_read = false
    project:reload()
  end)
end

local function read_record(project)
  local ok, record = pcall(record_.load, project.world, project.state, project.name)
  if ok then
    project.again_ms = nil
    return record or { instances = {} }
  end
  if not err.is_failure(record) then error(record, 0) end
  project:emit { type = "supervisor.trouble", message = record.message }
  read_later(project, record)
end

--- Reads the record and takes over what it says. A damaged one changes nothing.
function Project:reload()
  local record = read_record(self)
  if record then self:take_over(record) end
end

--- What the record says is what counts from now on.
function Project:take_over(record)
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
  self:stir()
  self:review()
end

-- Tells a keeper when its runtime.json is replaced. A directory that took another's place is watched anew.
local function watch_instance(project, name)
  local old = project.directories[name]
  if old then old:close() end
  project.directories[name] = project.watch:on(project.state:instance(project.name, name), { "move" }, function(file)
    if (not file or file == "runtime.json") and project.keepers[name] then project.keepers[name]:poke() end
  end)
end

-- Files that are replaced tell of everything that commands do.
local function watch_files(project)
  local state, name = project.state, project.name
  err.check(name, project.watch:on(state:records(), { "move", "delete" }, function(file)
    if not file or file == name .. ".json" then project:reload() end
  end))
  err.check(name, project.watch:on(state:instances(name), { "create", "move" }, function(instance)
    if not project.keepers[instance] then return end
    watch_instance(project, instance)
    project.keepers[instance]:poke()
  end))
  for _, entry in ipairs(project.world.fs.list(state:instances(name)) or {}) do watch_instance(project, entry.name) end
  project:reload()
  project.watch:run()
end

--- Looks after a project; the caller holds the supervisor's lock.
---@param beside fun(project: table, scope: table)?  begins what else goes on meanwhile
---@return "idle"|"retired" why
function M.look_after(world, state, name, beside)
  local project = M.new(world, state, name)
  err.check("state directory", world.fs.mkdir_all(state:supervisors(), DIRECTORY_MODE))
  err.check("state directory", world.fs.mkdir_all(state:instances(name), DIRECTORY_MODE))
  local watch <close> = watch_.new(world, name)
  project.watch = watch
  local listener <close> = server.listen(project)
  return task.scope(function(scope)
    project.scope = scope
    scope:spawn("server", server.run, project, listener)
    scope:spawn("files", watch_files, project)
    scope:spawn("leave", leave.run, project)
    if beside then beside(project, scope) end
    local why = project.over:wait()
    scope:cancel(why)
    return why
  end)
end

return M
