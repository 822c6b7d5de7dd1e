--- Sizes and durations: "20G" to bytes, "1m30s" to milliseconds, and back. Pure.
local M = {}

local SIZE_UNITS = { b = 0, k = 10, m = 20, g = 30, t = 40, p = 50 }
local SIZE_NAMES = { "KiB", "MiB", "GiB", "TiB", "PiB" }
local DURATION_MS = { us = 0.001, ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local MOST = 2.0 ^ 62

-- Decimal fractions are not exact: 1.001 times 1000 is a little less than 1001.
local function as_integer(number, text)
  if number >= MOST then return nil, ("%q is too large"):format(text) end
  return math.tointeger(number) or math.floor(number + 1e-6)
end

--- "20G", "20GiB", "512m", "1.5g", 1024 → bytes. Units are powers of 1024, as in Compose.
---@return integer? bytes
---@return string? message
function M.parse_bytes(value)
  if math.type(value) == "integer" then
    if value < 0 then return nil, ("%d is negative"):format(value) end
    return value
  end
  local text = tostring(value)
  local number, unit = text:lower():match("^%s*(%d+%.?%d*)%s*([bkmgtp]?)i?b?%s*$")
  if not number then return nil, ("expected a size such as 512M or 20G, got %q"):format(text) end
  return as_integer(tonumber(number) * 2.0 ^ SIZE_UNITS[unit == "" and "b" or unit], text)
end

--- 21474836480 → "20 GiB"; at most one decimal.
function M.format_bytes(count)
  local unit, value = "B", count
  for _, name in ipairs(SIZE_NAMES) do
    if value < 1024 then break end
    unit, value = name, value / 1024
  end
  local text = ("%.1f"):format(value):gsub("%.0$", "")
  return text .. " " .. unit
end

--- "30s", "1m30s", "1.5h", "500ms" → milliseconds. A bare number has no unit and is refused, but for 0.
---@return integer? duration_ms
---@return string? message
function M.parse_duration(value)
  local text = tostring(value)
  if text == "0" then return 0 end
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, after = rest:match("^(%d+%.?%d*)(%l+)(.*)$")
    local factor = DURATION_MS[unit]
    if not factor then return nil, ("expected a duration such as 30s or 1m30s, got %q"):format(text) end
    total, rest = total + tonumber(number) * 1.0 * factor, after
  end
  if text == "" then return nil, "expected a duration such as 30s, got nothing" end
  return as_integer(total, text)
end

-- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days_of(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local era, of_era = year // 400, year % 400
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + (153 * (month - 3) + 2) // 5 + day - 1 - 719468
end

local function instant_of(text)
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  if not year or tonumber(month) < 1 or tonumber(month) > 12 or tonumber(day) < 1 or tonumber(day) > 31 then return nil end
  local utc_s = days_of(math.tointeger(tonumber(year)), math.tointeger(tonumber(month)), math.tointeger(tonumber(day))) * 86400
  if rest == "" then return utc_s * 1000 end
  local hour, minute, second, zone = rest:match("^T(%d%d):(%d%d):(%d%d%.?%d*)([Z+-].*)$")
  local sign, zone_hour, zone_minute = (zone or ""):match("^([+-])(%d%d):(%d%d)$")
  if not hour or not sign and zone ~= "Z" then return nil end
  local offset_s = sign and (zone_hour * 3600 + zone_minute * 60) * (sign == "-" and -1 or 1) or 0
  return math.floor((utc_s + hour * 3600 + minute * 60 + second - offset_s) * 1000 + 0.5)
end

--- "10m" is that long ago; "2026-11-21T09:30:00Z", "2026-11-21T10:30:00+01:00" and "2026-11-21" (UTC) are when they say.
---@return {ago_ms: integer?, utc_ms: integer?}? moment
---@return string? message
function M.parse_moment(text)
  local ago_ms = M.parse_duration(text)
  if ago_ms then return { ago_ms = ago_ms } end
  local utc_ms = instant_of(text)
  if utc_ms then return { utc_ms = utc_ms } end
  return nil, ("expected a duration such as 10m, or a time such as 2026-11-21T09:30:00Z, got %q"):format(text)
end

--- 90000 → "1m30s"; 1500 → "1.5s"; 20 → "20ms".
function M.format_duration(duration_ms)
  if duration_ms > 0 and duration_ms < 100 then return ("%dms"):format(duration_ms) end
  if duration_ms < 60000 then return (("%.1f"):format(duration_ms / 1000):gsub("%.0$", "")) .. "s" end
  local parts, rest = {}, duration_ms // 1000
  for _, unit in ipairs { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } } do
    if rest >= unit[2] then parts[#parts + 1] = rest // unit[2] .. unit[1] end
    rest = rest % unit[2]
  end
  return table.concat(parts)
end

--- Bytes as files say them, and exactly: 2147483648 → "2G", 1000 → "1000B".
function M.write_bytes(count)
  local unit, value = "B", count
  for _, name in ipairs(SIZE_NAMES) do
    if value == 0 or value % 1024 ~= 0 then break end
    unit, value = name:sub(1, 1), value // 1024
  end
  return value .. unit
end

--- A duration as files say it, and exactly: 90000 → "1m30s", 1500 → "1.5s", 86400000 → "24h".
function M.write_duration(duration_ms)
  local minutes, ms = duration_ms // 60000, duration_ms % 60000
  local text = (minutes >= 60 and minutes // 60 .. "h" or "") .. (minutes % 60 > 0 and minutes % 60 .. "m" or "")
  if ms == 0 and text ~= "" then return text end
  if text == "" and ms > 0 and ms < 1000 then return ms .. "ms" end
  return text .. ("%.3f"):format(ms / 1000):gsub("%.?0+$", "") .. "s"
end

return M
