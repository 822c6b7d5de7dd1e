--- Cancel frames: which part of which task is cancelled, and what its waits raise. Pure.
--
-- All frames of a run form one tree. A task enters a frame by `within`, `shield` and `scope`; the frame it starts with
-- hangs below that of the scope it was spawned in. Cancelling a frame wakes every task that waits in it or below, and
-- every later wait there raises again, until the frame is left: swallowing the error does not undo a cancel.
-- A shield hides what is above it.

local M = {}

local Frame = { __name = "task.frame" }
Frame.__index = Frame

--- Makes a frame the innermost one of `task`. Its parent is the task's frame so far, unless another is given.
---@param task table       whose part this is; needs `interrupt()`
---@param parent table?    for the first frame of a task: that of its scope
---@param shield boolean?  whether waits in here ignore what is cancelled above
function M.enter(task, parent, shield)
  local frame = setmetatable({
    task = task, outer = task.frame, parent = parent or task.frame, shield = shield or false, inner = {},
  }, Frame)
  if frame.parent then frame.parent.inner[frame] = true end
  task.frame = frame
  return frame
end

--- Leaves this frame; the task is back in the one it was in before.
function Frame:leave()
  local innermost = self.task.frame
  if self.parent then self.parent.inner[self] = nil end
  self.task.frame = self.outer
  if innermost ~= self then error("a coroutine yielded inside task.within, task.shield or task.scope", 0) end
end

-- In the order in which the tasks were spawned, so that runs are repeatable.
local function inner_frames(frame)
  local list = {}
  for inner in pairs(frame.inner) do list[#list + 1] = inner end
  table.sort(list, function(a, b) return a.task.number < b.task.number end)
  return list
end

local function interrupt(frame)
  if frame.task.frame == frame then frame.task:interrupt() end
  for _, inner in ipairs(inner_frames(frame)) do
    if not inner.shield then interrupt(inner) end
  end
end

--- Cancels this frame for good: waits in it and below raise `failure`. Only the first call counts.
---@param failure holos.Error
function Frame:cancel(failure)
  if self.failure then return end
  self.failure = failure
  interrupt(self)
end

-- The frames that can cancel this one: itself and those around it, up to the first shield.
local function reach(frame)
  local following = frame
  return function()
    local this = following
    following = this and not this.shield and this.parent or nil
    return this
  end
end

--- What a wait in this frame has to raise now, or nil. The outermost cancelled frame wins: it unwinds furthest.
function Frame:take_failure()
  local outermost
  for frame in reach(self) do
    if frame.failure then outermost = frame end
  end
  if not outermost then return nil end
  outermost.raised = true
  return outermost.failure
end

--- The frame whose cancelling made `problem`, or nil when it is an error of its own.
function Frame:cause_of(problem)
  for frame in reach(self) do
    if frame.failure ~= nil and rawequal(frame.failure, problem) then return frame end
  end
end

return M
