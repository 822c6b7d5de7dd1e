--- Waits until an instance is ready, provisioned or healthy. Effects: inotify on its report, its pidfd, SSH for checks.
local err = require "holos.core.err"
local health = require "holos.run.health"
local observe = require "holos.run.observe"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

local LOG_LINES = 20
local LOG_TAIL_BYTES = 4096

local function console_tail(world, directory)
  local lines = {}
  for line in (world.fs.tail(directory .. "/console.log", LOG_TAIL_BYTES) or ""):gmatch("[^\r\n]+") do
    lines[#lines + 1] = line
    if #lines > LOG_LINES then table.remove(lines, 1) end
  end
  return lines
end

local function step_failed(spec, failed)
  err.raise { code = "EPROVISION", exit = 4, log = failed.log,
    message = ("%s: failed: %s (step %d, exit %d)"):format(spec.name, failed.title, failed.step, failed.exit),
    hint = ("%s keeps running for you to look:  holos exec %s · holos logs %s"):format(spec.name, spec.name, spec.name) }
end

--- Raises when the report says that a step failed; tells whether the goal is reached.
local function judge(spec, told, goal)
  if told.state == "failed" then step_failed(spec, told.failed) end
  return report.reached(told, goal == "healthy" and "provisioned" or goal)
end

local function guest_ended(world, directory, spec)
  err.raise { message = ("%s: the VM ended while it was waited for"):format(spec.name), code = "EEXITED", exit = 4,
    log = console_tail(world, directory), hint = "holos logs " .. spec.name }
end

--- Waits for the report to say that `goal` is reached.
local function until_reported(world, state, spec, goal, now, on_change)
  local directory = state:instance(spec.project, spec.name)
  local watch <close> = err.check(spec.name, world.fs.watch())
  err.check(spec.name, watch:add(directory .. "/report.log", { "modify" }))
  local process <close> = runtime.process(world, now)
  if not process then guest_ended(world, directory, spec) end
  while true do
    local told = observe.report(world, state, spec.project, spec.name, now)
    on_change(told)
    if judge(spec, told, goal) then return end
    local first = task.race {
      function() task.wait { fd = watch:fileno(), dir = "r" } return "report" end,
      function() task.wait { process = process } return "end" end,
    }
    if first == "end" then
      judge(spec, observe.report(world, state, spec.project, spec.name, now), goal)
      guest_ended(world, directory, spec)
    end
    while watch:try_next() do end
  end
end

local function too_late(spec, goal, timeout_ms)
  err.raise { message = ("%s: not %s after %d s"):format(spec.name, goal, timeout_ms // 1000), code = "ETIMEDOUT", exit = 4,
    hint = ("it keeps running: holos ps · holos logs %s; --wait-timeout waits longer"):format(spec.name) }
end

--- Waits until `goal` is reached, at most `timeout_ms`.
---@param waiting {state: table, spec: table, goal: string, timeout_ms: integer, on_change: fun(told: table)}
function M.reach(world, waiting)
  local spec = waiting.spec
  local ok, problem = pcall(task.within, waiting.timeout_ms, function()
    local now = runtime.load(world, waiting.state, spec.project, spec.name)
    if not now then guest_ended(world, waiting.state:instance(spec.project, spec.name), spec) end
    until_reported(world, waiting.state, spec, waiting.goal, now, waiting.on_change)
    if waiting.goal == "healthy" then health.until_healthy(world, waiting.state, spec, now, waiting.on_change) end
  end)
  if ok then return end
  if err.is(problem, "ETIMEDOUT") then too_late(spec, waiting.goal, waiting.timeout_ms) end
  error(problem, 0)
end

return M
