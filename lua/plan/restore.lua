--- What comes back from the trash, laid beside what was leased since. Pure.
--- Addresses, the multicast group, picked ports and QEMU's uid are only leased: where another has them by now, new ones
--- are taken, and said. A published port of a fixed number is the user's: where it is in use, nothing is put back.
local lease = require "holos.plan.lease"
local network = require "holos.plan.restore.network"
local ports = require "holos.plan.ports"
local table_ = require "holos.core.table"

local M = {}

---@class holos.Restoring
---@field living table?     the project's record as it is
---@field old table         its record as it was when the batch was taken
---@field instances string[]  of the batch
---@field volumes string[]
---@field others table<string, table>  the records of all other projects
---@field sha256 function
---@field routes table[]?  of the host

--- Every host port that a record has for its instances: {protocol, ip, host, owner, running, key}.
local function ports_of(record, visit)
  for name, entry in table_.sorted_pairs(record.instances) do
    local function claim(protocol, ip, host, key)
      visit { protocol = protocol, ip = ip, host = host, key = key, owner = record.name .. "/" .. name, instance = name,
        running = entry.desired == "running" }
    end
    local leased = entry.leased or {}
    if leased.ssh then claim("tcp", "127.0.0.1", leased.ssh, "ssh") end
    local keys = ports.lease_keys(entry.spec.ports)
    for position, port in ipairs(entry.spec.ports) do
      local key = keys[position]
      if not key then
        claim(port.protocol, port.host_ip, port.host)
      elseif leased[key] then
        claim(port.protocol, port.host_ip, leased[key], key)
      end
    end
  end
end

local function overlap(a, b)
  return a.protocol == b.protocol and a.host == b.host and (a.ip == b.ip or a.ip == "0.0.0.0" or b.ip == "0.0.0.0")
end

--- The claims of all but the instances that come back.
local function claims_beside(context, record)
  local claims = {}
  local function keep(port) claims[#claims + 1] = port end
  for _, other in table_.sorted_pairs(context.others) do ports_of(other, keep) end
  ports_of(record, function(port)
    if not table_.index_of(context.instances, port.instance) then keep(port) end
  end)
  return claims
end

--- A leased port of theirs that somebody else has by now is forgotten, and that is said once, however many have it.
local function check_ports(context, record, result)
  local claims = claims_beside(context, record)
  local function compare(port)
    if not table_.index_of(context.instances, port.instance) then return end
    for _, claim in ipairs(claims) do
      if overlap(port, claim) and port.key then
        record.instances[port.instance].leased[port.key] = nil
        result.notices[#result.notices + 1] = ("%s: host port %d is %s's by now; it gets another when it starts")
          :format(port.instance, port.host, claim.owner)
        return
      elseif overlap(port, claim) and claim.running then
        result.refusals[#result.refusals + 1] = { owner = claim.owner, message = ("%s publishes %s:%d/%s, which %s has by now")
          :format(port.instance, port.ip, port.host, port.protocol, claim.owner) }
      end
    end
  end
  ports_of(record, compare)
end

local function lease_uid(context, record)
  for _, other in pairs(context.others) do
    if other.leases.uid and other.leases.uid == record.leases.uid then record.leases.uid = nil end
  end
  record.leases.uid = lease.uid({ name = record.name }, record, { sha256 = context.sha256, records = context.others })
end

-- What was taken away before its disk had been replaced still has the old one.
local function settled(entry)
  local replaced = entry.replaced
  if replaced and not replaced.is_moved then entry.spec, entry.disk_made = replaced.spec, true end
  entry.replaced, entry.previous = nil, nil
  return entry
end

--- The living record with what comes back; without one, the old record with nothing but that.
local function laid(context)
  local old, record = table_.copy(context.old), context.living
  if not record then
    record = table_.copy(context.old)
    record.instances, record.leases.addresses, record.leases.network, record.leases.networks = {}, {}, nil, nil
  end
  local added = network.lay(record, old)
  for _, name in ipairs(context.volumes) do
    record.volumes[name] = old.volumes[name] or { is_copied = true }
    record.volumes[name].desired = nil
  end
  for _, name in ipairs(context.instances) do
    record.instances[name] = settled(old.instances[name])
    record.instances[name].desired = "stopped"
  end
  return record, added
end

--- What a batch holds beyond its record: nobody knows what such a disk belongs to.
local function check_known(context, result)
  for _, name in ipairs(context.instances) do
    if not context.old.instances[name] then
      result.refusals[#result.refusals + 1] = { message = ("instances/%s of this batch is not in its record.json: %s"):format(name,
        "move it out of the batch to restore the others") }
    end
  end
end

--- The record after a restore, none where an instance is unknown. The living record is changed in place.
---@param context holos.Restoring
---@return {record: table?, notices: string[], refusals: {message: string, owner: string?}[]} result
function M.merge(context)
  local result = { notices = {}, refusals = {} }
  check_known(context, result)
  if #result.refusals > 0 then return result end
  local record, added = laid(context)
  if not context.living then lease_uid(context, record) end
  network.take(context, record, added, result)
  check_ports(context, record, result)
  result.record = record
  return result
end

return M
