--- Keys of services that say how it is reached, and by which names. Data.
local lazy = require "holos.core.lazy"
local machine = lazy "holos.compose.machine"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local function network(name)
  return schema.lazy(function() return require "holos.compose.schema.network" end, name)
end

local function port(name)
  return schema.lazy(function() return require "holos.compose.schema.port" end, name)
end

local hostname = schema.text { wanted = "a host name", check = function(value)
  local label, message = machine.split_hostname(value)
  if not label then return message end
end }

local addresses = schema.lazy(function() return require "holos.compose.schema.resolver" end, "addresses")
local extra_hosts = schema.lazy(function() return require "holos.compose.schema.resolver" end, "extra_hosts")

return { title = "Networks and names",
  { "ports", port "list", default = tables.list {}, change = "live",
    meaning = "Published ports: [[IP:]HOST:]GUEST[/udp], numbers or ranges of one length. Replicas take the following host "
      .. "ports; a range of the host for one port of the guest is a pool, from which each replica takes a free one." },
  { "expose", port "exposed", change = "live", meaning = "Ports that the guest serves, for readers: services reach every "
      .. "port of each other." },
  { "networks", network "attached", change = "restart", default_text = "default",
    meaning = "Networks it is in, by the names of the top level; one network card each." },
  { "network_mode", network "mode", change = "restart",
    meaning = "none: no network card at all. bridge and default mean what is there without this line." },
  { "mac_address", network "mac", change = "restart",
    default_text = "made from the names", meaning = "Ethernet address of the first card in a network." },
  { "hostname", hostname, change = "restart", default_text = "the instance's name",
    meaning = "The guest's name of itself; replicas get -0, -1, … behind it." },
  { "domainname", hostname, change = "restart", meaning = "The guest's domain." },
  { "container_name", schema.text { pattern = "[%w][%w_.-]+", most = 63, wanted = "a name" },
    change = "recreate", default_text = "the service's name and a number",
    meaning = "Name of the one instance." },
  { "dns", addresses, change = "restart", default_text = "the host's",
    meaning = "Name servers." },
  { "dns_search", rules.texts, change = "restart", meaning = "Domains to search." },
  { "dns_opt", rules.texts, change = "restart", meaning = "Options of the resolver." },
  { "extra_hosts", extra_hosts, change = "live",
    meaning = "Lines for /etc/hosts: NAME=ADDRESS or {NAME: ADDRESS}; the address host-gateway is the host." },
  { "host_access", schema.choice { values = { "allow", "deny" } }, own = true,
    change = "restart", default_text = "allow; deny where all networks are internal",
    meaning = "Whether the guest reaches services on the host's loopback, by 10.0.2.2." },
  { "links", schema.list { of = schema.text { pattern = "[%w][%w_.-]*:?[%w_.-]*", wanted = "SERVICE or SERVICE:ALIAS" } },
    class = "later", change = "live", reason = "services reach each other by name already; write depends_on: for the order",
    meaning = "Services to wait for, by further names." },
}
