--- What a task can wait for: descriptors, points in time, signals, events, queues, semaphores. Pure.
--
-- A source has arm(task), which makes sure that task:wake is called one day, disarm(task), which undoes that, and
-- describe() for reports. A wake disarms first; arm may wake at once.

local M = {}

-- -- lists of waiting tasks ---------------------------------------------------------------------------------------

-- First come, first served. A task waits for one thing at a time, so the links are in the task itself.
local Waiters = {}
Waiters.__index = Waiters

--- An empty list of waiting tasks.
function M.waiters()
  return setmetatable({}, Waiters)
end

function Waiters:push(task)
  task.listed, task.before, task.after = self, self.last, nil
  if self.last then self.last.after = task else self.first = task end
  self.last = task
end

--- Takes a task out; one that is not listed here is ignored.
function Waiters:remove(task)
  if task.listed ~= self then return end
  local before, after = task.before, task.after
  if before then before.after = after else self.first = after end
  if after then after.before = before else self.last = before end
  task.listed, task.before, task.after = nil, nil, nil
end

--- Wakes all that wait now; gives whether there was one.
function Waiters:wake_all(failure, value)
  local any = self.first ~= nil
  while self.first do
    local task = self.first
    self:remove(task)
    task:wake(failure, value)
  end
  return any
end

-- -- the world outside --------------------------------------------------------------------------------------------

local function class(name)
  local methods = { __name = "task." .. name }
  methods.__index = methods
  return methods
end

local Descriptor = class "descriptor"

function Descriptor:arm(task) task.loop.watch:add(task, self.fd, self.direction) end
function Descriptor.disarm(_, task) task.loop.watch:remove(task) end
function Descriptor:describe() return ("descriptor %d (%s)"):format(self.fd, self.direction) end

local Moment = class "moment"

function Moment:arm(task)
  self.timer = task.loop.timers:add(self.at_ms, function() task:wake(nil, true) end)
end

function Moment:disarm(task) task.loop.timers:remove(self.timer) end
function Moment:describe() return ("the time %s ms"):format(self.at_ms) end

local Signal = class "signal"

function Signal:arm(task)
  local lists = task.loop.signal_waiters
  lists[self.name] = lists[self.name] or M.waiters()
  lists[self.name]:push(task)
end

function Signal:disarm(task) task.loop.signal_waiters[self.name]:remove(task) end
function Signal:describe() return "signal " .. self.name end

-- Gives its place in the queue of ready tasks to the others.
local Turn = class "turn"

function Turn.arm(_, task) task:wake(nil, true) end
function Turn.disarm() end
function Turn.describe() return "its turn" end

M.TURN = setmetatable({}, Turn)

local function descriptor(handle, direction)
  local fd = math.type(handle) == "integer" and handle or handle:fileno()
  if direction ~= "r" and direction ~= "w" and direction ~= "rw" then
    error(('dir is "r", "w" or "rw", got %s'):format(tostring(direction)), 4)
  end
  return setmetatable({ fd = fd, direction = direction }, Descriptor)
end

--- The source for what a caller of task.wait names.
---@param wanted table  {fd=, dir=} | {process=} | {at_ms=} | {signal=} | a source
function M.of(wanted)
  if type(wanted) ~= "table" then error("task.wait wants a source, got a " .. type(wanted), 3) end
  if wanted.arm then return wanted end
  if wanted.fd then return descriptor(wanted.fd, wanted.dir or "r") end
  if wanted.process then return descriptor(wanted.process, "r") end          -- a pidfd is readable when it has ended
  if wanted.at_ms then return setmetatable({ at_ms = wanted.at_ms }, Moment) end
  if wanted.signal then return setmetatable({ name = wanted.signal }, Signal) end
  error("task.wait wants one of fd, process, at_ms, signal, an event, a queue, a semaphore or a task", 3)
end

return M
