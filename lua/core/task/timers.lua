--- Timers in a binary heap: add and remove in O(log n); equal times fire in the order in which they were made. Pure.

local M = {}

local Timers = { __name = "task.timers" }
Timers.__index = Timers

--- An empty set of timers.
function M.new()
  return setmetatable({ heap = {}, made = 0 }, Timers)
end

local function before(a, b)
  return a.at_ms < b.at_ms or (a.at_ms == b.at_ms and a.number < b.number)
end

-- Puts `timer` at `position` or wherever above it belongs.
local function sift_up(heap, timer, position)
  while position > 1 do
    local parent = heap[position // 2]
    if before(parent, timer) then break end
    heap[position], parent.position = parent, position
    position = position // 2
  end
  heap[position], timer.position = timer, position
end

-- Puts `timer` at `position` or wherever below it belongs.
local function sift_down(heap, timer, position)
  local size = #heap
  while 2 * position <= size do
    local at = 2 * position
    if at < size and before(heap[at + 1], heap[at]) then at = at + 1 end
    local child = heap[at]
    if before(timer, child) then break end
    heap[position], child.position = child, position
    position = at
  end
  heap[position], timer.position = timer, position
end

--- `fire()` is to be called once `at_ms` has come; gives the timer, for `remove`.
function Timers:add(at_ms, fire)
  self.made = self.made + 1
  local timer = { at_ms = at_ms, fire = fire, number = self.made }
  sift_up(self.heap, timer, #self.heap + 1)
  return timer
end

--- Forgets a timer; one that has fired or was removed is ignored.
function Timers:remove(timer)
  local position = timer.position
  if not position then return end
  local heap = self.heap
  local last = table.remove(heap)
  timer.position = nil
  if last == timer then return end
  sift_up(heap, last, position)
  if last.position == position then sift_down(heap, last, position) end
end

--- When the earliest timer is due, or nil.
function Timers:next_ms()
  local first = self.heap[1]
  return first and first.at_ms
end

--- Fires all timers that are due at `now_ms`.
function Timers:fire_due(now_ms)
  local first = self.heap[1]
  while first and first.at_ms <= now_ms do
    self:remove(first)
    first.fire()
    first = self.heap[1]
  end
end

--- How many timers are set.
function Timers:count()
  return #self.heap
end

return M
