--- Health checks over SSH, while `up` waits. Effects: SSH to the guest, runtime.json.
local err = require "holos.core.err"
local runtime = require "holos.run.runtime"
local remote = require "holos.run.remote"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

--- How often a check runs while it may still fail freely (Compose's start_interval).
local START_INTERVAL_MS = 5000

--- The words of a check, for the guest's shell. CMD is exec form, CMD-SHELL one shell line.
function M.words(test)
  if test[1] == "CMD-SHELL" then return { "sh", "-c", test[2] } end
  return { table.unpack(test, 2) }
end

--- One probe.
---@return boolean healthy
---@return string? reason  last line of output, or why the probe could not run
function M.probe(world, state, spec, now)
  local check = spec.healthcheck
  local output = {}
  local ok, result = xpcall(task.within, err.trace, check.timeout_ms, function()
    local session <close> = remote.connect(world, state, spec, now, { timeout_ms = check.timeout_ms })
    local function keep(chunk) output[#output + 1] = chunk end
    return session:exec(remote.command_line(spec, M.words(check.test)),
      { stdout = keep, stderr = keep, timeout_ms = check.timeout_ms })
  end)
  if not ok then
    if result.traceback or err.is(result, "ECANCELED") or err.is(result, "EHOSTKEY") then error(result, 0) end
    return false, tostring(result)
  end
  local last = text.escape_terminal(table.concat(output)):match("([^\n]+)%s*$")
  if result.status == 0 then return true, last end
  return false, ("exit %s%s"):format(result.status or result.signal, last and ": " .. last or "")
end

local function remember(world, state, spec, now, health)
  now.health = health
  runtime.save(world, state, spec.project, spec.name, now)
end

--- Probes until the check passes. During start_period failures are free, then `retries` in a row are too many.
function M.until_healthy(world, state, spec, now, on_change)
  local check = spec.healthcheck
  local free_until_ms = task.now_ms() + check.start_period_ms
  local failures = 0
  while true do
    local begun_ms = task.now_ms()
    local healthy, reason = M.probe(world, state, spec, now)
    if healthy then
      on_change { state = "healthy" }
      return remember(world, state, spec, now, "healthy")
    end
    local free = begun_ms < free_until_ms
    if not free then failures = failures + 1 end
    if failures >= check.retries then
      remember(world, state, spec, now, "unhealthy")
      err.raise { message = ("%s: unhealthy: %d checks failed; the last: %s"):format(spec.name, failures, reason),
        code = "EUNHEALTHY", exit = 4, hint = "holos logs " .. spec.name }
    end
    on_change { state = "checking", text = reason }
    local pause_ms = check.interval_ms
    if free then pause_ms = math.min(pause_ms, check.start_interval_ms or START_INTERVAL_MS) end
    task.wait { at_ms = begun_ms + pause_ms }
  end
end

return M
