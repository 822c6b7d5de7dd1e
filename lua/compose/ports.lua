--- Port mappings: services.*.ports and services.*.expose. Pure.
--
-- mapping   := [ [ address ":" ] [ ports ] ":" ] ports [ "/" protocol ]
-- ports     := number [ "-" number ]
-- Two ranges of one length are matched in pairs; a range on the host's side for one port of the guest is a pool, from
-- which every replica takes a free one.
local address = require "holos.core.address"
local text_ = require "holos.core.text"

local M = {}

--- Where ports are published when the file names no address.
M.default_host_ip = "127.0.0.1"

--- What one mapping may stand for: each port is a socket, and words on QEMU's command line.
M.most_ports = 1024

local LAST_PORT = 65535

local function port_number(text, side, least)
  if not text:find("^%d+$") then return nil, ('the %s port "%s" is not a number'):format(side, text) end
  local number = math.tointeger(tonumber(text))
  if not number or number > LAST_PORT then return nil, ("%s port %s is above 65535"):format(side, text) end
  if number < least then return nil, ("%s port %d is below %d"):format(side, number, least) end
  return number
end

-- "80" or "80-85" as its first and last number; nil and the reason.
local function range(text, side, least)
  local from, to = text:match("^(%d+)%-(%d+)$")
  if not from then
    local number, message = port_number(text, side, least)
    return number, number or message
  end
  local first, problem = port_number(from, side, 1)
  local last, message = port_number(to, side, 1)
  if not first or not last then return nil, problem or message end
  if last < first then return nil, ("the %s ports %s run backwards"):format(side, text) end
  return first, last
end

local ADVICE = "leave the address out, or write 127.0.0.1, or 0.0.0.0 for all addresses"

--- Why `text` is no address a port can be published on; nil when it is one.
---@return string? message, string? hint
function M.check_host_ip(text)
  if address.parse(text) then return end
  if address.is_ipv6(text) then
    return ("%s: QEMU's user network publishes on IPv4 addresses only"):format(text), ADVICE
  end
  return ('"%s" is not an IPv4 address'):format(text), text == "localhost" and "write 127.0.0.1" or nil
end

local PROTOCOLS = { tcp = "tcp", udp = "udp", [""] = "tcp" }

local function check_protocol(text)
  local protocol = PROTOCOLS[text:lower()]
  if protocol then return protocol end
  if text:lower() == "sctp" then return nil, "QEMU's user network forwards tcp and udp, not sctp" end
  return nil, ('protocol "%s" is neither tcp nor udp'):format(text)
end

-- The three parts of a mapping without its protocol; IPv6 addresses stand in brackets, or have the colons that are left.
local function split(body)
  local bracketed, rest = body:match("^%[(.-)%]:(.*)$")
  local host, guest = (rest or body):match("^(.*):([^:]*)$")
  if not guest then return nil, nil, rest or body, bracketed end
  local host_ip, host_port = host:match("^(.*):([^:]*)$")
  if bracketed or not host_ip then return bracketed, host, guest end
  return host_ip, host_port, guest
end

local function count_text(first, last)
  return first == last and ("port %d"):format(first) or ("%d-%d (%d ports)"):format(first, last, last - first + 1)
end

-- The ports that two ranges stand for; `host` 0: any free one for each.
local function expand(host, host_to, guest, guest_to, common)
  local count = guest_to - guest + 1
  if count > M.most_ports then
    return nil, ("%d ports in one entry; at most %d"):format(count, M.most_ports)
  end
  local is_pool, is_paired = count == 1 and host > 0, host_to - host + 1 == count
  if host > 0 and not is_paired and not is_pool then
    return nil, ("host %s and guest %s differ in length"):format(count_text(host, host_to), count_text(guest, guest_to))
  end
  local ports = {}
  for offset = 0, count - 1 do
    ports[offset + 1] = {
      host_ip = common.host_ip, host = host > 0 and host + offset or 0, guest = guest + offset,
      host_to = is_pool and host_to > host and host_to or nil, protocol = common.protocol,
      name = common.name, app_protocol = common.app_protocol,
    }
  end
  return ports
end

local function make(host_text, guest_text, common)
  local guest, guest_to = range(guest_text, "guest", 1)
  if not guest then return nil, guest_to end
  local host, host_to = 0, 0
  if host_text then
    host, host_to = range(host_text, "host", 0)
    if not host then return nil, host_to end
  end
  return expand(host, host_to, guest, guest_to, common)
end

--- The ports of one entry in short form. HOST 0, or none, asks for any free port.
---@param value string|integer
---@return table[]? ports  {host_ip, host = 0…65535, host_to = nil or the end of a pool, guest = 1…65535,
---  protocol = "tcp"|"udp"}
---@return string? message
---@return string? hint
function M.parse(value)
  local body, protocol_text = tostring(value):match("^([^/]*)/?(.*)$")
  if body == "" then return nil, "no port is named", 'for example "8080:80"' end
  local protocol, problem = check_protocol(protocol_text)
  if not protocol then return nil, problem end
  local host_ip, host, guest, stray = split(body)
  if stray then return nil, ('expected a port after "[%s]:", got "%s"'):format(stray, guest) end
  if host_ip then
    local message, hint = M.check_host_ip(host_ip)
    if message then return nil, message, hint end
    if host == "" then host = nil end -- "127.0.0.1::80" leaves the host port open
  end
  local ports, message = make(host, guest, { host_ip = host_ip or M.default_host_ip, protocol = protocol })
  local is_odd = message and message:find("is not a number$")
  return ports, message, is_odd and (text_.odd_character(body) or 'write HOST:GUEST, for example "8080:80"') or nil
end

--- The ports of a checked long form: {target, published, host_ip, protocol, name, app_protocol}.
---@return table[]? ports
---@return string? message
function M.from_long(long)
  local host = long.published ~= nil and tostring(long.published) or nil
  return make(host ~= "" and host or nil, tostring(long.target), {
    host_ip = long.host_ip or M.default_host_ip, protocol = long.protocol or "tcp", name = long.name,
    app_protocol = long.app_protocol,
  })
end

--- One entry of `expose`: PORT[-PORT][/protocol].
---@param value string|integer
---@return {port: integer, to: integer, protocol: string}? exposed
---@return string? message
function M.parse_exposed(value)
  local body, protocol_text = tostring(value):match("^([^/]*)/?(.*)$")
  local protocol = protocol_text:lower() == "sctp" and "sctp" or PROTOCOLS[protocol_text:lower()]
  if not protocol then return nil, ('protocol "%s" is neither tcp nor udp'):format(protocol_text) end
  local port, to = range(body, "exposed", 1)
  if not port then return nil, to end
  return { port = port, to = to, protocol = protocol }
end

return M
