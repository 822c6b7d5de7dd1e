--- Events, queues and semaphores between tasks. Pure.
--
-- What is handed to a waiting task is its own from that moment: a cancel that comes later is raised at its next wait,
-- so no item and no permit is lost.

local loops = require "holos.core.task.loop"
local sources = require "holos.core.task.sources"

local M = {}

local function class(name)
  local methods = { __name = "task." .. name }
  methods.__index = methods
  return methods
end

-- -- event: happens once ------------------------------------------------------------------------------------------

local Event = class "event"

--- An event that happens once; waits after that give its value at once.
function M.event()
  return setmetatable({ waiters = sources.waiters() }, Event)
end

--- The event happens; later calls change nothing.
function Event:fire(value)
  if self.fired then return end
  self.fired, self.value = true, value
  self.waiters:wake_all(nil, value)
end

--- Whether it has happened.
function Event:is_fired() return self.fired or false end

--- Waits for it; gives the value it was fired with.
function Event:wait() return loops.park(self) end

function Event:arm(task)
  if self.fired then task:wake(nil, self.value) else self.waiters:push(task) end
end

function Event:disarm(task) self.waiters:remove(task) end
function Event.describe() return "an event" end

-- -- queue: items in order ----------------------------------------------------------------------------------------

local Queue = class "queue"

--- A queue of at most `limit` items (no limit when nil). Items are any values but nil.
function M.queue(limit)
  return setmetatable({
    items = {}, first = 1, last = 0, limit = limit or math.huge,
    takers = sources.waiters(), putters = sources.waiters(),
  }, Queue)
end

local function append(queue, item)
  local taker = queue.takers.first
  if taker then return taker:wake(nil, item) end
  queue.last = queue.last + 1
  queue.items[queue.last] = item
end

-- Room came free: the first who waits to put may.
local function admit(queue)
  local putter = queue.putters.first
  if not putter then return end
  append(queue, putter.source.item)
  putter:wake(nil, true)
end

local Put = class "put"

function Put:arm(task) self.queue.putters:push(task) end
function Put:disarm(task) self.queue.putters:remove(task) end
function Put.describe() return "room in a queue" end

--- Adds an item; waits while the queue is full. Raises when the queue is closed.
function Queue:put(item)
  if item == nil then error("a queue holds no nil", 2) end
  if self.closed then error("the queue is closed", 2) end
  if self:count() < self.limit then return append(self, item) end
  loops.park(setmetatable({ queue = self, item = item }, Put))
end

--- Waits for an item and gives it; nil when the queue is closed and empty.
function Queue:take() return loops.park(self) end

--- No more items will come: takers get what is left, then nil. Items of those who wait for room still count.
function Queue:close()
  self.closed = true
  self.takers:wake_all(nil, nil)
end

--- How many items it holds.
function Queue:count() return self.last - self.first + 1 end

function Queue:arm(task)
  if self:count() == 0 then
    if self.closed then task:wake(nil, nil) else self.takers:push(task) end
    return
  end
  local item = self.items[self.first]
  self.items[self.first] = nil
  self.first = self.first + 1
  task:wake(nil, item)
  admit(self)
end

function Queue:disarm(task) self.takers:remove(task) end
function Queue.describe() return "an item of a queue" end

-- -- semaphore: so many at a time ---------------------------------------------------------------------------------

local Semaphore = class "semaphore"

--- At most `permits` tasks are inside at a time.
function M.semaphore(permits)
  return setmetatable({ permits = permits, waiters = sources.waiters() }, Semaphore)
end

--- Waits for a permit.
function Semaphore:acquire() loops.park(self) end

--- Gives a permit back; the first who waits gets it.
function Semaphore:release()
  local waiter = self.waiters.first
  if waiter then waiter:wake(nil, true) else self.permits = self.permits + 1 end
end

--- Runs `fn(...)` holding a permit; gives its results.
function Semaphore:with(fn, ...)
  self:acquire()
  local _permit <close> = setmetatable({}, { __close = function() self:release() end })
  return fn(...)
end

function Semaphore:arm(task)
  if self.permits > 0 then
    self.permits = self.permits - 1
    task:wake(nil, true)
  else
    self.waiters:push(task)
  end
end

function Semaphore:disarm(task) self.waiters:remove(task) end
function Semaphore.describe() return "a permit of a semaphore" end

return M
