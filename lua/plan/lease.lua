--- Leases: subnets, addresses, multicast groups and ports, QEMU's uid. Pure.
--- A hash gives the first candidate; what records hold is kept, so nobody ever moves because a neighbour came.
local address = require "holos.core.address"
local table_ = require "holos.core.table"

local M = {}

-- The first address is kept for the host, the last is broadcast.
local FIRST_HOST = 2
local FIRST_MCAST_PORT, LAST_MCAST_PORT = 5000, 9999 -- below Linux's ephemeral range (32768)
-- Above systemd's container range (1879048191) and below 2^31: nobody hands these out.
local FIRST_UID, UID_COUNT = 1900000000, 99999999
--- Records and specs of before there were several networks know only this one.
M.DEFAULT = "default"

local function number_from(sha256, text, count)
  return math.tointeger(tonumber(sha256(text):sub(1, 12), 16) % count)
end

--- The host's route that overlaps a network. The default route (prefix 0) does not count.
function M.route_in_the_way(network, routes)
  for _, route in ipairs(routes) do
    local first = address.parse(route.destination)
    local size = 1 << (32 - route.prefix)
    if first and route.prefix > 0 and address.overlap(network, { first = first // size * size,
      last = first // size * size + size - 1 }) then return route end
  end
end

local function is_taken(network, others)
  for _, other in ipairs(others or {}) do
    if address.overlap(network, assert(address.network(other))) then return true end
  end
  return false
end

--- The first 10.N.0.0/24, from N = 10, that no route of the host and none of the other networks overlaps.
---@param others string[]?  subnets of the project's other networks
---@return string? subnet  "10.10.0.0/24"
---@return string? notice  which route was in the way of the usual one; the reason when there is no subnet
function M.subnet(routes, others)
  local notice
  for second = 10, 254 do
    local subnet = ("10.%d.0.0/24"):format(second)
    local network = assert(address.network(subnet))
    local route = M.route_in_the_way(network, routes)
    if not route and not is_taken(network, others) then return subnet, notice end
    notice = notice or route and ("%s overlaps the host's route %s/%d (%s)"):format(subnet, route.destination,
      route.prefix, route.interface)
  end
  return nil, "every 10.N.0.0/24 overlaps a route of the host or another network"
end

--- The networks that a record holds, by key: {subnet, group, port, addresses = {[instance] = address}, and for people to
--- look at: name, internal}.
function M.recorded(record)
  local leases, known = record.leases or {}, {}
  if leases.network then
    known[M.DEFAULT] = { subnet = leases.network.subnet, group = leases.network.group, port = leases.network.port,
      name = leases.network.name, internal = leases.network.internal, addresses = leases.addresses or {} }
  end
  for key, lease in pairs(leases.networks or {}) do known[key] = lease end
  return known
end

local function taken_groups(records, mine)
  local taken = {}
  for _, record in pairs(records) do
    for _, lease in pairs(M.recorded(record)) do taken[lease.group .. ":" .. lease.port] = true end
  end
  for _, lease in pairs(mine or {}) do taken[lease.group .. ":" .. lease.port] = true end
  return taken
end

--- A multicast group in 239.192.0.0/14 (RFC 2365: organization-local) and a port no other network holds.
---@param name string    what is hashed: the project for its default network, "project/key" for others
---@param records table  of the other projects
---@param mine table?    leases of this project
function M.multicast(sha256, name, records, mine)
  local taken = taken_groups(records, mine)
  local ports = LAST_MCAST_PORT - FIRST_MCAST_PORT + 1
  for try = 0, 65535 do
    local seed = ("mcast/%s/%d"):format(name, try)
    local host = number_from(sha256, seed .. "/group", 1 << 18)
    local group = ("239.%d.%d.%d"):format(192 + (host >> 16), (host >> 8) & 255, host & 255)
    local port = FIRST_MCAST_PORT + number_from(sha256, seed .. "/port", ports)
    if not taken[group .. ":" .. port] then return group, port end
  end
  error("no multicast group is free among " .. ports .. " ports")
end

-- The static addresses, then what was leased before and is still free, are held; the rest is to be filled.
local function held_addresses(network, recorded, options)
  local addresses, taken = {}, {}
  for _, text in pairs(options.reserved or {}) do taken[address.parse(text) or 0] = true end
  for name, text in pairs(options.static or {}) do addresses[name], taken[address.parse(text)] = text, true end
  for _, name in ipairs(table_.keys(recorded)) do
    local number = address.parse(recorded[name])
    if not addresses[name] and number and address.is_host(network, number) and not taken[number] then
      addresses[name], taken[number] = recorded[name], true
    end
  end
  return addresses, taken
end

--- Addresses of all instances in start order; recorded ones stay where no static one takes their place.
---@param names string[]                  instances, in order
---@param recorded table<string, string>  instance -> address
---@param subnet string                   "10.10.0.0/24"
---@param options {static: table<string, string>?, reserved: table<any, string>?}?
---@return table<string, string>? addresses
---@return string? message
function M.addresses(names, recorded, subnet, options)
  local network = assert(address.network(subnet))
  local addresses, taken = held_addresses(network, recorded, options or {})
  local next_free = network.first + FIRST_HOST
  for _, name in ipairs(names) do
    if not addresses[name] then
      while taken[next_free] do next_free = next_free + 1 end
      if not address.is_host(network, next_free) then
        return nil, ("%s: no address is free in %s (%d instances fit)"):format(name, subnet,
          math.max(0, network.last - network.first - FIRST_HOST))
      end
      addresses[name], taken[next_free] = address.format(next_free), true
    end
  end
  return addresses
end

local function has_card(spec, key)
  for _, nic in ipairs(spec.nics) do
    if nic.network == key then return true end
  end
  return false
end

-- What may have to go back needs its networks, too.
local function is_used(record, key)
  for _, entry in pairs(record.instances) do
    if has_card(entry.spec, key) or entry.previous and has_card(entry.previous.spec, key) then return true end
  end
  return false
end

--- Writes the leases of networks into a record, with the addresses of those instances that are in it. The default
--- network stays where it always was. Networks that no instance has a card in any more are given up.
---@param leases table<string, table>  by key, as of plan/network
function M.remember(record, leases)
  local networks = {}
  for key, lease in pairs(record.leases.networks or {}) do
    if not leases[key] and is_used(record, key) then networks[key] = lease end
  end
  for key, lease in table_.sorted_pairs(leases) do
    local known = (M.recorded(record)[key] or { addresses = {} }).addresses
    local addresses = {}
    for name in pairs(record.instances) do addresses[name] = lease.addresses[name] or known[name] end
    local kept = { subnet = lease.subnet, group = lease.group, port = lease.port, name = lease.name, internal = lease.internal }
    if key == M.DEFAULT then
      record.leases.network, record.leases.addresses = kept, addresses
    else
      kept.addresses, networks[key] = addresses, kept
    end
  end
  record.leases.networks = next(networks) and networks or nil
end

--- Gives up the addresses of an instance in all networks.
function M.forget(record, instance)
  for _, lease in pairs(M.recorded(record)) do lease.addresses[instance] = nil end
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
