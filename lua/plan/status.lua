--- How an instance is, in words for `ps` and for plans. Pure.
local lazy = require "holos.core.lazy"
local hook = lazy "holos.plan.hook"
local runstate = require "holos.plan.runstate"

local M = {}

-- How an instance ended, and what the supervisor does about it.
local function exit_text(now)
  local restarts = now.restarts or {}
  if restarts.next_ms then return ("restarting (%s, attempt %d)"):format(now.exit, restarts.row) end
  return ("exited (%s%s)"):format(now.exit, restarts.gave_up and (", gave up after %d restart%s"):format(restarts.total,
    restarts.total == 1 and "" or "s") or "")
end

--- Of one that does not run.
---@param entry table   of the record
---@param why string?   there is no runtime
---@param now table?    its runtime
function M.stopped(entry, why, now)
  if why == "rebooted" and entry.desired == "running" then return "stopped (host rebooted)" end
  if why or not now or entry.desired == "stopped" then return "stopped" end
  if now.exit then return exit_text(now) end
  return entry.desired == "running" and "exited" or "stopped"
end

-- Where the commands of its start are; nil once all have run.
local function post_start_text(spec, now)
  local done, failed = hook.outstanding(spec, now)
  if not done then return nil end
  local count = #spec.post_start
  if not failed then return ("post_start %d/%d"):format(done + 1, count) end
  return ("post_start %d/%d failed: %s: %s"):format(done + 1, count, hook.title(spec.post_start[done + 1]), failed.why)
end

--- Of one that runs.
---@param now table       its runtime
---@param told table      of plan/report
---@param halt holos.Halt?
---@param applied table?  the spec that it was launched with
function M.running(now, told, halt, applied)
  if halt then return runstate.describe(halt) end
  if told.state == "failed" then
    return ("failed: %s (step %d, exit %d)"):format(told.failed.title, told.failed.step, told.failed.exit)
  end
  local post_start = told.state == "provisioned" and applied and applied.post_start and post_start_text(applied, now)
  if post_start then return post_start end
  if now.health then return now.health end
  if told.state == "provisioning" then return ("provisioning %d/%d"):format(told.step or 0, told.steps or 0) end
  return told.state
end

return M
