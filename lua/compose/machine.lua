--- What a machine is: firmware, clock, platform, names and numbers that several keys can say. Pure.
local text_ = require "holos.core.text"

local M = {}

local YES = { [true] = true, ["true"] = true, yes = true, on = true }

--- "bios", "uefi", or a path.
---@return string? firmware
---@return string? message
---@return string? hint
function M.parse_firmware(text)
  if text == "bios" or text == "uefi" then return text end
  if text:find("%c") then return nil, "the path has a control character" end
  if text:find("^%.?%.?/") or text:find("^~/") or text:find("%.fd$") then return text end
  return nil, ('expected "bios", "uefi" or the path of a firmware image, got "%s"'):format(text),
    ('a file beside this one is "./%s"'):format(text)
end

local DAYS = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(year, month, day)
  if month < 1 or month > 12 or day < 1 or day > DAYS[month] then return false end
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month ~= 2 or day < 29 or is_leap
end

--- What the clock of the machine shows when it starts: "utc", "localtime", or a time.
---@return string? rtc
---@return string? message
function M.parse_rtc(text)
  if text == "utc" or text == "localtime" then return text end
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  local hour, minute, second = (rest or ""):match("^[T ](%d%d):(%d%d):(%d%d)Z?$")
  if rest == "" then hour, minute, second = "00", "00", "00" end
  local fits = hour and is_date(tonumber(year), tonumber(month), tonumber(day)) and tonumber(hour) < 24
    and tonumber(minute) < 60 and tonumber(second) < 60
  if fits then return ("%s-%s-%sT%s:%s:%s"):format(year, month, day, hour, minute, second) end
  return nil, ('expected utc, localtime or a time such as "2026-01-31T12:00:00", got "%s"'):format(text)
end

local ARCHITECTURES = {
  amd64 = "x86_64", x86_64 = "x86_64", ["x86-64"] = "x86_64", arm64 = "aarch64", aarch64 = "aarch64",
  riscv64 = "riscv64", ppc64le = "ppc64le", s390x = "s390x", ["386"] = "i386", i386 = "i386", arm = "arm",
}

--- OS/ARCHITECTURE[/VARIANT], or the architecture alone.
---@return {os: string, architecture: string, variant: string?}? platform
---@return string? message
---@return string? hint
function M.parse_platform(text)
  local os, architecture, variant = text:lower():match("^([%w_-]+)/([%w_-]+)/?([%w._-]*)$")
  if not os then os, architecture = "linux", text:lower() end
  if os ~= "linux" then return nil, ('platform "%s": guests run Linux'):format(text), "for example linux/amd64" end
  local known = ARCHITECTURES[architecture]
  if not known then
    return nil, ('unknown architecture "%s"'):format(architecture), "amd64 and arm64 are common ones"
  end
  return { os = os, architecture = known, variant = variant ~= "" and variant or nil }
end

local RESTART = { no = "no", always = "always", ["unless-stopped"] = "unless-stopped", ["on-failure"] = "on-failure" }

--- What happens when a machine ends: no, always, on-failure[:N], unless-stopped.
---@param value string|boolean  `false` is how YAML 1.1 read "no"
---@return string? policy
---@return string? message
function M.parse_restart(value)
  if value == false then return "no" end
  if value ~= true and (RESTART[value] or value:find("^on%-failure:%d+$")) then return value end
  local close = YES[value] and "always" or text_.nearest(tostring(value), { "always", "on-failure", "unless-stopped" })
  return nil, ('expected no, always, on-failure, on-failure:3 or unless-stopped, got "%s"'):format(tostring(value)),
    close and ('did you mean "%s"?'):format(close) or nil
end

local PULL = { always = true, never = true, missing = true, if_not_present = true, build = true, refresh = true,
  daily = true, weekly = true }

--- How old an image may get: "1d12h".
---@return string? age
---@return string? message
function M.parse_pull_age(text)
  if text ~= "" and text:gsub("%d+[wdhms]", "") == "" and text:find("[1-9]") then return text end
  return nil, ('expected an age such as 1d or 12h, got "%s"'):format(text)
end

--- When an image is fetched anew.
---@return string? policy
---@return string? message
function M.parse_pull_policy(text)
  local rest = text:match("^every_(.+)$")
  if PULL[text] then return text end
  if rest and M.parse_pull_age(rest) then return text end
  return nil, ('unknown pull policy "%s"'):format(text), "one of always, missing, never, daily, weekly, every_12h"
end

--- A host name, whole or first label only, as its label and its domain.
---@return string? hostname
---@return string? message_or_domain  the domain, or nil; why it is no name when the first result is nil
function M.split_hostname(text)
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:find("^%w[%w-]*$") or label:sub(-1) == "-" then
      return nil, ('"%s" is no host name'):format(text)
    end
  end
  if #text > 253 then return nil, "a host name has at most 253 bytes" end
  return text:match("^([^.]+)%.?(.*)$")
end

return M
