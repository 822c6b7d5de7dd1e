--- Health checks of a running guest, for as long as it runs. Effects: as of run/health; health.json beside the runtime,
--- runtime.json when the status is another one.
local err = require "holos.core.err"
local gate = require "holos.plan.gate"
local health = require "holos.plan.health"
local health_ = require "holos.run.health"
local observe = require "holos.run.observe"
local report = require "holos.plan.report"
local restart = require "holos.plan.restart"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

local FILE_MODE = tonumber("600", 8)
--- A report is read at most this often, and this often where nothing tells that it has grown.
M.READ_MS, M.READ_UNTOLD_MS = 1000, 5000

--- Until the guest has reported that its first steps are done, or what else is waited for; at once for one that reports
--- nothing.
---@param goal "ready"|"provisioned"
function M.until_reported(project, spec, now, goal)
  if gate.tells_nothing(spec) then return end
  local file = project.state:instance(project.name, spec.name) .. "/report.log"
  while true do
    local changed = task.event()
    local watched <close> = project.watch:on(file, { "modify" }, function() changed:fire() end)
    local told = observe.report(project.world, project.state, project.name, spec.name, now)
    if report.reached(told, goal) then return end
    local looked_ms = task.now_ms()
    if watched then
      changed:wait()
      watched:close()
    end
    task.wait { at_ms = looked_ms + (watched and M.READ_MS or M.READ_UNTOLD_MS) }
  end
end

--- The last results, for those who want to know why. Nothing rests on them.
local function write_results(project, name, seen)
  local world = project.world
  local text = world.json.encode({ status = seen.status, failures = seen.failures, boot_id = world.proc.boot_id(),
    results = seen.results }, { indent = 1 })
  if not text then return end
  world.fs.write_atomic(project.state:instance(project.name, name) .. "/health.json", text .. "\n",
    { mode = FILE_MODE, sync = false })
end

local function tell(project, spec, now, seen, result)
  runtime.update(project.world, project.state, project.name, spec.name, now, function(other)
    other.health = seen.status
    if seen.status == "healthy" then other.restarts = restart.healthy(other.restarts) or other.restarts end
  end)
  project:emit { type = "instance.health", instance = spec.name, status = seen.status,
    text = not result.ok and health_.reason(result) or nil }
end

local function check(project, spec, now)
  local ok, result = pcall(health_.check, project.world, project.state, spec, now)
  if ok then return result end
  if not err.is(result, "EHOSTKEY") then error(result, 0) end
  local now_ms = task.now_ms()
  return { begun_ms = now_ms, ended_ms = now_ms, ok = false, text = result.message }
end

-- The next check of a guest that runs. What was found of a paused one is no finding: checks begin again when it goes on.
local function next_check(project, spec, now, guest, seen)
  task.wait { at_ms = seen.due_ms }
  local result = not guest.halt and check(project, spec, now)
  if guest:until_it_goes_on() or not result then return health.resumed(spec.healthcheck, seen, task.now_ms()) end
  return health.checked(spec.healthcheck, seen, result), result
end

--- Checks a guest that has a check, for ever; ends only when the guest is unhealthy and is to be started anew, and says why.
---@param guest table  of supervise/guest
---@return {how: string, text: string, cause: "unhealthy"}
function M.run(project, spec, now, guest)
  M.until_reported(project, spec, now, "provisioned")
  guest.has_begun:wait()
  local seen = health.adopt(spec.healthcheck, now.health, task.now_ms())
  while true do
    local before, result = seen.status
    seen, result = next_check(project, spec, now, guest, seen)
    guest.health = seen.status
    if seen.status == "healthy" then guest.is_healthy:fire() end
    if result then
      write_results(project, spec.name, seen)
      if seen.status ~= before then tell(project, spec, now, seen, result) end
      if seen.status == "unhealthy" and spec.restart and spec.restart.on_unhealthy then
        return { how = "unhealthy", text = health_.reason(result), cause = "unhealthy" }
      end
    end
  end
end

return M
