--- Health checks: one of a guest, and the wait of `up` for a guest that passes. Effects: SSH to the guest or a connection
--- to a port of it, runtime.json.
local err = require "holos.core.err"
local health = require "holos.plan.health"
local port_check = require "holos.run.port_check"
local remote = require "holos.run.remote"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

--- The words of a check, for the guest's shell. CMD is exec form, CMD-SHELL one shell line.
function M.words(test)
  if test[1] == "CMD-SHELL" then return { "sh", "-c", test[2] } end
  return { table.unpack(test, 2) }
end

-- Of what a check says the beginning is kept; the rest is read and dropped.
local function keeper_of(output)
  local bytes = 0
  return function(chunk)
    if bytes < health.TEXT_BYTES then output[#output + 1] = chunk end
    bytes = bytes + #chunk
  end
end

--- A check in the guest: its exit status, or the name of the signal that ended it.
local function in_guest(world, state, spec, now, output)
  local check = spec.healthcheck
  local session <close> = remote.connect(world, state, spec, now, { timeout_ms = check.timeout_ms })
  local keep = keeper_of(output)
  local result = session:exec(remote.command_line(spec, M.words(check.test)),
    { stdout = keep, stderr = keep, timeout_ms = check.timeout_ms })
  return result.status or result.signal
end

local function attempt(world, state, spec, now, output)
  local test = spec.healthcheck.test
  local guest = math.tointeger(tonumber(test[2]))
  if test[1] == "TCP" then output[1] = port_check.tcp(world, spec, now, guest) return 0 end
  if test[1] == "HTTP" then output[1] = port_check.http(world, spec, now, guest, test[3]) return 0 end
  return in_guest(world, state, spec, now, output)
end

-- Whoever shows it says whose it is.
local function without_name(spec, message)
  local name = spec.name .. ": "
  return message:sub(1, #name) == name and message:sub(#name + 1) or message
end

--- One check. What keeps it from being made is a failed check, but for a guest with another key than the one that it was
--- given.
---@return {begun_ms: integer, ended_ms: integer, ok: boolean, exit: integer?, text: string} result
function M.check(world, state, spec, now)
  local begun_ms, output = task.now_ms(), {}
  local ran, exit = xpcall(task.within, err.trace, spec.healthcheck.timeout_ms, attempt, world, state, spec, now, output)
  if not ran and (exit.traceback or err.is(exit, "ECANCELED") or err.is(exit, "EHOSTKEY")) then error(exit, 0) end
  local said = text.escape_terminal(ran and table.concat(output) or without_name(spec, tostring(exit)))
  return { begun_ms = begun_ms, ended_ms = task.now_ms(), ok = ran and exit == 0,
    exit = math.type(exit) == "integer" and exit or nil, text = text.cut(said, health.TEXT_BYTES) }
end

--- A failed check in a line: "exit 7: no such file", or why it could not be made.
function M.reason(result)
  local last = result.text:match("([^\n]+)%s*$")
  if not result.exit then return last or "killed" end
  return ("exit %d%s"):format(result.exit, last and ": " .. last or "")
end

local function remember(world, state, spec, now, status)
  now.health = status
  runtime.update(world, state, spec.project, spec.name, now, function(other) other.health = status end)
end

local function raise_unhealthy(world, state, spec, now, seen)
  remember(world, state, spec, now, "unhealthy")
  err.raise { message = ("%s: unhealthy: %d checks failed; the last: %s"):format(spec.name, seen.failures,
    M.reason(seen.results[#seen.results])), code = "EUNHEALTHY", exit = 4, hint = "holos logs " .. spec.name }
end

--- Checks a healthy guest on; ends only by raising EUNHEALTHY when too many checks in a row have failed.
function M.until_unhealthy(world, state, spec, now)
  local seen = health.adopt(spec.healthcheck, "healthy", task.now_ms())
  while seen.status == "healthy" do
    task.wait { at_ms = seen.due_ms }
    seen = health.checked(spec.healthcheck, seen, M.check(world, state, spec, now))
  end
  raise_unhealthy(world, state, spec, now, seen)
end

--- Checks until one passes; raises EUNHEALTHY when too many have failed.
function M.until_healthy(world, state, spec, now, on_change)
  local check, seen = spec.healthcheck, health.new(task.now_ms())
  repeat
    task.wait { at_ms = seen.due_ms }
    local result = M.check(world, state, spec, now)
    seen = health.checked(check, seen, result)
    if seen.status == "unhealthy" then raise_unhealthy(world, state, spec, now, seen) end
    if not result.ok then on_change { state = "checking", text = M.reason(result) } end
  until seen.status == "healthy"
  on_change { state = "healthy" }
  remember(world, state, spec, now, "healthy")
end

return M
