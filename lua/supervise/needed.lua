--- Whether a project needs a supervisor. Effects: reads its record, and what runs.
local err = require "holos.core.err"
local record_ = require "holos.run.record"
local restart = require "holos.plan.restart"
local runtime = require "holos.run.runtime"
local supervisor = require "holos.run.supervisor"

local M = {}

-- What cannot be read just now may tell of something; what is damaged says nothing until somebody mends it.
local function may_tell(problem) return not err.is(problem, "EDAMAGED") end

local function is_alive_or_due(world, state, project, entry)
  local ok, now, why = pcall(runtime.load, world, state, project, entry.spec.name)
  if not ok then return may_tell(now) end
  if not now then return why == "rebooted" and restart.starts_at_boot(entry.spec.restart) end
  return now.pid ~= nil or now.restarts ~= nil and now.restarts.next_ms ~= nil
end

--- Whether there is anything to look after: something that is to run, and runs, has ended unseen, or is to be restarted.
function M.by(world, state, name)
  local ok, record = pcall(record_.load, world, state, name)
  if not ok then return may_tell(record) end
  if not record or not supervisor.is_wanted(record) then return false end
  for _, entry in pairs(record.instances) do
    if entry.desired == "running" and is_alive_or_due(world, state, name, entry) then return true end
  end
  return false
end

return M
