--- File systems in memory: services.*.tmpfs. Pure.
--
-- tmpfs := target [ ":" option { "," option } ]; size=64m, mode=1777, and options of mount(8) that make sense for one.
local permissions = require "holos.compose.permissions"
local units = require "holos.core.units"
local volumes = require "holos.compose.volumes"

local M = {}

-- Options handed to mount(8) as they are, and those that take a number.
local FLAGS = {
  rw = true, exec = true, noexec = true, suid = true, nosuid = true, dev = true, nodev = true, noatime = true,
  nodiratime = true, relatime = true, strictatime = true, sync = true, async = true,
}
local NUMBERS = { uid = true, gid = true, nr_inodes = true, nr_blocks = true }

local setters = {}

function setters.size(mount, value)
  local bytes, message = units.parse_bytes(value)
  if not bytes then return message end
  mount.size_bytes = bytes
end

function setters.mode(mount, value)
  local mode, message = permissions.mode(value)
  if not mode then return message end
  mount.mode = mode
end

local function read_option(mount, kept, option)
  local name, value = option:match("^([^=]*)=?(.*)$")
  if setters[name] then return setters[name](mount, value) end
  if option == "ro" then
    mount.read_only = true
  elseif FLAGS[option] or NUMBERS[name] and value:find("^%d+[kmg]?$") then
    if option ~= "rw" then kept[#kept + 1] = option end
  else
    return ('unknown option "%s"; expected size=…, mode=… or options of mount such as noexec'):format(option)
  end
end

--- Further options of mount(8) alone, as the long form has them: "noexec,nosuid".
---@return string? options
---@return string? message
function M.options(text)
  local mount, message = M.parse("/x:" .. text)
  if not mount then return nil, message end
  if mount.size_bytes or mount.mode or mount.read_only then return nil, "size, mode and ro have keys of their own" end
  return mount.options or ""
end

--- One entry.
---@return table? mount  {kind = "tmpfs", target, read_only, size_bytes, mode, options = "noexec,nosuid" or nil}
---@return string? message
function M.parse(text)
  local target_text, options = text:match("^([^:]*):?(.*)$")
  local target, message = volumes.target(target_text)
  if not target then return nil, message end
  local mount, kept = { kind = "tmpfs", target = target, read_only = false }, {}
  for option in options:gmatch("[^,]+") do
    message = read_option(mount, kept, option)
    if message then return nil, message end
  end
  if #kept > 0 then mount.options = table.concat(kept, ",") end
  return mount
end

return M
