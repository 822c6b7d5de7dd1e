--- What records have leased twice: host ports that were picked for instances, multicast groups, uids, and subnets within
--- one project; those of two projects may be the same, as nothing connects them. Leasing never does that; a state directory
--- that was put together by hand may hold it. Pure.
local table_ = require "holos.core.table"

local M = {}

-- {[what] = owners}, where `what` is a sentence's subject.
local function claim(claims, what, owner)
  claims[what] = claims[what] or {}
  table.insert(claims[what], owner)
end

local function claim_network(claims, lease, project, owner)
  if not lease then return end
  claim(claims, ("multicast group %s:%d"):format(lease.group, lease.port), owner)
  claim(claims, ("subnet %s of %s"):format(lease.subnet, project), owner)
end

local function claim_ports(claims, entry, owner)
  for key, port in pairs(entry.leased or {}) do
    local protocol = key:match("^(%a+):") or "tcp"
    claim(claims, ("host port %d/%s"):format(port, protocol), owner)
  end
end

local function claim_record(claims, record)
  local leases = record.leases
  if leases.uid then claim(claims, "uid " .. leases.uid, record.name) end
  claim_network(claims, leases.network, record.name, record.name)
  for name, network in pairs(leases.networks or {}) do
    claim_network(claims, network, record.name, record.name .. "/" .. name)
  end
  for name, entry in pairs(record.instances) do claim_ports(claims, entry, record.name .. "/" .. name) end
end

--- All leases that several have.
---@param records table<string, table>  by project
---@return {what: string, owners: string[]}[] clashes
function M.of(records)
  local claims, clashes = {}, {}
  for _, record in pairs(records) do claim_record(claims, record) end
  for what, owners in table_.sorted_pairs(claims) do
    table.sort(owners)
    if #owners > 1 then clashes[#clashes + 1] = { what = what, owners = owners } end
  end
  return clashes
end

return M
