--- Whether a guest does its work, as its checks tell it. Pure: results and the time come in, the state comes out.
local text = require "holos.core.text"

local M = {}

--- So many results are kept, each with so many bytes of what the check said.
M.RESULTS, M.TEXT_BYTES = 5, 4096
--- How often a check runs during the start period when the file does not say (Compose's start_interval).
M.START_INTERVAL_MS = 5000

---@class holos.Health
---@field status   "starting"|"healthy"|"unhealthy"
---@field failures integer  in a row
---@field begun_ms integer  when the checks began: the start period counts from here
---@field due_ms   integer  when the next check is due
---@field results  {begun_ms: integer, ended_ms: integer, ok: boolean, exit: integer?, text: string?}[]  the last ones

--- A guest that nobody has checked so far; the first check is due at once.
---@return holos.Health
function M.new(now_ms)
  return { status = "starting", failures = 0, begun_ms = now_ms, due_ms = now_ms, results = {} }
end

--- A guest that somebody else has checked: goes on from what he found.
---@param status "healthy"|"unhealthy"|nil
function M.adopt(check, status, now_ms)
  local health = M.new(now_ms)
  if not status then return health end
  health.status, health.due_ms = status, now_ms + check.interval_ms
  if status == "unhealthy" then health.failures = check.retries end
  return health
end

--- A guest that was paused and goes on: what it failed before counts no more, and it has an interval, or its start period
--- again, to find its feet.
function M.resumed(check, health, now_ms)
  if health.status == "starting" then return M.new(now_ms) end
  return { status = health.status, failures = 0, begun_ms = health.begun_ms, due_ms = now_ms + check.interval_ms,
    results = health.results }
end

--- During the start period failures are free; the first success ends it.
local function is_free(check, health, begun_ms)
  return health.status == "starting" and begun_ms < health.begun_ms + check.start_period_ms
end

local function kept(results, result)
  local list = { table.unpack(results, math.max(1, #results - M.RESULTS + 2)) }
  list[#list + 1] = { begun_ms = result.begun_ms, ended_ms = result.ended_ms, ok = result.ok, exit = result.exit,
    text = result.text and text.cut(result.text, M.TEXT_BYTES) }
  return list
end

local function judge(check, health, result, free)
  if result.ok then return "healthy", 0 end
  if free then return health.status, 0 end
  local failures = health.failures + 1
  return failures >= check.retries and "unhealthy" or health.status, failures
end

--- The state after a check. Each interval begins where the check before has ended.
---@param check {interval_ms: integer, retries: integer, start_period_ms: integer, start_interval_ms: integer?}
---@param result {begun_ms: integer, ended_ms: integer, ok: boolean, exit: integer?, text: string?}
---@return holos.Health health
---@return boolean changed  whether the status is another one now
function M.checked(check, health, result)
  local free = is_free(check, health, result.begun_ms)
  local status, failures = judge(check, health, result, free)
  local pause_ms = check.interval_ms
  if free and not result.ok then pause_ms = math.min(pause_ms, check.start_interval_ms or M.START_INTERVAL_MS) end
  return { status = status, failures = failures, begun_ms = health.begun_ms, due_ms = result.ended_ms + pause_ms,
    results = kept(health.results, result) }, status ~= health.status
end

return M
