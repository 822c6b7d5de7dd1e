--- When an image that is there already is asked for anew. Pure.
local units = require "holos.core.units"

local M = {}

---@class holos.PullPolicy
---@field kind "never"|"missing"|"always"|"every"
---@field every_ms integer?

local DAY_MS <const> = 24 * 60 * 60 * 1000

-- A build takes its base as it is; "refresh" without a time is to be fresh each time.
local WORDS = { never = { kind = "never" }, missing = { kind = "missing" }, if_not_present = { kind = "missing" },
  build = { kind = "missing" }, always = { kind = "always" }, refresh = { kind = "always" },
  daily = { kind = "every", every_ms = DAY_MS }, weekly = { kind = "every", every_ms = 7 * DAY_MS } }

local function every(text)
  local every_ms = units.parse_duration((text:gsub("([%d.]+)w", function(count)
    return tonumber(count) and tonumber(count) * 7 .. "d"
  end)))
  return every_ms and every_ms > 0 and { kind = "every", every_ms = every_ms } or nil
end

--- What a policy means, as files and --pull say it; nil is as files that say nothing.
---@param text string?
---@param refresh_after string?  how old an image may get under "refresh"
---@return holos.PullPolicy? policy
---@return string? message
---@return string? hint
function M.parse(text, refresh_after)
  if text == nil then return WORDS.missing end
  if text == "refresh" and refresh_after then return every(refresh_after) or WORDS.refresh end
  if WORDS[text] then return WORDS[text] end
  local apart = text:match("^every_(%w[%w.]*)$")
  local policy = apart and every(apart)
  if policy then return policy end
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
