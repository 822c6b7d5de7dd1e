--- Checks of networks, and of the addresses and names in them. Pure.
local lazy = require "holos.core.lazy"
local address = lazy "holos.core.address"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"

local M = {}

-- Every attachment of an enabled service, with its keys.
local function each_attachment(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local networks = service.networks
    for position = 1, #networks do visit(networks[position], service) end
  end
end

local function place(service, attachment, key)
  return { "services", service.name, "networks", attachment.network, key }
end

--- Networks stand at top level; "default" is there without a word.
function M.check_declared(project, report, facts)
  each_attachment(project, function(attachment, service)
    if project.networks[attachment.network] or facts.is_written("networks", attachment.network) then return end
    local close = text.nearest(attachment.network, tables.keys(project.networks))
    report(place(service, attachment), ('there is no network "%s"'):format(attachment.network),
      close and ('did you mean "%s"?'):format(close)
        or ("add it at the end of the file (networks: {%s: })"):format(attachment.network))
  end)
end

-- Why an address cannot be had in a network; nil when it can.
local function address_problem(network, text_, replicas)
  if replicas > 1 then return ("%d instances cannot share one address"):format(replicas), "leave it out, or keep one instance" end
  if not network.subnet then
    return ('the network "%s" names no subnet that it could lie in'):format(network.key),
      ("networks: {%s: {ipam: {config: [{subnet: 10.5.0.0/24}]}}}"):format(network.key)
  end
  local subnet, number = address.network(network.subnet), address.parse(text_)
  if subnet and number and not address.is_host(subnet, number) then
    return ("%s is not an address of a host in %s, the subnet of %s"):format(text_, network.subnet, network.key)
  end
  for name, reserved in pairs(network.aux) do
    if reserved == text_ then return ("%s is kept for %s by the network"):format(text_, name) end
  end
end

--- Fixed addresses lie in the subnet that their network names, and each belongs to one instance.
function M.check_addresses(project, report)
  local owners = {}
  each_attachment(project, function(attachment, service)
    local network = attachment.address and project.networks[attachment.network]
    if not network then return end
    local keys = place(service, attachment, "ipv4_address")
    local problem, hint = address_problem(network, attachment.address, service.replicas)
    local owned = network.key .. " " .. attachment.address
    if not problem and owners[owned] then
      problem = ("%s is the address of service %s too"):format(attachment.address, owners[owned])
    end
    owners[owned] = owners[owned] or service.name
    if problem then report(keys, problem, hint) end
  end)
end

--- Subnets that files name do not overlap each other, nor what every guest has for its way out.
function M.check_subnets(project, report)
  local named = tables.filter(tables.keys(project.networks), function(key) return project.networks[key].subnet end)
  if #named == 0 then return end
  local known = { { subnet = address.network(address.USER_NETWORK), text = address.USER_NETWORK,
    key = "the card to the outside" } }
  for _, key in ipairs(named) do
    local text_ = project.networks[key].subnet
    local subnet = address.network(text_)
    for _, other in ipairs(subnet and known or {}) do
      if address.overlap(subnet, other.subnet) then
        report({ "networks", key, "ipam", "config", 1, "subnet" },
          ("%s overlaps %s, the subnet of %s"):format(text_, other.text, other.key))
      end
    end
    if subnet then known[#known + 1] = { subnet = subnet, text = text_, key = key } end
  end
end

-- By network: how many instances are to get an address, and which addresses are written.
local function count_members(project)
  local counts = {}
  each_attachment(project, function(attachment, service)
    local count = counts[attachment.network] or { all = 0, free = 0, fixed = {} }
    counts[attachment.network] = count
    if attachment.address then count.fixed[attachment.address] = true else count.free = count.free + service.replicas end
  end)
  return counts
end

-- How many instances a subnet has addresses for: not its first, which is its name, nor the next, which is kept for the
-- host, nor the last; nor those that are spoken for.
local function room(subnet, network, fixed)
  local spoken_for, count = {}, math.max(0, subnet.last - subnet.first - 2)
  for text_ in pairs(fixed) do spoken_for[text_] = true end
  for _, text_ in pairs(network.aux) do spoken_for[text_] = true end
  for text_ in pairs(spoken_for) do
    local number = address.parse(text_)
    if number and number > subnet.first + 1 and number < subnet.last then count = count - 1 end
  end
  return count
end

--- A subnet has an address for each instance in its network.
function M.check_room(project, report)
  local counts = nil
  for key, network in tables.sorted_pairs(project.networks) do
    local subnet = network.subnet and address.network(network.subnet)
    counts = subnet and (counts or count_members(project)) or counts
    local count = subnet and counts[key]
    local places = count and room(subnet, network, count.fixed)
    if count and count.free > places then
      report({ "networks", key, "ipam", "config", 1, "subnet" }, ("%s has addresses for %d instances, and %d are to get one")
        :format(network.subnet, math.max(0, places), count.free), "write a larger one, such as 10.5.0.0/24")
    end
  end
end

-- Reports an Ethernet address that a second card would have.
local function claim(owners, mac, service, keys, report)
  if service.replicas > 1 then
    report(keys, ("%d instances cannot share one Ethernet address"):format(service.replicas), "leave it out")
  elseif owners[mac] then
    report(keys, ("%s is the Ethernet address of service %s too"):format(mac, owners[mac]))
  end
  owners[mac] = service.name
end

--- An Ethernet address belongs to one card.
function M.check_cards(project, report)
  local owners = {}
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    if service.mac then claim(owners, service.mac, service, { "services", name, "mac_address" }, report) end
  end
  each_attachment(project, function(attachment, service)
    if attachment.mac then claim(owners, attachment.mac, service, place(service, attachment, "mac_address"), report) end
  end)
end

-- Linux has the first itself, and the others in paths of its parameters.
local TAKEN = { lo = true, all = true, default = true }

-- Why a card cannot have a name; nil when it can. Guests without systemd have eth0, eth1 … for the cards themselves.
local function card_name_problem(name, service, seen)
  if TAKEN[name] then return name .. " is a name that Linux keeps for itself" end
  if seen[name] then return ("%s is the name of the card in %s too"):format(name, seen[name]) end
  local os = service.image and service.image.os
  if os ~= "systemd" and name:find("^eth%d+$") then
    return ("%s is what a card of this guest is called by itself"):format(name), "another name, such as lan0"
  end
end

--- Names of cards are not taken in the guest.
function M.check_card_names(project, report)
  local of_service, seen = nil, nil
  each_attachment(project, function(attachment, service)
    if of_service ~= service then of_service, seen = service, {} end
    local name = attachment.interface_name
    if not name then return end
    local problem, hint = card_name_problem(name, service, seen)
    if problem then report(place(service, attachment, "interface_name"), problem, hint) end
    seen[name] = attachment.network
  end)
end

-- Names of instances and services on a network: name → the service that answers to it.
local function names_on(project, key)
  local names = {}
  each_attachment(project, function(attachment, service)
    if attachment.network ~= key then return end
    names[service.name] = service.name
    for index = 0, service.replicas - 1 do names[("%s-%d"):format(service.name, index)] = service.name end
  end)
  return names
end

--- An alias is not the name of another service on its network. Two services may share an alias: both answer to it.
function M.check_aliases(project, report)
  local known = {}
  each_attachment(project, function(attachment, service)
    for position, alias in ipairs(attachment.aliases) do
      local names = known[attachment.network] or names_on(project, attachment.network)
      known[attachment.network] = names
      if alias and names[alias] and names[alias] ~= service.name then
        local keys = place(service, attachment, "aliases")
        keys[#keys + 1] = position
        report(keys, ('"%s" is the name of service %s on this network'):format(alias, names[alias]))
      end
    end
  end)
end

return M
