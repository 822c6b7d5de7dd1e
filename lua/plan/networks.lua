--- The networks of a project for people to look at: from its record, or as they would be leased. Pure.
local hosts_ = require "holos.plan.hosts"
local lease = require "holos.plan.lease"
local network = require "holos.plan.network"
local table_ = require "holos.core.table"

local M = {}

---@class holos.NetworkRow
---@field project string
---@field key string       as the file calls it
---@field name string      "shop_default"
---@field state "leased"|"planned"
---@field driver string
---@field subnet string?
---@field group string?    multicast group and port
---@field port integer?
---@field internal boolean
---@field external boolean
---@field members {instance: string, address: string?, mac: string, interface: string?, names: string[]}[]  in order of
---                       their names

local function names_by_host(hosts)
  local names = {}
  for _, host in ipairs(hosts or {}) do
    local key = ("%s/%s"):format(host.network or lease.DEFAULT, host.names[1])
    names[key] = table_.extend(table_.extend(table_.list {}, host.names), host.aliases or {})
  end
  return names
end

-- Adds an instance to the networks that its cards are in.
local function add_cards(members, names, instance, nics)
  for _, nic in ipairs(nics) do
    if nic.kind ~= "user" then
      local key = nic.network or lease.DEFAULT
      members[key] = members[key] or table_.list {}
      table.insert(members[key], { instance = instance, address = nic.address, mac = nic.mac, interface = nic.interface_name,
        names = names[("%s/%s"):format(key, instance)] or table_.list { instance } })
    end
  end
end

local function by_name(a, b) return a.instance < b.instance end

local function row_of(project, key, leased, declared, members, state)
  members = members or table_.list {}
  table.sort(members, by_name)
  return { members = members, project = project, key = key, state = state, driver = declared.driver or "mcast",
    name = leased.name or declared.name or ("%s_%s"):format(project, key), subnet = leased.subnet or declared.subnet,
    group = leased.group, port = leased.port, internal = leased.internal or declared.internal or false,
    external = declared.external or false }
end

--- The networks that a record holds.
---@return holos.NetworkRow[] rows  in order of their keys
function M.of_record(record)
  local rows, members, names = table_.list {}, {}, names_by_host(record.hosts)
  for name, entry in table_.sorted_pairs(record.instances) do add_cards(members, names, name, entry.spec.nics) end
  for key, leased in table_.sorted_pairs(lease.recorded(record)) do
    rows[#rows + 1] = row_of(record.name, key, leased, {}, members[key], "leased")
  end
  return rows
end

--- The networks of a project that was not made yet.
---@param instances table[]  of plan/instance
---@param leases table<string, table>  of plan/network; those that cannot be leased are not there
---@param facts table        {sha256}
---@return holos.NetworkRow[] rows
function M.of_project(project, instances, leases, facts)
  local all, members, rows = {}, {}, table_.list {}
  for key in pairs(network.declared(project)) do all[key] = leases[key] or { addresses = {} } end
  local names = names_by_host(hosts_.of_project(project, instances, all))
  for _, instance in ipairs(instances) do
    local nics = network.nics({ project = project, facts = facts, leases = all }, project.services[instance.service],
      instance.name)
    add_cards(members, names, instance.name, nics)
  end
  for key, declared in table_.sorted_pairs(network.declared(project)) do
    rows[#rows + 1] = row_of(project.name, key, all[key], declared, members[key], "planned")
  end
  return rows
end

--- The rows that a word names, by key or by name.
---@param rows holos.NetworkRow[]
function M.named(rows, word)
  return table_.filter(rows, function(row) return row.key == word or row.name == word end)
end

return M
