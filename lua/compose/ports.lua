--- Port mappings: services.*.ports. Pure.

local M = {}

--- Where ports are published when the file names no address.
M.default_host_ip = "127.0.0.1"

local function split(text)
  local parts = {}
  for part in (text .. ":"):gmatch("([^:]*):") do parts[#parts + 1] = part end
  return parts
end

local function port_number(text, side, least)
  if not text:find("^%d+$") then return nil, ('the %s port "%s" is not a number'):format(side, text) end
  local number = math.tointeger(tonumber(text))
  if not number or number > 65535 then return nil, ("%s port %s is above 65535"):format(side, text) end
  if number < least then return nil, ("%s port %d is below %d"):format(side, number, least) end
  return number
end

--- Why `text` is no address a port can be published on; nil when it is one.
---@return string? message, string? hint
function M.check_host_ip(text)
  if text:find(":", 1, true) then return "IPv6 host addresses are not available yet", "publish on an IPv4 address" end
  local bytes = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  for _, byte in ipairs(bytes) do
    if #byte > 3 or tonumber(byte) > 255 then bytes = {} end
  end
  if #bytes == 0 then return ('"%s" is not an IPv4 address'):format(text) end
end

-- What this grammar has no room for yet, said before a confusing complaint about digits.
local function not_yet(body, parts)
  if #parts > 3 or body:find("[", 1, true) then
    return "IPv6 host addresses are not available yet", "publish on an IPv4 address"
  end
  for position = math.max(1, #parts - 1), #parts do
    if parts[position]:find("^%d+%-%d+$") then
      return "port ranges are not available yet", "write one line for each port"
    end
  end
end

local function mapping(parts)
  local guest, host, host_ip = table.remove(parts), table.remove(parts), table.remove(parts)
  local port, message = { host_ip = host_ip or M.default_host_ip, host = 0 }
  port.guest, message = port_number(guest, "guest", 1)
  if not port.guest then return nil, message end
  if host and not (host == "" and host_ip) then -- "127.0.0.1::80" leaves the host port open
    port.host, message = port_number(host, "host", 0)
    if not port.host then return nil, message end
  end
  if not host_ip then return port end
  local wrong, hint = M.check_host_ip(host_ip)
  if wrong then return nil, wrong, hint end
  return port
end

--- One mapping in short form: [[IP:]HOST:]GUEST[/tcp|/udp]. HOST 0, or none, asks for any free port.
---@param value string|integer
---@return table? port  {host_ip, host = 0…65535, guest = 1…65535, protocol = "tcp"|"udp"}
---@return string? message
---@return string? hint
function M.parse(value)
  local body, protocol = tostring(value):match("^([^/]*)/?(.*)$")
  if protocol == "" then protocol = "tcp" end
  if protocol ~= "tcp" and protocol ~= "udp" then
    return nil, ('protocol "%s" is neither tcp nor udp'):format(protocol)
  end
  local parts = split(body)
  local message, hint = not_yet(body, parts)
  if message then return nil, message, hint end
  local port
  port, message, hint = mapping(parts)
  if not port then return nil, message, hint end
  port.protocol = protocol
  return port
end

--- The port of a checked long form: {target, published, host_ip, protocol}.
function M.from_long(long)
  return {
    host_ip = long.host_ip or M.default_host_ip, host = long.published or 0, guest = long.target,
    protocol = long.protocol or "tcp",
  }
end

return M
