--- The end of a project's systemd scope: by the end of the host, of the user's manager, or by `systemctl stop`. Guests are
--- powered off, dependents first, as by `holos stop`; what the record wants stays, so that what is to come back with the
--- host does. Effects: stops, under each instance's lock.
local down = require "holos.plan.down"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local lock = require "holos.run.lock"
local pre_stop = lazy "holos.run.pre_stop"
local record_ = require "holos.run.record"
local runtime = require "holos.run.runtime"
local scope = require "holos.run.scope"
local stop = require "holos.run.stop"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- How one has ended that was stopped here: not by its own will, so that a job among them is not done.
M.HOW = "stopped with its scope"

-- What the guest has left to switch itself off. A command that fails keeps a machine running when a user stops it; here it
-- would only be killed later.
local function run_pre_stop(project, spec)
  local begun_ms = task.now_ms()
  local ok, result = pcall(pre_stop.run, project.world, { state = project.state, spec = spec, grace_ms = spec.stop_grace_ms,
    warn = function(text) project:emit { type = "supervisor.warning", instance = spec.name, message = text } end,
    on_change = function() end })
  if ok then return result end
  if not err.is_failure(result) then error(result, 0) end
  project:emit { type = "supervisor.trouble", instance = spec.name, message = result.what or result.message }
  return math.max(0, spec.stop_grace_ms - (task.now_ms() - begun_ms))
end

local function stop_one(project, spec)
  local _held <close> = lock.take(project.world, project.state:instance_lock(project.name, spec.name), { name = spec.name,
    timeout_ms = runtime.LOCK_MS, owner_text = "supervisor, for " .. spec.name })
  local grace_ms = spec.pre_stop and run_pre_stop(project, spec) or spec.stop_grace_ms
  stop.stop(project.world, { state = project.state, project = project.name, name = spec.name, grace_ms = grace_ms,
    on_end = function(now) now.exit = M.HOW end })
end

-- One that cannot be stopped keeps nobody from trying the others.
local function take_turn(project, record, ended, action)
  for _, id in ipairs(action.after) do
    if ended[id] then ended[id]:wait() end
  end
  local ok, problem = pcall(stop_one, project, record.instances[action.instance].spec)
  if not ok then
    if not err.is_failure(problem) then error(problem, 0) end
    project:emit { type = "supervisor.trouble", instance = action.instance, message = problem.message }
  end
  ended[action.id]:fire(true)
end

-- What a machine was launched with; where that is not to be had, what we keep of it in mind.
local function spec_of(project, name)
  local ok, spec = pcall(function()
    local now = runtime.load(project.world, project.state, project.name, name)
    return now and runtime.applied(project.state, project.name, name, now)
  end)
  if not ok and not err.is_failure(spec) then error(spec, 0) end
  if not ok then project:emit { type = "supervisor.trouble", instance = name, message = spec.message } end
  return ok and spec or project.keepers[name] and project.keepers[name].entry.spec
end

-- As of a record: all that has a directory, or a keeper.
local function known_instances(project)
  local names, instances = {}, {}
  for _, entry in ipairs(project.world.fs.list(project.state:instances(project.name)) or {}) do names[entry.name] = true end
  for name in pairs(project.keepers) do names[name] = true end
  for name in pairs(names) do
    local spec = spec_of(project, name)
    instances[name] = spec and { spec = spec } or nil
  end
  return instances
end

-- A record that cannot be read keeps nobody's guests from being powered off.
local function record_of(project)
  local ok, record = pcall(record_.load, project.world, project.state, project.name)
  if ok then return record end
  if not err.is_failure(record) then error(record, 0) end
  project:emit { type = "supervisor.trouble", message = record.message }
  return { instances = known_instances(project) }
end

-- Whether a machine runs, and outside of the scope that ends.
local function is_spared(project, name, unit)
  local ok, now = pcall(runtime.load, project.world, project.state, project.name, name)
  return ok and now ~= nil and now.pid ~= nil and scope.is_elsewhere(project.world, unit, now.pid)
end

--- Stops all instances of a project.
---@param unit string?  only those that do not run outside of this scope
function M.stop_all(project, unit)
  local record = record_of(project)
  if not record then return end
  local names, chosen, ended = {}, {}, {}
  for _, name in ipairs(table_.keys(record.instances)) do
    if not unit or not is_spared(project, name, unit) then names[#names + 1], chosen[name] = name, true end
  end
  project:hold(names, 1) -- nobody is started again meanwhile
  local actions = down.make(record, chosen, false)
  for _, action in ipairs(actions) do ended[action.id] = task.event() end
  task.scope(function(tasks)
    for _, action in ipairs(actions) do tasks:spawn(action.id, take_turn, project, record, ended, action) end
  end)
end

--- Waits for the end of the scope, and sees the project off.
function M.run(project)
  scope.await_end(project.world)
  project:emit { type = "supervisor.leaving", text = "systemd ends the scope, so all instances in it are stopped" }
  M.stop_all(project, scope.own(project.world))
  project.over:fire("left")
end

return M
