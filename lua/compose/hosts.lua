--- Names and addresses for /etc/hosts: services.*.extra_hosts. Pure.
--
-- entry := name ( "=" | ":" ) address; an IPv6 address may stand in brackets; host-gateway is the host.
local address = require "holos.core.address"

local M = {}

--- The address that stands for the host, as guests see it.
M.GATEWAY = "host-gateway"

--- An address of an entry.
---@return string? address
---@return string? message
function M.parse_address(text)
  local bare = text:match("^%[(.*)%]$") or text
  if bare == M.GATEWAY or address.is_ip(bare) then return bare end
  return nil, ('"%s" is no address; expected an IP address or host-gateway'):format(text)
end

--- Why `text` is no host name; nil when it is one.
function M.check_name(text)
  if not text:find("^[%w_][%w_.-]*$") then return ('"%s" is no host name'):format(text) end
end

--- One entry of the list form.
---@return {name: string, address: string}? entry
---@return string? message
---@return string? hint
function M.parse(text)
  local name, value = text:match("^([^=:]*)[=:](.*)$")
  if not name then return nil, ('expected NAME=ADDRESS, got "%s"'):format(text) end
  local message = M.check_name(name)
  if message then return nil, message end
  value, message = M.parse_address(value)
  if not value then return nil, message end
  return { name = name, address = value }
end

return M
