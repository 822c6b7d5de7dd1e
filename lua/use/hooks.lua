--- What scripts hear of a plan and its actions. Effects: runs the handlers of scripts.
local api = require "holos.script.api"
local err = require "holos.core.err"
local stop = require "holos.run.stop"

local M = {}

-- kind of action -> events before all actions, before all where it is half of a restart, before this one (they may refuse),
-- and after it
local EVENTS = {
  ["volume.create"] = { after = "volume.created" },
  ["instance.launch"] = { before = "instance.before_launch", of_restart = "instance.before_launch", after = "instance.launched" },
  ["instance.await"] = { after = "instance.ready" },
  ["instance.stop"] = { before_all = "instance.before_stop", after = "instance.stopped" },
  ["instance.trash"] = { after = "instance.removed" },
}

-- What is removed is no longer in the record afterwards.
local function services_of(record)
  local services = {}
  for name, entry in pairs(record.instances) do services[name] = entry.spec end
  return services
end

local function payload_of(project, services, action)
  local spec = services[action.instance] or {}
  return { project = project, instance = action.instance, volume = action.volume, service = spec.service,
    index = spec.index }
end

--- The plan as scripts leave it.
function M.plan(plan) return api.emit("plan.ready", plan) end

--- Asks scripts whether the instances may be stopped that `actions` stop, and launched again where they are. Comes before
--- anything is written down or done: one refusal, and nothing has changed. Who was asked so is not asked again.
---@param is_concerned (fun(action: table): boolean)?  looked at only where a script wants to be asked
function M.ask(record, actions, is_concerned)
  local services, stopped = services_of(record), {}
  for _, action in ipairs(actions) do
    if action.kind == "instance.stop" then stopped[action.instance] = true end
  end
  for _, action in ipairs(actions) do
    local events = EVENTS[action.kind] or {}
    local event = events.before_all or stopped[action.instance] and events.of_restart
    if event and api.events:is_wanted(event) and (not is_concerned or is_concerned(action)) then
      action.is_asked = true
      api.emit(event, payload_of(record.name, services, action))
    end
  end
end

--- Lets scripts hear of a job's actions: job.before(action) raises when one refuses; job.after(action, result, took_ms)
--- keeps what handlers raise for `finish`, as what is done stays done.
function M.attach(job)
  local problems, services = {}, services_of(job.record)
  job.hook_problems = problems
  function job.before(action)
    local event = (EVENTS[action.kind] or {}).before
    if event and not action.is_asked then api.emit(event, payload_of(job.record.name, services, action)) end
  end
  function job.after(action, result, took_ms)
    local event = (EVENTS[action.kind] or {}).after
    if not event or result == stop.WAS_NOT_RUNNING then return end
    local payload = payload_of(job.record.name, services, action)
    payload.result, payload.took_ms = result, took_ms
    local fine, problem = xpcall(api.emit, err.trace, event, payload)
    if err.is(problem, "ECANCELED") then error(problem, 0) end
    if not fine then problems[#problems + 1] = problem end
  end
  return job
end

--- Raises when a handler failed after its event: the work is done, the exit status says that something was wrong.
function M.finish(job)
  if #job.hook_problems == 0 then return end
  local messages = {}
  for i, problem in ipairs(job.hook_problems) do messages[i] = tostring(problem) end
  err.raise { message = table.concat(messages, "\n"), code = "EHANDLER" }
end

return M
