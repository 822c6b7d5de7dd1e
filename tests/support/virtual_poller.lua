--- A poller whose time passes only when every task waits: tests of minutes take microseconds.
--
-- poller:at(ms, fn) does something at a point in time; poller:ready(fd, dir) makes a descriptor ready, until
-- poller:drain(fd); poller:signal(name) delivers a signal (only with virtual.new { signals = true }).

local task = require "holos.core.task"

local M = {}

local Poller = {}
Poller.__index = Poller

local SIGNAL_FD = 1000

local function signal_source(poller)
  local pending = {}
  function poller:signal(name)
    pending[#pending + 1] = name
    self:ready(SIGNAL_FD, "r")
  end
  return {
    fileno = function() return SIGNAL_FD end,
    try_next = function()
      local name = table.remove(pending, 1)
      if name then return name end
      poller:drain(SIGNAL_FD)
      return nil, "EAGAIN", "r"
    end,
  }
end

--- A poller that stands at 0 ms.
function M.new(options)
  local poller = setmetatable({ time_ms = 0, events = {}, descriptors = {}, polls = 0 }, Poller)
  poller.now_ms = function() return poller.time_ms end
  poller.wait = function(list, timeout_ms) return poller:poll(list, timeout_ms) end
  if options and options.signals then poller.signals = signal_source(poller) end
  return poller
end

--- Calls `fn()` when the time comes.
function Poller:at(ms, fn)
  table.insert(self.events, { at_ms = ms, fn = fn })
  table.sort(self.events, function(a, b) return a.at_ms < b.at_ms end)
end

--- Makes a descriptor ready for "r" or "w".
function Poller:ready(fd, direction)
  self.descriptors[fd] = self.descriptors[fd] or {}
  self.descriptors[fd][direction] = true
end

--- Makes a descriptor not ready.
function Poller:drain(fd)
  self.descriptors[fd] = nil
end

--- Time passes: computing.
function Poller:spend(ms)
  self.time_ms = self.time_ms + ms
end

local function ready_positions(poller, list)
  local positions = {}
  for i = 1, #list, 2 do
    local state = poller.descriptors[list[i]] or {}
    local direction = list[i + 1]
    if state[direction] or (direction == "rw" and (state.r or state.w)) then
      positions[#positions + 1] = (i + 1) // 2
    end
  end
  return positions
end

-- Goes on to the next event or to `limit_ms`, whichever is first; false when neither is there.
local function advance(poller, limit_ms)
  local event = poller.events[1]
  if event and event.at_ms <= limit_ms then
    table.remove(poller.events, 1)
    poller.time_ms = math.max(poller.time_ms, event.at_ms)
    event.fn()
    return true
  end
  if limit_ms < math.huge then poller.time_ms = math.max(poller.time_ms, limit_ms) end
  return false
end

function Poller:poll(list, timeout_ms)
  self.polls = self.polls + 1
  local limit_ms = timeout_ms < 0 and math.huge or self.time_ms + timeout_ms
  local positions = ready_positions(self, list)
  while #positions == 0 and advance(self, limit_ms) do positions = ready_positions(self, list) end
  if #positions == 0 and limit_ms == math.huge then error("virtual time: this wait would last for ever", 0) end
  return positions
end

--- Runs `main(scope, poller)` on a new virtual poller; gives its results.
function M.run(main, options)
  local poller = M.new(options)
  return task.run(poller, function(scope) return main(scope, poller) end)
end

--- A task's wait of so many milliseconds.
function M.wait_ms(ms)
  task.wait { at_ms = task.now_ms() + ms }
end

return M
