--- When a machine that has ended is started again. Pure: what happened and the time come in, what follows comes out.
local shutdown = require "holos.plan.shutdown"

local M = {}

--- The first pause before a restart, and the longest: each is twice the one before, as Docker has it.
M.FIRST_MS, M.MOST_MS = 100, 60000
--- Who has served so long, from when it was provisioned or healthy, has started well: pauses and attempts are counted anew.
--- A guest may take longer to boot, so that it ran for a while says nothing.
M.STABLE_MS = 10000

--- What a spec says of restarts.
---@class holos.RestartPolicy
---@field policy        "no"|"always"|"on-failure"|"unless-stopped"
---@field max_attempts  integer?  so many in a row; nil: no end
---@field delay_ms      integer?  a pause of this length instead of the growing one
---@field window_ms     integer?  instead of STABLE_MS
---@field on_unhealthy  boolean?  a guest that is found unhealthy is started anew
---@field max_unhealthy integer?  so often in a row, until it is healthy again; nil: no end

--- What is remembered of an instance, in its runtime.json: a supervisor that is replaced forgets nothing.
---@class holos.Restarts
---@field total     integer   since a command launched it
---@field row       integer   attempts since it last ran well
---@field unhealthy integer   restarts of an unhealthy guest since it was last healthy
---@field delay_ms  integer?  the last pause
---@field next_ms   integer?  when the next attempt is due, on the clock of the host's boot
---@field gave_up   boolean?  there were as many attempts as allowed

--- Nothing happened so far.
---@return holos.Restarts
function M.new() return { total = 0, row = 0, unhealthy = 0 } end

--- Whether an end counts as a failure. Only the guest's own power-off, and an end that was asked for, do not.
---@param reason string?  of QEMU's SHUTDOWN event; nil: it said nothing, or nobody listened
---@return "clean"|"failure"
function M.cause(reason) return shutdown.is_orderly(reason) and "clean" or "failure" end

local function is_wanted(policy, cause)
  if not policy then return false end
  if cause == "unhealthy" then return policy.on_unhealthy or false end
  if policy.policy == "on-failure" then return cause ~= "clean" end
  return policy.policy == "always" or policy.policy == "unless-stopped"
end

--- Whether a machine that was to run comes back by itself after a reboot of the host. One that failed before it is another
--- matter: as with Docker, on-failure speaks of ends only.
---@param policy holos.RestartPolicy?
function M.starts_at_boot(policy)
  return policy ~= nil and (policy.policy == "always" or policy.policy == "unless-stopped")
end

local function next_delay_ms(policy, restarts)
  if policy.delay_ms and policy.delay_ms > 0 then return policy.delay_ms end
  if not restarts.delay_ms then return M.FIRST_MS end
  return math.min(2 * restarts.delay_ms, M.MOST_MS)
end

local function is_spent(policy, restarts, cause)
  local count = cause == "unhealthy" and restarts.unhealthy or restarts.row
  local most = cause == "unhealthy" and policy.max_unhealthy or cause ~= "unhealthy" and policy.max_attempts
  return most and count >= most
end

--- What follows from the end of an instance that nobody stopped.
---@param policy holos.RestartPolicy?
---@param restarts holos.Restarts?
---@param ended {cause: "clean"|"failure"|"unhealthy"}
---@return holos.Restarts restarts  with next_ms when it is to be started again
function M.ended(policy, restarts, ended, now_ms)
  restarts = restarts or M.new()
  local after = { total = restarts.total, row = restarts.row, unhealthy = restarts.unhealthy, delay_ms = restarts.delay_ms }
  if not is_wanted(policy, ended.cause) then return after end
  if is_spent(policy, after, ended.cause) then
    after.gave_up = true
    return after
  end
  after.delay_ms = next_delay_ms(policy, after)
  after.total, after.row, after.next_ms = after.total + 1, after.row + 1, now_ms + after.delay_ms
  if ended.cause == "unhealthy" then after.unhealthy = after.unhealthy + 1 end
  return after
end

--- It is being started: the attempt is no longer due.
---@return holos.Restarts
function M.begun(restarts)
  return { total = restarts.total, row = restarts.row, unhealthy = restarts.unhealthy, delay_ms = restarts.delay_ms }
end

--- How long it has to serve to have started well.
---@param policy holos.RestartPolicy?
function M.window_ms(policy) return policy and policy.window_ms or M.STABLE_MS end

--- It has served for its window; nil when that changes nothing.
---@param restarts holos.Restarts?
---@return holos.Restarts?
function M.served(restarts)
  if not restarts or restarts.row == 0 then return nil end
  return { total = restarts.total, row = 0, unhealthy = restarts.unhealthy }
end

--- It was seen to be healthy; nil when that changes nothing.
---@return holos.Restarts?
function M.healthy(restarts)
  if not restarts or restarts.unhealthy == 0 then return nil end
  local after = M.begun(restarts)
  after.unhealthy = 0
  return after
end

return M
