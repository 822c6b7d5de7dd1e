--- Waits until an instance is ready, provisioned or healthy. Effects: inotify on its report, SSH for checks; what
--- run/guard looks at meanwhile.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local guard = require "holos.run.guard"
local health = require "holos.run.health"
local journal = require "holos.run.journal"
local observe = require "holos.run.observe"
local post_start = lazy "holos.run.post_start"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local task = require "holos.core.task"

local M = {}

local function step_failed(spec, failed)
  err.raise { code = "EPROVISION", exit = 4, log = failed.log,
    message = ("%s: failed: %s (step %d, exit %d)"):format(spec.name, failed.title, failed.step, failed.exit),
    hint = ("NAME keeps running for you to look:  holos exec NAME · holos logs NAME\n"
      .. "once its reason is gone, `holos restart NAME` goes on with that step; `holos up --reprovision=NAME` runs all steps again")
      :gsub("NAME", spec.name) }
end

--- Whether the report has reached what the goal asks of it; raises when it says that a step failed.
local function is_reported(world, waiting, now)
  local spec = waiting.spec
  local told = observe.report(world, waiting.state, spec.project, spec.name, now)
  waiting.on_change(told)
  if told.state == "failed" then step_failed(spec, told.failed) end
  return report.reached(told, waiting.goal == "healthy" and "provisioned" or waiting.goal)
end

local function until_reported(world, waiting, now)
  local spec = waiting.spec
  local watch <close> = err.check(spec.name, world.fs.watch())
  err.check(spec.name, watch:add(waiting.state:instance(spec.project, spec.name) .. "/report.log", { "modify" }))
  while not is_reported(world, waiting, now) do
    task.wait { fd = watch:fileno(), dir = "r" }
    while watch:try_next() do end
  end
end

-- For run/post_start: what it does for one who waits for all that a start brings with it, or for nobody.
local function starting(world, waiting, now)
  if not waiting.spec.post_start or waiting.goal ~= "provisioned" and waiting.goal ~= "healthy" then return nil end
  return { state = waiting.state, spec = waiting.spec, now = now, on_change = waiting.on_change,
    tell = function(event) journal.append(world, waiting.state, waiting.spec.project, event) end }
end

-- What is over, and has got there, has reached its goal as well.
local function is_reached(world, waiting, now, start)
  return waiting.goal ~= "healthy" and is_reported(world, waiting, now) and not (start and post_start.is_outstanding(world, start))
end

local function reach_goal(world, waiting, now, start)
  until_reported(world, waiting, now)
  if start then post_start.complete(world, start) end
  if waiting.goal == "healthy" then health.until_healthy(world, waiting.state, waiting.spec, now, waiting.on_change) end
end

--- A guest that has reported all it was to report may power off.
local function ended(world, waiting, now, start)
  local reason = guard.until_ended(world, waiting, now)
  if is_reached(world, waiting, now, start) then return end
  guard.raise_ended(world, waiting, reason)
end

--- Writes down how an instance ended that was waited for, unless its supervisor has done so.
local function note_end(world, waiting, now, how)
  runtime.update(world, waiting.state, waiting.spec.project, waiting.spec.name, now, function(other)
    other.exit, other.pid = how, nil
  end)
end

--- Waits until a machine has switched itself off; raises when it ends otherwise.
local function complete(world, waiting, now)
  local spec = waiting.spec
  local reason = guard.until_ended(world, waiting, now)
  local fresh = runtime.load(world, waiting.state, spec.project, spec.name)
  local how = reason and shutdown.explain(reason) or fresh and fresh.exit
  if how ~= shutdown.POWERED_OFF then guard.raise_ended(world, waiting, reason) end
  note_end(world, waiting, now, how)
end

local function reach_guarded(world, waiting)
  local spec = waiting.spec
  local now = waiting.runtime or runtime.load(world, waiting.state, spec.project, spec.name)
  if now and waiting.goal == "completed" then return complete(world, waiting, now) end
  if not now then guard.raise_ended(world, waiting) end
  local start = starting(world, waiting, now)
  if is_reached(world, waiting, now, start) then return end
  task.race {
    function() reach_goal(world, waiting, now, start) end,
    function() ended(world, waiting, now, start) end,
  }
end

local function too_late(spec, goal, timeout_ms)
  err.raise { message = ("%s: not %s after %d s"):format(spec.name, goal, timeout_ms // 1000), code = "ETIMEDOUT", exit = 4,
    hint = ("it keeps running: holos ps · holos logs %s; --wait-timeout waits longer"):format(spec.name) }
end

--- Waits until `goal` is reached, at most `timeout_ms`. A VM that ends, or whose guest halts, fails at once.
---@param waiting {state: table, spec: table, runtime: table?, goal: string, timeout_ms: integer, on_change: fun(told: table)}
function M.reach(world, waiting)
  local ok, problem = pcall(task.within, waiting.timeout_ms, reach_guarded, world, waiting)
  if ok then return end
  if err.is(problem, "ETIMEDOUT") then too_late(waiting.spec, waiting.goal, waiting.timeout_ms) end
  error(problem, 0)
end

-- Ends only by raising.
local function until_worse(world, waiting, now)
  local spec = waiting.spec
  local watch <close> = err.check(spec.name, world.fs.watch())
  err.check(spec.name, watch:add(waiting.state:instance(spec.project, spec.name) .. "/report.log", { "modify" }))
  while true do
    is_reported(world, waiting, now)
    task.wait { fd = watch:fileno(), dir = "r" }
    while watch:try_next() do end
  end
end

local function watch_guarded(world, waiting)
  local spec = waiting.spec
  local now = runtime.load(world, waiting.state, spec.project, spec.name)
  if not now then guard.raise_ended(world, waiting) end
  task.race {
    function() until_worse(world, waiting, now) end,
    function() if spec.healthcheck then health.until_unhealthy(world, waiting.state, spec, now) else task.event():wait() end end,
    function() guard.raise_ended(world, waiting, guard.until_ended(world, waiting, now)) end,
  }
end

--- Watches a machine for `timeout_ms`; raises as soon as it ends, halts, fails a step or fails its health check.
---@param waiting table  as of `reach`
function M.stay(world, waiting)
  local ok, problem = pcall(task.within, waiting.timeout_ms, watch_guarded, world, waiting)
  if not ok and not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
end

return M
