--- What an item of a list is known by, so that a later file can replace it: a port, a mount's target, a value. Pure.
--
-- Items are as they stand in the file, before any check: whatever has not the expected form has no name, and is
-- appended. Names are texts and are only compared.
local ports = require "holos.compose.ports"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local volumes = require "holos.compose.volumes"

local M = {}

local function is_text(value) return type(value) == "string" end

local function is_map(value) return schema.kind_of(value) == "map" end

-- "[::1]:8080:80/udp" → "[::1]", "8080", "80", "udp"; absent parts are nil.
local function short_port(text)
  local body, protocol = text:match("^(.-)/(%w+)$")
  local host, guest = (body or text):match("^(.*):([^:]*)$")
  if not host then return nil, nil, body or text, protocol end
  local address, published = host:match("^(.*):([^:]*)$")
  return address, published or host, guest, protocol
end

local function port_name(address, published, target, protocol)
  if published == nil or published == "" or published == 0 then published = "0" end
  return ("%s:%s:%s/%s"):format(address or ports.default_host_ip, published, target, protocol or "tcp")
end

local function may_be_range(item) return is_text(item) and item:find("%d%-%d") ~= nil end

-- "8080-8081:80-81/udp" as its single ports in short form; one port or a pool is itself.
local function single_ports(item)
  local made = may_be_range(item) and ports.parse(item) or {}
  if #made < 2 then return { item } end
  return tables.map(made, function(port)
    return ("%s:%s:%d/%s"):format(port.host_ip, port.host == 0 and "" or port.host, port.guest, port.protocol)
  end)
end

local function has_range(list)
  for position = 1, #list do
    if may_be_range(list[position]) then return true end
  end
  return false
end

--- A list of ports in which ranges of ports are single ones, so that another list can replace some of them.
---@param marks table  marks[list][position]; a list that is made gets its own
function M.singles(list, marks)
  if not has_range(list) then return list end
  local result, result_marks, own = tables.list {}, {}, marks[list] or {}
  for position, item in ipairs(list) do
    for _, one in ipairs(single_ports(item)) do
      result[#result + 1] = one
      result_marks[#result] = own[position]
    end
  end
  marks[result] = result_marks
  return result
end

--- A published port: the address, both ports, the protocol.
function M.port(item)
  if is_map(item) then
    if item.target == nil then return nil end
    return port_name(item.host_ip, item.published, item.target, item.protocol)
  end
  if is_text(item) and item:find("^%d+:%d+$") then return ("%s:%s/tcp"):format(ports.default_host_ip, item) end
  local is_short = is_text(item) or math.type(item) == "integer"
  return is_short and port_name(short_port(tostring(item))) or nil
end

-- The parts of "a:b:c"; what stands in ${…} is not looked at.
local function parts_of(text)
  local hidden = text:gsub("%$%b{}", function(variable) return ("\0"):rep(#variable) end)
  local parts, from = {}, 1
  for at in (hidden .. ":"):gmatch("():") do
    parts[#parts + 1], from = text:sub(from, at - 1), at + 1
  end
  return parts
end

--- A mount: its target in the guest.
function M.mount(item)
  local target = is_text(item) and item:match("^[^:$]+:([^:$]+)") or nil -- the usual form
  if not target and is_text(item) then
    local parts = parts_of(item)
    target = parts[2] or parts[1]
  elseif is_map(item) then
    target = item.target
  end
  return is_text(target) and (volumes.target(target) or target) or nil
end

--- A file system in memory: its target in the guest.
function M.memory(item)
  local target = is_text(item) and item:match("^[^:]*")
  return target and (volumes.target(target) or target) or nil
end

--- A device: its path in the guest, or the address of what is passed through.
function M.device(item)
  if is_map(item) then
    local name = item.target or item.pci or item.usb
    return is_text(name) and name or nil
  end
  if not is_text(item) then return nil end
  local parts = parts_of(item)
  return parts[2] or parts[1]
end

local function grant(item, directory)
  local name = item
  if is_map(item) then name = item.target or item.source end
  if not is_text(name) then return nil end
  return name:sub(1, 1) == "/" and name or directory .. name
end

--- A secret: where it appears in the guest.
function M.secret(item) return grant(item, "/run/secrets/") end

--- A config: where it appears in the guest.
function M.config(item) return grant(item, "/") end

--- A file of words such as env_file: its path. A file that cloud-init writes: the same.
function M.file(item)
  local path = item
  if is_map(item) then path = item.path end
  return is_text(path) and path or nil
end

--- NAME or NAME=VALUE: the name.
function M.name(item)
  return is_text(item) and item:match("^[^=]*") or nil
end

--- Any scalar: itself, as text.
function M.value(item)
  if type(item) == "string" then return item end
  return type(item) ~= "table" and tostring(item) or nil
end

--- HOST=ADDRESS or HOST:ADDRESS: both.
function M.host(item)
  if not is_text(item) then return nil end
  return item:find("=", 1, true) and item or (item:gsub(":", "=", 1))
end

return M
