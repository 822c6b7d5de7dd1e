--- Networks of what comes back from the trash: groups, addresses and names beside what was leased since. Pure.
local address = require "holos.core.address"
local hosts = require "holos.plan.hosts"
local lease = require "holos.plan.lease"
local table_ = require "holos.core.table"

local M = {}

local function holder_of(context, network)
  for name, other in table_.sorted_pairs(context.others) do
    for _, its in pairs(lease.recorded(other)) do
      if its.group == network.group and its.port == network.port then return name end
    end
  end
end

-- The leases of a record as they stand in it, by key: {network = {subnet, group, port}, addresses}.
local function standing(record)
  local networks, leases = {}, record.leases
  if leases.network then networks[lease.DEFAULT] = { network = leases.network, addresses = leases.addresses } end
  for key, network in pairs(leases.networks or {}) do networks[key] = { network = network, addresses = network.addresses } end
  return networks
end

--- Lays the networks of the old record beside those of the living one, which win.
---@return table<string, boolean> added  keys of those that came from the old record
function M.lay(record, old)
  local added = {}
  if not record.leases.network and old.leases.network then
    record.leases.network, added[lease.DEFAULT] = table_.copy(old.leases.network), true
  end
  for key, network in pairs(old.leases.networks or {}) do
    record.leases.networks = record.leases.networks or {}
    if not record.leases.networks[key] then
      record.leases.networks[key], added[key] = table_.merge(network, {}), true
      record.leases.networks[key].addresses = {}
    end
  end
  return added
end

-- A network that came back gives way to those that are there: its subnet to the project's, its group to everybody's.
local function lease_group(context, record, key, network, result)
  local holder = holder_of(context, network)
  if not holder then return end
  local name = key == lease.DEFAULT and record.name or record.name .. "/" .. key
  local mine = lease.recorded(record)
  mine[key] = nil
  network.group, network.port = lease.multicast(context.sha256, name, context.others, mine)
  result.notices[#result.notices + 1] = ("its multicast group is %s's by now; it gets %s:%d"):format(holder, network.group,
    network.port)
end

local function lease_subnet(context, record, key, network, result)
  local others, mine = {}, assert(address.network(network.subnet))
  local clashes = false
  for other, its in pairs(lease.recorded(record)) do
    if other ~= key then
      others[#others + 1] = its.subnet
      clashes = clashes or address.overlap(mine, assert(address.network(its.subnet)))
    end
  end
  if not clashes then return end
  local old = network.subnet
  network.subnet = lease.subnet(context.routes or {}, others) or old
  result.notices[#result.notices + 1] = ("its network %s is in use by now; it gets %s"):format(old, network.subnet)
end

local function members(context, record, key)
  return table_.filter(context.instances, function(name)
    for _, nic in ipairs(record.instances[name].spec.nics) do
      if nic.kind == "mcast" and (nic.network or lease.DEFAULT) == key then return true end
    end
  end)
end

--- Its old address, when that lies in the subnet and nobody has it.
local function free_address(subnet, addresses, name, wanted)
  local number = wanted and address.parse(wanted)
  if not number or not address.is_host(assert(address.network(subnet)), number) then return nil end
  for other, taken in pairs(addresses) do
    if taken == wanted and other ~= name then return nil end
  end
  return wanted
end

local function lease_addresses(context, record, key, standing_network, result)
  local addresses, before = standing_network.addresses, {}
  local old = lease.recorded(context.old)[key] or { addresses = {} }
  local names, subnet = members(context, record, key), standing_network.network.subnet
  for _, name in ipairs(names) do
    before[name] = addresses[name] or old.addresses[name]
    addresses[name] = free_address(subnet, addresses, name, before[name])
  end
  local all, message = lease.addresses(names, addresses, subnet)
  if not all then
    result.refusals[#result.refusals + 1] = { message = message }
    return
  end
  for _, name in ipairs(names) do
    addresses[name] = all[name]
    if before[name] and before[name] ~= all[name] then
      result.notices[#result.notices + 1] = ("%s: its address %s is not free by now; it gets %s"):format(name, before[name],
        all[name])
    end
  end
end

local function set_cards(spec, networks)
  for _, nic in ipairs(spec.nics) do
    local its = nic.kind == "mcast" and networks[nic.network or lease.DEFAULT]
    if its then
      nic.address, nic.group, nic.port = its.addresses[spec.name], its.network.group, its.network.port
      nic.prefix = assert(address.network(its.network.subnet)).prefix
    end
  end
end

-- The host of an instance in a network as the old record had it, with its aliases.
local function old_host(context, name, key)
  for _, host in ipairs(context.old.hosts or {}) do
    if host.names[1] == name and (host.network or lease.DEFAULT) == key then return table_.copy(host) end
  end
end

-- Names and addresses that guests get: changed where an address has changed, more where somebody came back.
local function set_hosts(context, record, networks)
  local known = {}
  record.hosts = record.hosts or table_.list {}
  for _, host in ipairs(record.hosts) do
    local key, name = host.network or lease.DEFAULT, host.names[1] or ""
    local its = networks[key]
    known[key .. " " .. name] = true
    host.address = its and its.addresses[name] or host.address
  end
  for name, entry in table_.sorted_pairs(record.instances) do
    for key, its in table_.sorted_pairs(networks) do
      if its.addresses[name] and not known[key .. " " .. name] then
        local host = old_host(context, name, key) or hosts.of_instance({ name = name, service = entry.spec.service,
          index = entry.spec.index }, its.addresses[name], { network = key })
        host.address = its.addresses[name]
        table.insert(record.hosts, host)
      end
    end
  end
end

--- Leases anew what is no longer free, and tells every guest.
---@param added table<string, boolean>  of M.lay
function M.take(context, record, added, result)
  local networks = standing(record)
  for key, its in table_.sorted_pairs(networks) do
    if added[key] then
      lease_group(context, record, key, its.network, result)
      lease_subnet(context, record, key, its.network, result)
    end
    lease_addresses(context, record, key, its, result)
  end
  for _, name in ipairs(context.instances) do set_cards(record.instances[name].spec, networks) end
  set_hosts(context, record, networks)
end

return M
