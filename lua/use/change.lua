--- What commands that change something share: locks, the executor's job, the record that is written at the end.
--- Effects through run/*; prints nothing.
local lazy = require "holos.core.lazy"
local capacity = lazy "holos.plan.capacity"
local err = require "holos.core.err"
local execute = lazy "holos.run.execute"
local hooks = require "holos.use.hooks"
local lock = require "holos.run.lock"
local neighbours = lazy "holos.plan.neighbours"
local ports = lazy "holos.run.ports"
local ports_ = require "holos.plan.ports"
local project = require "holos.run.project"
local render = lazy "holos.plan.render"
local sweep = lazy "holos.run.sweep"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

M.LOCK_TIMEOUT_MS = 5 * 60 * 1000
M.WAIT_TIMEOUT_MS = 30 * 60 * 1000
local RECORD_MS = 10000

--- Takes a lock, waiting for it as the command line says.
local function take(context, talk, path, name, owner_text)
  local options = context.options
  return lock.take(context.world, path, { timeout_ms = options.lock_timeout or M.LOCK_TIMEOUT_MS, no_wait = options.no_wait,
    name = name, owner_text = owner_text,
    on_wait = function(owner) talk.notice(("waiting for the lock of %s (held by %s)"):format(name, owner)) end })
end

--- Waits for the project's lock.
function M.take_lock(context, talk)
  return take(context, talk, context.state:project_lock(context.name), "project " .. context.name, "holos")
end

--- Waits for the lock of one instance.
function M.take_instance_lock(context, talk, name)
  return take(context, talk, context.state:instance_lock(context.name, name), name, "instance " .. name)
end

--- Makes the project's directories, takes its lock, and removes what writers that were killed have left.
---@return table lock  let go by <close>
function M.begin(context, talk)
  context.state:prepare(context.world)
  local held = M.take_lock(context, talk)
  context.state:prepare_project(context.world, context.name)
  sweep.temporaries(context.world, context.state, context.name)
  sweep.contents(context.world, context.state, context.name)
  return held
end

--- Raises when a plan holds what cannot be done, or what nobody has decided on.
function M.refuse(plan)
  if #plan.refusals + #plan.questions == 0 then return end
  err.raise { message = render.refusals(plan), code = "ECONSENT", exit = 3, hint = "nothing was changed" }
end

--- Raises host ports of what a plan launches that somebody else has; those of VMs that it stops first are free by then.
---@param at table  {specs, observed, record, others = records of other projects}
function M.require_ports(world, plan, at)
  local launched, freed = ports_.of_plan(plan.actions, at.specs, at.observed.instances)
  local records, names = table_.copy(at.others), {}
  records[at.record.name] = at.record
  for _, spec in ipairs(at.specs) do names[spec.name] = true end
  local claims = neighbours.claims(records, at.record.name, names)
  ports.require_free(world, launched, function(port) return ports_.any_overlaps(freed, port) end,
    function(port) return neighbours.owner(claims, port) end)
end

-- What the user says, -1 for no limit; else what the host can take.
local function parallel(context, prepared)
  local memory = (prepared.facts or {}).memory
  if context.options.parallel or not memory then return context.options.parallel end
  return capacity.parallel(context.world.host.cpu_count(), prepared.specs or {}, memory)
end

--- What the executor gets.
function M.job(context, prepared, talk)
  return hooks.attach { state = context.state, record = prepared.record, facts = prepared.facts, batch = prepared.batch,
    take_lock = function(name) return M.take_instance_lock(context, talk, name) end,
    parallel = parallel(context, prepared),
    wait_timeout_ms = context.options.wait_timeout or M.WAIT_TIMEOUT_MS,
    grace_ms = context.options.timeout, no_pre_stop = context.options.no_pre_stop, warn = talk.warn,
    on_start = talk.on_start, on_change = talk.on_change, on_end = talk.on_end }
end

local function launches(actions)
  for _, action in ipairs(actions) do
    if action.kind == "instance.launch" then return true end
  end
  return false
end

--- Runs a job's actions; what handlers of scripts raised afterwards is raised at the end.
function M.perform(context, prepared, talk, actions)
  local job = M.job(context, prepared, talk)
  if launches(actions) then project.outlive_login(context.world, context.state, prepared.record, talk.warn) end
  execute.run(context.world, job, actions)
  hooks.finish(job)
end

--- Writes the record when the scope is left, also by an error or a Ctrl-C; not when it was dropped meanwhile. What went
--- wrong before is what the user has to hear: then a record that cannot be written (the disk may be full) is a warning.
function M.saved_at_end(context, record, talk)
  return setmetatable({}, { __close = function(_, problem)
    if context.is_dropped then return end
    local ok, reason = xpcall(task.shield, err.trace, RECORD_MS, project.save, context.world, context.state, record)
    if not ok and problem == nil then error(reason, 0) end
    if not ok then talk.warn(tostring(reason)) end
  end })
end

--- When the scope is left, also by an error, what the record wants to run has a supervisor.
function M.supervised_at_end(context, record, talk)
  return project.supervised_at_end(context.world, context.state, record, talk.warn)
end

--- Clears up after a project that is gone; the last thing that a command does, as it takes its lock's file along.
function M.clear(context) sweep.project(context.world, context.state, context.name) end

return M
