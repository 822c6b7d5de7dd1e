--- How long what was put aside is kept. Effects: reads the clock.
local M = {}

M.DAYS = 7
local DAY_MS = 24 * 60 * 60 * 1000
local FIRST_SANE_MS = 1704067200000 -- 2024-01-01, before the first holos

--- How long it has been kept by now; nil when that is not known, or while the clock is not set (before 2024).
---@param at_ms integer  UTC, when it was put aside
function M.age_ms(world, at_ms)
  local now_ms = world.clock.utc_ms()
  return at_ms >= FIRST_SANE_MS and now_ms >= FIRST_SANE_MS and now_ms - at_ms or nil
end

--- Whether its time is over; not while its age is not known.
function M.is_over(world, at_ms) return (M.age_ms(world, at_ms) or 0) > M.DAYS * DAY_MS end

return M
