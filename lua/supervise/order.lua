--- Who comes back before whom: a machine that is to be started again waits for those that its service depends on, as it does
--- in `up`, as long as these can be expected. It never waits for ever. Effects: reads reports; events.
local checks = require "holos.supervise.checks"
local gate = require "holos.plan.gate"
local hook = require "holos.plan.hook"
local observe = require "holos.run.observe"
local report = require "holos.plan.report"
local restart = require "holos.plan.restart"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- Who waits so long starts without the others.
M.LATE_MS = 600000

local DONE = { running = "runs", completed = "has done its work" }

local function words(goal) return DONE[goal] or "is " .. goal end

--- Whether a machine that was to run comes back by itself after a reboot of the host.
---@param why string?  of run/runtime
function M.comes_back(keeper, why)
  return why == "rebooted" and keeper.entry.desired == "running" and restart.starts_at_boot(keeper.entry.spec.restart)
end

-- Whether the commands of its start have run, which make it provisioned.
local function look_at_start(project, other)
  local spec = other.entry.spec
  local now = spec.post_start and runtime.load(project.world, project.state, project.name, other.name)
  local left, failed = hook.outstanding(spec, now or {})
  if not left then return "there" end
  return failed and "never" or "waits", "has failed"
end

local function look_at_live(project, other, goal)
  if goal == "running" or goal == "healthy" and not other.entry.spec.healthcheck then return "there" end
  if goal == "completed" then return "waits" end
  if goal == "healthy" then
    local status = other.guest and other.guest.health or other.now.health
    if status == "healthy" then return "there" end
    local is_replaced = other.entry.spec.restart and other.entry.spec.restart.on_unhealthy
    return status == "unhealthy" and not is_replaced and "never" or "waits", "is unhealthy"
  end
  local told = observe.report(project.world, project.state, project.name, other.name, other.now)
  if report.reached(told, goal) then
    if goal == "provisioned" then return look_at_start(project, other) end
    return "there"
  end
  return told.state == "failed" and "never" or "waits", "has failed"
end

--- How far another one is.
---@return "there"|"waits"|"never" verdict
---@return string? why  never: "is unhealthy"
function M.look(project, other, goal)
  if other.is_live then return look_at_live(project, other, goal) end
  if other:is_active() then return "waits" end
  if goal == "completed" and other.exit == shutdown.POWERED_OFF then return "there" end
  return "never", "does not come back by itself"
end

local function until_moved(keeper, other, goal, moved)
  local project = keeper.project
  task.race {
    function() moved:wait() end,
    function() task.wait { at_ms = keeper.late_ms } end,
    function()
      if other.is_live and (goal == "ready" or goal == "provisioned") then
        checks.until_reported(project, other.entry.spec, other.now, goal)
        if M.look(project, other, goal) ~= "waits" then return end
      end
      task.event():wait() -- supervise/start stirs when it is done
    end,
  }
end

local function tell(keeper, event)
  local text = event.text or event.message
  if keeper.told_of_order == text then return end
  keeper.told_of_order, event.instance = text, keeper.name
  keeper.project:emit(event)
end

-- Until another one is there: nil, or why it is not waited for any longer.
local function await(keeper, other, goal)
  while true do
    local moved = keeper.project.moved
    local verdict, why = M.look(keeper.project, other, goal)
    if verdict == "there" then return nil end
    if verdict == "never" then return why end
    if task.now_ms() >= keeper.late_ms then return ("was waited for %d s"):format(M.LATE_MS // 1000) end
    tell(keeper, { type = "instance.waiting", text = ("waits until %s %s"):format(other.name, words(goal)) })
    until_moved(keeper, other, goal, moved)
  end
end

local function await_all(keeper)
  local keepers = keeper.project.keepers
  for _, dependency in ipairs(keeper.entry.spec.depends_on or {}) do
    for _, name in ipairs(table_.keys(keepers)) do
      local other = keepers[name]
      if other and other ~= keeper and other.entry.spec.service == dependency.service then
        local why = await(keeper, other, gate.of(other.entry.spec, dependency.condition))
        if why then
          tell(keeper, { type = "supervisor.warning", message = ("%s %s: %s starts without it"):format(name, why, keeper.name) })
        end
      end
    end
  end
end

--- Waits until all that an instance depends on are there, or can no longer be expected.
---@return boolean  false: something of the instance itself has changed meanwhile
function M.is_its_turn(keeper)
  keeper.late_ms = keeper.late_ms or task.now_ms() + M.LATE_MS
  local is_its_turn = task.race {
    function() await_all(keeper) return true end,
    function() keeper.inbox:take() return false end,
  }
  if is_its_turn then keeper.late_ms = nil end
  return is_its_turn
end

return M
