--- The names that guests of a project know each other by. They are kept once for a project, in its record, and a spec
--- holds the id of what its guest is told: 50 specs with 50 names each would be most of a record. Pure.
local lease = require "holos.plan.lease"
local network = require "holos.plan.network"
local table_ = require "holos.core.table"

local M = {}

--- An instance in one of its networks.
---@class holos.Host
---@field address string
---@field names   string[]   its own first, and that of its service for all replicas
---@field network string?    absent: the default network
---@field aliases string[]?  names that it has in this network only

--- All names of one instance in one network.
---@param instance {name: string, service: string, index: integer?}
---@param membership {network: string, aliases: string[]?}?
---@return holos.Host
function M.of_instance(instance, address, membership)
  local names = table_.list { instance.name }
  local numbered = ("%s-%d"):format(instance.service, instance.index or 0)
  if instance.index and numbered ~= instance.name then names[2] = numbered end
  names[#names + 1] = instance.service
  local key, aliases = (membership or {}).network, (membership or {}).aliases or {}
  return { address = address, names = names, network = key ~= lease.DEFAULT and key or nil,
    aliases = #aliases > 0 and table_.list(table_.copy(aliases)) or nil }
end

--- Every instance of a project in each of its networks, in start order.
---@param instances table[]  of plan/instance
---@param leases table<string, table>  of plan/network
---@return holos.Host[]
function M.of_project(project, instances, leases)
  local hosts = table_.list {}
  for _, instance in ipairs(instances) do
    for _, membership in ipairs(network.memberships(project.services[instance.service])) do
      local address = leases[membership.network].addresses[instance.name]
      hosts[#hosts + 1] = M.of_instance(instance, address, membership)
    end
  end
  return hosts
end

-- Instances in their order, each with its hosts by network.
local function by_instance(hosts)
  local groups, known = {}, {}
  for _, host in ipairs(hosts) do
    local name = host.names[1] or ""
    if not known[name] then
      known[name] = {}
      groups[#groups + 1] = known[name]
    end
    known[name][host.network or lease.DEFAULT] = host
  end
  return groups
end

local function add_new(names, more, seen)
  for _, name in ipairs(more or {}) do
    if not seen[name] then seen[name], names[#names + 1] = true, name end
  end
end

--- What a guest with these cards is told: names of every instance that it shares a network with, at the address in the
--- first such network; aliases at the address in the network that they are for.
---@param nics table[]         of a spec
---@param hosts holos.Host[]   of the project
---@return {address: string, names: string[]}[]
function M.seen_by(nics, hosts)
  local lines = {}
  for _, group in ipairs(by_instance(hosts)) do
    local seen, is_first = {}, true
    for _, nic in ipairs(nics) do
      local host = nic.kind ~= "user" and group[nic.network or lease.DEFAULT]
      if host then
        local names = {}
        add_new(names, is_first and host.names, seen)
        add_new(names, host.aliases, seen)
        if #names > 0 then lines[#lines + 1] = { address = host.address, names = names } end
        is_first = false
      end
    end
  end
  return lines
end

--- A line of /etc/hosts.
---@param host {address: string, names: string[]}
function M.line(host) return host.address .. " " .. table.concat(host.names, " ") end

--- Tells whether names or addresses changed. The number in front is for people.
---@param hosts {address: string, names: string[]}[]  as seen by a guest
function M.id(sha256, hosts)
  return ("%d-%s"):format(#hosts, sha256(table.concat(table_.map(hosts, M.line), "\n")):sub(1, 16))
end

return M
