--- Keeps one instance: waits for its end, says why it ended, starts it again when its policy says so. Effects: a pidfd
--- and a monitor of the VM, runtime.json under the instance's lock, launches.
local beside = require "holos.supervise.beside"
local end_ = require "holos.supervise.end"
local err = require "holos.core.err"
local guest_ = require "holos.supervise.guest"
local order = require "holos.supervise.order"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- What could not be done is tried again, first after this time, then each time after twice as long.
M.AGAIN_MS, M.AGAIN_MOST_MS = 1000, 60000

local Keeper = {}
Keeper.__index = Keeper

--- A keeper for an instance of `project` (supervise/project).
---@param entry {desired: string, spec: table}
function M.new(project, name, entry)
  return setmetatable({ project = project, name = name, entry = entry, inbox = task.queue(), news = task.event(),
    is_busy = true }, Keeper)
end

--- Its runtime or record may have changed.
function Keeper:poke()
  if self.inbox:count() == 0 then self.inbox:put(true) end
end

--- The record says something else now.
function Keeper:update(entry)
  if table_.deep_equal(entry, self.entry) then return end
  local news = self.news
  self.entry, self.news = entry, task.event()
  news:fire()
  if self.guest then self.guest:tell() end
  self:poke()
end

--- The record no longer knows it.
function Keeper:drop()
  self.is_dropped = true
  self:poke()
end

--- What `status` tells of it.
function Keeper:status()
  local now = self.now or {}
  return { desired = self.entry.desired, live = self.is_live or false,
    listens = self.is_live and self.guest ~= nil and self.guest.session ~= nil, pid = now.pid, health = now.health, exit = now.exit,
    restarts = now.restarts }
end

local function next_ms(keeper)
  local restarts = keeper.now and keeper.now.restarts
  return restarts and restarts.next_ms
end

--- Whether there is something to look after: it is to run, and runs or will be restarted; or a command of its start is in
--- hand, which would go on in the guest without us.
function Keeper:is_active()
  if self.is_dropped then return false end
  if self.is_starting then return true end
  if self.entry.desired ~= "running" then return false end
  return self.is_busy or self.is_live or next_ms(self) ~= nil
end

local function written(keeper)
  local project = keeper.project
  local now, why, exit = runtime.load(project.world, project.state, project.name, keeper.name)
  if now then now.spec = nil end -- most of it, and nothing that is looked at while it runs
  return now, why, exit
end

-- What is to be done about a running machine before it is attended to: a launch that may have been cut off is looked at once,
-- as a guest may halt before it proves anything; what was about to end it goes on.
local function amiss(keeper, now)
  if keeper.entry.desired ~= "running" then return nil end
  if not runtime.is_proven(now) and keeper.looked_at ~= now.pid then return "cut" end
  return now.ending and "ending"
end

-- Until it is another launch, or there is something to be done about this one. Other settings are taken over beside it.
local function until_changed(keeper, known)
  while true do
    keeper.inbox:take()
    if keeper.is_dropped then return "changed" end
    local now = written(keeper)
    if not now or now.pid ~= known.pid or now.start_time ~= known.start_time then return "changed" end
    keeper.now = now
    if amiss(keeper, now) then return "changed" end
  end
end

--- It runs: until it has ended, has to be replaced, or is another launch.
local function attend(keeper, now, process)
  local guest <close> = guest_.new(keeper.project, keeper.entry.spec, now)
  keeper.guest = guest
  local what, why = task.race {
    function()
      task.wait { process = process }
      return "ended"
    end,
    function() return until_changed(keeper, now) end,
    function() return "replace", beside.run(keeper, now, guest) end,
  }
  if what == "ended" then end_.settle(keeper, now, guest:ending()) end
  if what == "replace" then end_.replace(keeper, now, why) end
end

--- It does not run: until it is to be started again, or something else has happened to it.
local function rest(keeper)
  local due_ms = keeper.entry.desired == "running" and next_ms(keeper)
  if not due_ms or keeper.project:is_held(keeper.name) then return keeper.inbox:take() end
  local is_due = task.race {
    function() task.wait { at_ms = due_ms } return true end,
    function() keeper.inbox:take() return false end,
  }
  if is_due and not keeper.project:is_held(keeper.name) and order.is_its_turn(keeper) then end_.start_again(keeper) end
end

-- The host was rebooted: what is to come back by itself does, unless somebody asks to leave it alone.
local function come_back(keeper)
  keeper.is_busy = true
  if keeper.project:is_held(keeper.name) then return keeper.inbox:take() end
  if order.is_its_turn(keeper) then end_.start_after_boot(keeper) end
end

local function keep_running(keeper, now, process)
  local is_amiss = amiss(keeper, now)
  if is_amiss == "cut" then
    keeper.looked_at = now.pid
    return end_.finish_launch(keeper, now)
  end
  keeper.is_busy = false
  keeper.project:review()
  if is_amiss then return end_.replace(keeper, now, now.ending) end
  attend(keeper, now, process)
end

local function turn(keeper)
  local project = keeper.project
  local now, why, before = written(keeper)
  local process <close> = runtime.process(project.world, now)
  keeper.now, keeper.is_live, keeper.guest, keeper.is_starting = now, process ~= nil, nil, false
  keeper.exit = now and now.exit or before -- also of before a reboot: what has done its work is not undone by one
  if process then keeper.late_ms, keeper.told_of_order = nil, nil end
  project:stir()
  if process then
    keep_running(keeper, now, process)
  elseif now and now.pid and keeper.entry.desired == "running" then
    keeper.is_busy = true
    end_.settle(keeper, now, {})
  elseif order.comes_back(keeper, why) then
    come_back(keeper)
  else
    keeper.is_busy = false
    project:review()
    rest(keeper)
  end
end

-- Tells of a trouble once, however often it is met.
local function tell_trouble(keeper, message)
  if keeper.trouble == message then return end
  keeper.trouble = message
  keeper.project:emit { type = "supervisor.trouble", instance = keeper.name, message = message }
end

--- What cannot be done for an instance is tried again: after a pause, sooner when something of it has changed. Until then it
--- counts as looked after, or a supervisor would end over it and leave nobody to try.
local function trouble(keeper, problem)
  if not err.is_failure(problem) then error(problem, 0) end
  keeper.is_busy, keeper.is_live, keeper.now = true, false, nil
  tell_trouble(keeper, problem.message)
  keeper.again_ms = math.min(2 * (keeper.again_ms or M.AGAIN_MS // 2), M.AGAIN_MOST_MS)
  local begun_ms = task.now_ms()
  task.wait { at_ms = begun_ms + M.AGAIN_MS } -- what changes without end is no reason to try without end
  task.race {
    function() task.wait { at_ms = begun_ms + keeper.again_ms } end,
    function() keeper.inbox:take() end,
  }
end

--- Keeps it until the record no longer knows it.
function Keeper:run()
  while not self.is_dropped do
    task.wait { at_ms = task.now_ms() } -- others have their turns, and news come in, whatever this one finds
    local ok, problem = xpcall(turn, err.trace, self)
    if ok then self.again_ms, self.trouble = nil, nil else trouble(self, problem) end
  end
end

return M
