--- Leases: addresses, multicast group and port, QEMU's uid. Pure.
--- A hash gives the first candidate; what records hold is kept, so nobody ever moves because a neighbour came.
local M = {}

local FIRST_HOST, LAST_HOST = 2, 254 -- .1 is kept for the host, .255 is broadcast
local FIRST_MCAST_PORT, LAST_MCAST_PORT = 5000, 9999 -- below Linux's ephemeral range (32768)
-- Above systemd's container range (1879048191) and below 2^31: nobody hands these out.
local FIRST_UID, UID_COUNT = 1900000000, 99999999

local function number_from(sha256, text, count)
  return math.tointeger(tonumber(sha256(text):sub(1, 12), 16) % count)
end

local function to_integer(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a and ((tonumber(a) << 24) | (tonumber(b) << 16) | (tonumber(c) << 8) | tonumber(d))
end

--- Whether 10.<second>.0.0/24 and a host route share an address. The default route (prefix 0) does not count.
function M.overlaps(second, route)
  local destination = to_integer(route.destination)
  if not destination or route.prefix == 0 then return false end
  local shortest = math.min(24, route.prefix)
  local mask = ~((1 << (32 - shortest)) - 1) & 0xffffffff
  return ((10 << 24 | second << 16) & mask) == (destination & mask)
end

local function route_in_the_way(second, routes)
  for _, route in ipairs(routes) do
    if M.overlaps(second, route) then return route end
  end
end

--- The first 10.N.0.0/24, from N = 10, that no route of the host overlaps.
---@return string? subnet  "10.10.0.0/24"
---@return string? notice  which route was in the way of the usual one; the reason when there is no subnet
function M.subnet(routes)
  local notice
  for second = 10, 254 do
    local route = route_in_the_way(second, routes)
    if not route then return ("10.%d.0.0/24"):format(second), notice end
    notice = notice or ("10.%d.0.0/24 overlaps the host's route %s/%d (%s)"):format(second, route.destination,
      route.prefix, route.interface)
  end
  return nil, "every 10.N.0.0/24 overlaps a route of the host"
end

local function taken_groups(records)
  local taken = {}
  for _, record in pairs(records) do
    local network = record.leases and record.leases.network
    if network then taken[network.group .. ":" .. network.port] = true end
  end
  return taken
end

--- A multicast group in 239.192.0.0/14 (RFC 2365: organization-local) and a port no other record holds.
function M.multicast(sha256, project, records)
  local taken = taken_groups(records)
  local ports = LAST_MCAST_PORT - FIRST_MCAST_PORT + 1
  for try = 0, 65535 do
    local seed = ("mcast/%s/%d"):format(project, try)
    local host = number_from(sha256, seed .. "/group", 1 << 18)
    local group = ("239.%d.%d.%d"):format(192 + (host >> 16), (host >> 8) & 255, host & 255)
    local port = FIRST_MCAST_PORT + number_from(sha256, seed .. "/port", ports)
    if not taken[group .. ":" .. port] then return group, port end
  end
  error("no multicast group is free among " .. ports .. " ports")
end

--- The network lease of a project: the recorded one, or a new one.
---@return table? lease    {subnet, group, port}
---@return string? notice
function M.network(project, record, facts)
  local known = record.leases.network
  if known then return known end
  local subnet, notice = M.subnet(facts.routes)
  if not subnet then return nil, notice end
  local group, port = M.multicast(facts.sha256, project.name, facts.records)
  return { subnet = subnet, group = group, port = port }, notice
end

local function taken_hosts(addresses)
  local taken = {}
  for _, address in pairs(addresses) do taken[tonumber(address:match("%.(%d+)$"))] = true end
  return taken
end

--- Addresses of all instances in start order; recorded ones stay.
---@param names string[]                  instances, in order
---@param recorded table<string, string>  instance -> address
---@param subnet string                   "10.10.0.0/24"
---@return table<string, string>? addresses
---@return string? message
function M.addresses(names, recorded, subnet)
  local addresses, host = {}, FIRST_HOST
  for name, address in pairs(recorded) do addresses[name] = address end
  local taken = taken_hosts(addresses)
  local prefix = subnet:match("^(%d+%.%d+%.%d+%.)")
  for _, name in ipairs(names) do
    if not addresses[name] then
      while taken[host] do host = host + 1 end
      if host > LAST_HOST then
        return nil, ("%s: no address is free in %s (%d instances fit)"):format(name, subnet, LAST_HOST - FIRST_HOST + 1)
      end
      addresses[name], taken[host] = prefix .. host, true
    end
  end
  return addresses
end

--- The uid (and gid) that QEMU drops to when root runs holos: recorded, or hashed and checked against all records.
function M.uid(project, record, facts)
  if record.leases.uid then return record.leases.uid end
  local taken = {}
  for _, other in pairs(facts.records) do
    if other.leases and other.leases.uid then taken[other.leases.uid] = true end
  end
  local uid = FIRST_UID + number_from(facts.sha256, "uid/" .. project.name, UID_COUNT)
  while taken[uid] do uid = FIRST_UID + (uid - FIRST_UID + 1) % UID_COUNT end
  return uid
end

return M
