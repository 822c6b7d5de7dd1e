--- The networks of a project: what each leases, which cards an instance gets, whose names it knows. Pure.
local lazy = require "holos.core.lazy"
local address = lazy "holos.core.address"
local identity = lazy "holos.plan.identity"
local lease = lazy "holos.plan.lease"
local table_ = require "holos.core.table"

local M = {}

--- What a guest calls the host on its user-mode card (QEMU's default).
M.HOST_GATEWAY = "10.0.2.2"

--- The networks of a project by key; a project that names none has the default one.
function M.declared(project)
  return project.networks or { [lease.DEFAULT] = { key = lease.DEFAULT, driver = "mcast" } }
end

--- The networks that a service is in, in order of priority: {network = key, aliases, address, mac, …}.
function M.memberships(service)
  if service.network_mode == "none" then return {} end
  return service.networks or { { network = lease.DEFAULT } }
end

--- Whether a service has no way out: all its networks are internal.
function M.is_internal(project, service)
  local memberships, declared = M.memberships(service), M.declared(project)
  for _, membership in ipairs(memberships) do
    if not (declared[membership.network] or {}).internal then return false end
  end
  return #memberships > 0
end

--- Whether guests of a service get at the host's loopback.
function M.reaches_host(project, service)
  return service.network_mode ~= "none" and not M.is_internal(project, service)
end

local function names_of_members(project, instances, key)
  local names, static = {}, {}
  for _, instance in ipairs(instances) do
    for _, membership in ipairs(M.memberships(project.services[instance.service])) do
      if membership.network == key then
        names[#names + 1], static[instance.name] = instance.name, membership.address
      end
    end
  end
  return names, static
end

local function static_problem(key, subnet, static)
  local network, holders = assert(address.network(subnet)), {}
  for _, name in ipairs(table_.keys(static)) do
    local number = address.parse(static[name])
    if not number or not address.is_host(network, number) then
      return ("%s: the address %s is not one of a host in %s, the subnet of network %s"):format(name, static[name], subnet, key)
    end
    if holders[number] then
      return ("%s and %s both have the address %s in network %s"):format(holders[number], name, static[name], key)
    end
    holders[number] = name
  end
end

-- The subnet: the file's, else the recorded one, else the first that is free.
local function subnet_of(network, known, facts, others)
  if network.subnet then
    local parsed, message = address.network(network.subnet)
    if not parsed then return nil, message end
    local route = lease.route_in_the_way(parsed, facts.routes)
    return network.subnet, route and ("%s overlaps the host's route %s/%d (%s): guests in network %s do not get there")
      :format(network.subnet, route.destination, route.prefix, route.interface, network.key)
  end
  if known then return known.subnet end
  local subnet, notice = lease.subnet(facts.routes, others)
  return subnet, subnet and notice and ("%s; %s is used"):format(notice, subnet) or notice
end

local function overlap_problem(key, subnet, leases)
  local network = assert(address.network(subnet))
  if address.overlap(network, assert(address.network(address.USER_NETWORK))) then
    return ("network %s: %s overlaps %s, where every guest has its card to the outside"):format(key, subnet, address.USER_NETWORK)
  end
  for _, other in ipairs(table_.keys(leases)) do
    if address.overlap(network, assert(address.network(leases[other].subnet))) then
      return ("networks %s and %s overlap: %s, %s"):format(other, key, leases[other].subnet, subnet)
    end
  end
end

-- One network's lease; nil and the reason.
local function lease_one(context, network, known, names, static)
  local project, facts, leases = context.project, context.facts, context.leases
  local subnet, notice = subnet_of(network, known, facts, context.fixed_subnets)
  if not subnet then return nil, ("network %s: %s"):format(network.key, notice) end
  if notice then table.insert(context.warnings, notice) end
  local problem = overlap_problem(network.key, subnet, leases) or static_problem(network.key, subnet, static)
  if problem then return nil, problem end
  local addresses, message = lease.addresses(names, known and known.addresses or {}, subnet,
    { static = static, reserved = network.aux })
  if not addresses then return nil, message end
  local group, port = known and known.group, known and known.port
  if not group then
    local name = network.key == lease.DEFAULT and project.name or project.name .. "/" .. network.key
    group, port = lease.multicast(facts.sha256, name, facts.records, leases)
  end
  return { subnet = subnet, group = group, port = port, addresses = addresses, name = network.name,
    internal = network.internal or nil, prefix = math.tointeger(tonumber(subnet:match("/(%d+)$"))) }
end

-- Subnets that cannot move: those that the file names and those that are recorded.
local function fixed_subnets(declared, known)
  local subnets = {}
  for key, network in table_.sorted_pairs(declared) do
    local subnet = network.subnet or known[key] and known[key].subnet
    if subnet and address.network(subnet) then subnets[#subnets + 1] = subnet end
  end
  return subnets
end

local function not_available(network)
  if network.external then return ("network %s: networks of others (external: true) are not available yet"):format(network.key) end
  if (network.driver or "mcast") ~= "mcast" then
    return ("network %s: the driver %s is not available yet; leave it out for mcast"):format(network.key, network.driver)
  end
end

--- The leases of all networks that have members.
---@param project table
---@param instances {name: string, service: string}[]  in start order
---@param record table   the project's
---@param facts table    {sha256, routes, records}
---@return table<string, {subnet: string, prefix: integer, group: string, port: integer, addresses: table}> leases
---@return {message: string, hint: string?}[] findings
---@return string[] warnings
function M.leases(project, instances, record, facts)
  local declared, known, findings = M.declared(project), lease.recorded(record), {}
  local context = { project = project, facts = facts, leases = {}, warnings = {},
    fixed_subnets = fixed_subnets(declared, known) }
  for key, network in table_.sorted_pairs(declared) do
    local names, static = names_of_members(project, instances, key)
    if #names > 0 then
      local made, problem = nil, not_available(network)
      if not problem then made, problem = lease_one(context, network, known[key], names, static) end
      context.leases[key] = made
      if made then table.insert(context.fixed_subnets, made.subnet) end
      if problem then findings[#findings + 1] = { message = problem } end
    end
  end
  return context.leases, findings, context.warnings
end

-- The default network's cards keep the numbers they had when it was the only one; others are hashed by their key, so
-- that a network more or less leaves them alone.
local function mac_of(context, name, membership)
  if membership.network == lease.DEFAULT then return identity.mac(context.facts.sha256, context.project.name, name, 1) end
  return identity.network_mac(context.facts.sha256, context.project.name, name, membership.network)
end

--- The cards of an instance: the user-mode one, then one for each of its networks in order of priority.
---@param context table  {project, facts, leases}
function M.nics(context, service, name)
  local nics = table_.list {}
  if service.network_mode == "none" then return nics end
  nics[1] = { kind = "user", mac = identity.mac(context.facts.sha256, context.project.name, name, 0),
    restrict = M.is_internal(context.project, service) or nil }
  for position, membership in ipairs(M.memberships(service)) do
    local network = context.leases[membership.network]
    nics[#nics + 1] = { kind = "mcast", network = membership.network, address = network.addresses[name],
      mac = membership.mac or position == 1 and service.mac or mac_of(context, name, membership),
      prefix = network.prefix, group = network.group, port = network.port, interface_name = membership.interface_name }
  end
  return nics
end

return M
