--- Judges how a transfer gets on: its rate, what is left of it, and when it is too slow. Pure: it is told the time.
local units = require "holos.core.units"

local M = {}

-- -- rates over a span of time ------------------------------------------------------------------------------------

local Window = {}
Window.__index = Window

local SLOTS = 16

local function new_window(span_ms)
  return setmetatable({ span_ms = span_ms, first = 1, last = 0 }, Window)
end

-- Remembers no more than SLOTS points of the span, so that a look costs nothing.
function Window:add(now_ms, bytes)
  local newest = self[self.last]
  if newest and now_ms - newest.at_ms < self.span_ms / SLOTS then return end
  self.last = self.last + 1
  self[self.last] = { at_ms = now_ms, bytes = bytes }
  while self.first < self.last and now_ms - self[self.first + 1].at_ms >= self.span_ms do
    self[self.first] = nil
    self.first = self.first + 1
  end
end

-- Bytes a second since the oldest point, and how old that is.
function Window:rate(now_ms, bytes)
  local oldest = self[self.first]
  local age_ms = now_ms - oldest.at_ms
  return age_ms > 0 and (bytes - oldest.bytes) * 1000 / age_ms or 0, age_ms
end

-- -- the meter ----------------------------------------------------------------------------------------------------

local Meter = {}
Meter.__index = Meter

local RATE_SPAN_MS = 5000        -- what is shown follows what happens, without jumping about

---@class holos.MeterLimits
---@field idle_ms integer            without a byte
---@field least_bytes_per_s integer  over `over_ms`
---@field over_ms integer
---@field deadline_ms integer?       a point in time

--- A meter for a transfer that has `bytes` behind it.
---@param limits holos.MeterLimits
function M.new(limits, now_ms, bytes)
  local self = setmetatable({ limits = limits, moved_ms = now_ms, bytes = bytes }, Meter)
  self.shown, self.judged = new_window(RATE_SPAN_MS), new_window(limits.over_ms)
  self.shown:add(now_ms, bytes)
  self.judged:add(now_ms, bytes)
  return self
end

--- Takes note of how many bytes there are; gives why it is too slow, or nil.
function Meter:see(now_ms, bytes)
  local limits = self.limits
  if bytes ~= self.bytes then self.bytes, self.moved_ms = bytes, now_ms end
  self.shown:add(now_ms, bytes)
  self.judged:add(now_ms, bytes)
  if limits.deadline_ms and now_ms >= limits.deadline_ms then return "it takes longer than allowed" end
  if now_ms - self.moved_ms >= limits.idle_ms then
    return "nothing came for " .. units.format_duration(now_ms - self.moved_ms)
  end
  local rate, age_ms = self.judged:rate(now_ms, bytes)
  if age_ms >= limits.over_ms and rate < limits.least_bytes_per_s then
    return ("only %d bytes a second came over %s, wanted %d"):format(rate // 1, units.format_duration(age_ms),
      limits.least_bytes_per_s)
  end
end

--- Bytes a second of late, as an integer.
function Meter:rate(now_ms)
  return (self.shown:rate(now_ms, self.bytes)) // 1 | 0
end

--- How long the rest will take in milliseconds; nil when nobody knows.
function Meter:eta_ms(now_ms, total_bytes)
  local rate = self:rate(now_ms)
  if not total_bytes or rate <= 0 then return nil end
  return math.max(0, total_bytes - self.bytes) * 1000 // rate
end

return M
