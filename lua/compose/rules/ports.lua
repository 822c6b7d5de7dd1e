--- Checks of published ports. Pure.

local M = {}

local LAST_PORT = 65535

-- Every published port with a fixed number, in a fixed order.
local function each_fixed(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, port in ipairs(service.ports) do
      if port and port.host > 0 then visit({ "services", name, "ports", position }, port, service) end
    end
  end
end

--- Replicas take the ports after the one that is written.
function M.check_range(project, report)
  each_fixed(project, function(keys, port, service)
    local last = port.host + service.replicas - 1
    if last > LAST_PORT then
      report(keys, ("%d replicas from host port %d on would need port %d"):format(service.replicas, port.host, last))
    end
  end)
end

local function overlaps(one, other)
  return one.host_ip == other.host_ip or one.host_ip == "0.0.0.0" or other.host_ip == "0.0.0.0"
end

-- The claim on one port number that stands in the way of `claim`, if any.
local function rival(claims, claim)
  for _, other in ipairs(claims) do
    if overlaps(other.port, claim.port) then return other end
  end
end

-- Claims one number for one replica; gives the first claim in its way.
local function claim_number(claims, key, claim)
  claims[key] = claims[key] or {}
  local other = rival(claims[key], claim)
  table.insert(claims[key], claim)
  return other
end

local function describe(number, claim, other)
  local port = ("host port %d/%s"):format(number, claim.port.protocol)
  if other.keys == claim.keys then return port .. " is published twice" end
  return ("%s is also published by services.%s.ports[%d]"):format(port, other.keys[2], other.keys[4])
end

--- A port of the host belongs to one instance. Among two claims the later one in the file is reported.
function M.check_repeated(project, report, facts)
  local claims, fixed = {}, {}
  each_fixed(project, function(keys, port, service)
    fixed[#fixed + 1] = { keys = keys, port = port, replicas = service.replicas, mark = facts.mark(keys) }
  end)
  table.sort(fixed, function(a, b) return a.mark < b.mark end)
  for _, claim in ipairs(fixed) do
    for number = claim.port.host, math.min(claim.port.host + claim.replicas - 1, LAST_PORT) do
      local other = claim_number(claims, claim.port.protocol .. number, claim)
      if other then
        report(claim.keys, describe(number, claim, other),
          other.replicas > 1 and "replicas take the following ports" or nil)
        break
      end
    end
  end
end

return M
