--- services.*.networks and networks.* at top level. Data.
local address = require "holos.core.address"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local external = schema.lazy(function() return require "holos.compose.schema.external" end)

local M = {}

local function is_address(value)
  if address.parse(value) then return end
  return ('"%s" is not an IPv4 address'):format(value)
end

local function is_subnet(value)
  if value:find(":", 1, true) then return "subnets are of IPv4", "for example 10.5.0.0/24" end
  local network, message = address.network(value)
  if not network then return message end
  if network.prefix > 29 or network.prefix < 8 then
    return ("a network of /%d is %s"):format(network.prefix, network.prefix > 29 and "too small" or "too large"),
      "from /8 to /29"
  end
end

M.address = schema.text { wanted = "an IPv4 address", check = is_address }

M.mac = schema.parsed {
  accepts = { text = true }, wanted = "an Ethernet address such as 52:54:00:12:34:56",
  parse = function(value) return address.mac(value) end,
}

-- A host name in lower case: names of hosts do not differ by case.
local alias = schema.text { pattern = "[%w_][%w_.-]*", most = 253, wanted = "a host name" }

local NO_IPV6 = "guests have IPv4 addresses on their networks"

local attachment = schema.record {
  { "aliases", schema.list { of = alias }, change = "live", meaning = "Further names of the service on this network." },
  { "ipv4_address", M.address, change = "restart",
    meaning = "Fixed address; it lies in the subnet that the network names, and the service has one instance." },
  { "mac_address", M.mac, change = "restart", default_text = "made from the names", meaning = "Ethernet address." },
  { "priority", schema.integer { least = -1000000, most = 1000000 }, change = "restart", default_text = "0",
    meaning = "The network with the highest one has the first card." },
  { "interface_name", schema.text { pattern = "[%w][%w_.-]*", most = 15, wanted = "the name of a network interface" },
    change = "restart", default_text = "the guest's choice", meaning = "Name of the card in the guest." },
  { "gw_priority", schema.integer {}, class = "ignored", reason = "the way out is always the first card, through the host" },
  { "ipv6_address", rules.line, class = "later", reason = NO_IPV6, meaning = "Fixed IPv6 address." },
  { "link_local_ips", rules.lines, class = "later", reason = NO_IPV6, meaning = "Link-local addresses." },
  { "driver_opts", rules.pairs, class = "ignored", reason = "the driver of the network has no options" },
}

M.attached = schema.either {
  list = schema.list {
    of = rules.name,
    canonical = function(list, at)
      local map, marks = {}, {}
      for position, name in ipairs(list) do
        if name then map[name], marks[name] = {}, at.marks[list] and at.marks[list][position] end
      end
      at.marks[map] = marks
      return map
    end,
  },
  map = schema.map { of = attachment, key = rules.name, empty = function() return {} end },
}

local FOREIGN_MODES = {
  host = "not for VMs: a guest has network cards of its own",
  service = "not for VMs: two machines cannot share a network card",
  container = "not for VMs: two machines cannot share a network card",
}

local function foreign_mode(value) return FOREIGN_MODES[value:match("^[^:]*")] end

M.mode = schema.either {
  text = schema.parsed {
    accepts = { text = true }, wanted = '"none"', values = { "none", "bridge", "default" },
    parse = function(value)
      if value == "none" or value == "bridge" or value == "default" or foreign_mode(value) then return value end
      return nil, ('unknown network mode "%s"'):format(value), '"none" or no line at all'
    end,
  },
  canonical = function(value, at)
    local foreign = foreign_mode(value)
    if not foreign then return value end
    local is_excused = at:refuse(foreign, "remove the line; publish what others shall reach with ports:")
    return is_excused and "default" or nil
  end,
}

local pool = schema.record {
  { "subnet", schema.text { wanted = "a network such as 10.5.0.0/24", check = is_subnet }, change = "restart",
    default_text = "a free one below 10.10.0.0/16", meaning = "Addresses of the network." },
  { "gateway", rules.line, class = "ignored", reason = "the way out is another card, through the host" },
  { "ip_range", rules.line, class = "later", reason = "addresses are given out from the whole subnet",
    meaning = "Part of the subnet that addresses are given out from." },
  { "aux_addresses", schema.map { of = M.address }, change = "restart",
    meaning = "Addresses that are given to nobody, by the names of those who have them." },
}

local ipam = schema.record {
  { "config", schema.list { of = pool }, meaning = "One subnet." },
  { "driver", schema.choice { values = { "default" } }, meaning = "There is one." },
  { "options", rules.pairs, class = "ignored", reason = "it has no options" },
}

local FOREIGN_DRIVERS = {
  overlay = "it joins hosts of Swarm", ipvlan = "it is for containers", macvlan = "it is for containers",
  host = "a guest has network cards of its own", none = "write network_mode: none in the service",
}

local HINTS = {
  bridge = "leave the line out: services reach each other without it",
  private = "leave the line out", macvtap = "leave the line out",
}

local driver = schema.either {
  text = schema.parsed {
    accepts = { text = true }, wanted = '"mcast"', values = { "mcast", "default", "bridge", "macvtap", "private" },
    later_values = { "bridge", "macvtap", "private" },
    parse = function(value)
      if value == "mcast" or value == "default" then return "mcast" end
      if HINTS[value] or FOREIGN_DRIVERS[value] then return value end
      return nil, ('unknown driver "%s"'):format(value), "leave the line out"
    end,
  },
  canonical = function(value, at)
    local foreign = FOREIGN_DRIVERS[value]
    if foreign then
      local is_excused = at:refuse(('driver "%s" is not for VMs: %s'):format(value, foreign), "leave the line out")
      return is_excused and "mcast" or nil
    end
    if value ~= "mcast" then at:put_off(HINTS[value]) end
    return value
  end,
}

local network = schema.record({
  { "driver", driver, change = "restart", default_text = "mcast",
    meaning = "How guests are joined: mcast, over the host's loopback." },
  { "internal", schema.boolean {}, change = "restart", default_text = "false",
    meaning = "No way out: a service whose networks are all internal reaches neither the host nor the world." },
  { "ipam", ipam, change = "restart", meaning = "Addresses." },
  { "name", rules.name, change = "restart", default_text = "PROJECT_KEY", meaning = "Its full name." },
  { "labels", rules.pairs, change = "live", meaning = "For readers." },
  { "external", external, class = "later", idle = false, change = "restart",
    reason = "networks belong to one project", meaning = "It exists already, and belongs to somebody else." },
  { "enable_ipv4", schema.boolean {}, class = "ignored", idle = true, reason = "networks always have IPv4 addresses" },
  { "enable_ipv6", schema.boolean {}, class = "later", idle = false, reason = NO_IPV6, meaning = "IPv6 addresses." },
  { "attachable", schema.boolean {}, class = "ignored", idle = false, reason = "it is of Swarm" },
  { "driver_opts", rules.pairs, class = "ignored", reason = "the driver has no options" },
}, {
  canonical = function(value, at)
    local pools = value.ipam and value.ipam.config
    if pools and #pools > 1 then at:report("has several subnets; one is understood", "keep one IPv4 subnet") end
    return value
  end,
})

--- `networks` at top level. Those that are described and not used are nothing.
M.declared = schema.map { of = network, key = rules.name, empty = function() return {} end }

return M
