--- Published ports of one instance. Pure.
local table_ = require "holos.core.table"

local M = {}

--- Each replica takes the next host port; 0 stays 0: any free one; of a range each takes a free one, see run/ports.
---@param service table  of a project
---@param index integer  of the instance, from 0
function M.of_instance(service, index)
  local ports = table_.list {}
  for position, port in ipairs(service.ports) do
    local copy = { host_ip = port.host_ip, host = port.host, host_to = port.host_to, guest = port.guest,
      protocol = port.protocol }
    if port.host > 0 and not port.host_to then copy.host = port.host + index end
    ports[position] = copy
  end
  return ports
end

--- Under which names a record keeps the host ports that were picked for an instance: "tcp:80", and "tcp:80#2" for the
--- second one of that guest port; nothing for those that the file names.
---@param ports table[]  of a spec
---@return table<integer, string> keys  by position
function M.lease_keys(ports)
  local keys, counts = {}, {}
  for position, port in ipairs(ports) do
    if port.host == 0 or port.host_to then
      local key = ("%s:%d"):format(port.protocol, port.guest)
      counts[key] = (counts[key] or 0) + 1
      keys[position] = counts[key] == 1 and key or ("%s#%d"):format(key, counts[key])
    end
  end
  return keys
end

local function is_same(a, b)
  return a.protocol == b.protocol and a.host_ip == b.host_ip and a.host == b.host and a.host_to == b.host_to
    and a.guest == b.guest
end

--- Whether one of `ports` is this very port.
function M.has(ports, port)
  for _, other in ipairs(ports) do
    if is_same(other, port) then return true end
  end
  return false
end

--- Those of `ports` that are not among `others`.
function M.without(ports, others)
  return table_.filter(ports, function(port) return not M.has(others, port) end)
end

local ANY = "0.0.0.0"

--- Whether one of `taken` is in the way of `port`: the same number of the same protocol, at the same address or at all.
---@param taken {protocol: string, host_ip: string, host: integer}[]
function M.any_overlaps(taken, port)
  for _, other in ipairs(taken) do
    local meets = other.host_ip == port.host_ip or other.host_ip == ANY or port.host_ip == ANY
    if meets and other.protocol == port.protocol and other.host == port.host then return true end
  end
  return false
end

--- What a plan launches, or gives other ports: instances whose ports have to be free for it. A launch that was cut off
--- has its QEMU already.
---@param actions holos.Action[]
---@param specs table[]
---@param seen table<string, table>  instances as observed
---@return table[] launched  specs
---@return table[] freed     the ports of the instances that the plan stops
function M.of_plan(actions, specs, seen)
  local kinds, launched, freed = { ["instance.launch"] = {}, ["instance.stop"] = {}, ["instance.apply"] = {} }, {}, {}
  for _, action in ipairs(actions) do
    if kinds[action.kind] then kinds[action.kind][action.instance] = true end
  end
  local stopped, freeing = kinds["instance.stop"], table_.merge(kinds["instance.stop"], kinds["instance.apply"])
  for _, spec in ipairs(specs) do
    local is_cut = seen[spec.name] and seen[spec.name].is_cut and not stopped[spec.name]
    local takes = kinds["instance.launch"][spec.name] or kinds["instance.apply"][spec.name]
    if takes and not is_cut then launched[#launched + 1] = spec end
  end
  for name in pairs(freeing) do
    local known = seen[name] or {}
    table_.extend(freed, known.runtime and known.runtime.ports or {})
    table_.extend(freed, known.applied and known.applied.ports or {})
  end
  return launched, freed
end

return M
