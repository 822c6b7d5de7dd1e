--- When an image that is there already is asked for anew. Pure.
local units = require "holos.core.units"

local M = {}

---@class holos.PullPolicy
---@field kind "never"|"missing"|"always"|"every"
---@field every_ms integer?

local DAY_MS <const> = 24 * 60 * 60 * 1000

-- A build takes its base as it is; there is nothing older than what was pulled for "refresh" without a time.
local WORDS = { never = { kind = "never" }, missing = { kind = "missing" }, if_not_present = { kind = "missing" },
  build = { kind = "missing" }, always = { kind = "always" }, refresh = { kind = "always" },
  daily = { kind = "every", every_ms = DAY_MS }, weekly = { kind = "every", every_ms = 7 * DAY_MS } }

--- What a policy means, as files and --pull say it; nil is as files that say nothing.
---@param text string?
---@return holos.PullPolicy? policy
---@return string? message
---@return string? hint
function M.parse(text)
  if text == nil then return WORDS.missing end
  if WORDS[text] then return WORDS[text] end
  local days_apart = text:match("^every_(%w[%w.]*)$")
  local every_ms = days_apart and units.parse_duration((days_apart:gsub("([%d.]+)w", function(count)
    return tonumber(count) and tonumber(count) * 7 .. "d"
  end)))
  if every_ms and every_ms > 0 then return { kind = "every", every_ms = every_ms } end
  return nil, ('unknown pull policy "%s"'):format(text), "one of always, missing, never, daily, weekly, every_12h"
end

--- Whether an image that was pulled then is to be asked for again now. A clock that went back asks for nothing.
---@param pulled_at string?  as the store writes it; nil: nobody knows, so it is
function M.is_due(policy, pulled_at, now_ms)
  if policy.kind == "always" then return true end
  if policy.kind ~= "every" then return false end
  local moment = pulled_at and units.parse_moment(pulled_at)
  return not (moment and moment.utc_ms) or now_ms - moment.utc_ms >= policy.every_ms
end

return M
