--- services.*.dns and services.*.extra_hosts. Data.
local address = require "holos.core.address"
local hosts = require "holos.compose.hosts"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

M.addresses = rules.one_or_more(schema.text { wanted = "an IP address", check = function(value)
  if not address.is_ip(value) then return ('"%s" is not an IP address'):format(value) end
end })

local one = schema.parsed { accepts = { text = true }, wanted = "an IP address or host-gateway",
  parse = function(value) return hosts.parse_address(value) end }

local name = schema.text { wanted = "a host name", check = function(value) return hosts.check_name(value) end }

-- {NAME: [address, …]} → [{name, address}, …] in the order of the names.
local function from_map(map)
  local list = tables.list {}
  for host, addresses in tables.sorted_pairs(map) do
    for _, value in ipairs(addresses) do list[#list + 1] = { name = host, address = value } end
  end
  return list
end

M.extra_hosts = schema.either {
  list = schema.list { of = schema.parsed {
    accepts = { text = true }, wanted = "NAME=ADDRESS", parse = function(value) return hosts.parse(value) end,
  } },
  map = schema.map { of = rules.one_or_more(one), key = name },
  canonical = function(value) return tables.is_list(value) and value or from_map(value) end, form = "hosts",
}

return M
