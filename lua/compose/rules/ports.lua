--- Checks of published ports. Pure.
local document = require "holos.compose.document"

local M = {}

local LAST_PORT = 65535

-- Every published port with a fixed number; those of pools have none.
local function each_fixed(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, port in ipairs(service.ports) do
      if port and port.host > 0 and not port.host_to then visit(port, service, position) end
    end
  end
end

local function place(service, position)
  return { "services", service.name, "ports", position }
end

--- Replicas take the ports after the one that is written.
function M.check_range(project, report)
  each_fixed(project, function(port, service, position)
    local last = port.host + service.replicas - 1
    if last <= LAST_PORT then return end
    report(place(service, position),
      ("%d replicas from host port %d on would need port %d"):format(service.replicas, port.host, last),
      ("begin with %d or below"):format(LAST_PORT - service.replicas + 1))
  end)
end

--- A pool has a port for each replica.
function M.check_pools(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, port in ipairs(service.ports) do
      local count = port and port.host_to and port.host_to - port.host + 1
      if count and count < service.replicas then
        report(place(service, position),
          ("%d host ports (%d-%d) for %d replicas"):format(count, port.host, port.host_to, service.replicas),
          ("write at least %d-%d"):format(port.host, port.host + service.replicas - 1))
      end
    end
  end
end

local function overlaps(one, other)
  return one.host_ip == other.host_ip or one.host_ip == "0.0.0.0" or other.host_ip == "0.0.0.0"
end

-- Calls visit(number, claims) for every port number of a claim, with the table of claims on that number.
local function each_number(by_number, port, replicas, visit)
  local base = port.protocol == "udp" and LAST_PORT + 1 or 0
  for number = port.host, math.min(port.host + replicas - 1, LAST_PORT) do
    local claims = by_number[base + number] or {}
    by_number[base + number] = claims
    if visit(number, claims) then return end
  end
end

-- Whether any number is claimed twice, whatever the address: the common case is that none is.
local function any_twice(project)
  local by_number, found = {}, false
  each_fixed(project, function(port, service)
    each_number(by_number, port, service.replicas, function(_, claims)
      found = found or claims[1] ~= nil
      claims[1] = port
      return found
    end)
  end)
  return found
end

local function in_file_order(project, facts)
  local fixed = {}
  each_fixed(project, function(port, service, position)
    local keys = place(service, position)
    fixed[#fixed + 1] = { keys = keys, port = port, replicas = service.replicas, mark = facts.mark(keys) }
  end)
  table.sort(fixed, function(a, b) return a.mark < b.mark end)
  return fixed
end

local function describe(number, claim, other, facts)
  local port = ("host port %d/%s"):format(number, claim.port.protocol)
  return ("%s is also published by %s"):format(port, facts.path(other.keys))
end

-- The first claim in the way of another on the same number.
local function rival(claims, claim)
  for _, other in ipairs(claims) do
    if overlaps(other.port, claim.port) then return other end
  end
end

-- Every number that something in the project takes.
local function taken_numbers(project)
  local taken = {}
  each_fixed(project, function(port, service)
    for number = port.host, port.host + service.replicas - 1 do taken[number] = true end
  end)
  return taken
end

-- The first number, from one on, that leaves room for a claim.
local function free_number(taken, claim, from)
  local run = 0
  for number = from, LAST_PORT do
    run = taken[number] and 0 or run + 1
    if run == claim.replicas then return number - run + 1 end
  end
end

-- What users of several files do not expect: their lists add up.
local function advice(taken, claim, other)
  local _, _, file = document.position(claim.mark)
  local _, _, other_file = document.position(other.mark)
  if claim.keys[2] == other.keys[2] and file ~= other_file then
    return "ports of several files add up; ports: !override [...] replaces those below"
  end
  local free = free_number(taken, claim, math.max(claim.port.host, other.port.host))
  local why = other.replicas > 1 and "replicas take the following ports; " or ""
  return free and ("%swrite another one: %d is free"):format(why, free) or why .. "write another one"
end

--- A port of the host belongs to one instance. Among two claims the later one in the file is reported.
function M.check_repeated(project, report, facts)
  if not any_twice(project) then return end
  local by_number, taken = {}, taken_numbers(project)
  for _, claim in ipairs(in_file_order(project, facts)) do
    each_number(by_number, claim.port, claim.replicas, function(number, claims)
      local other = rival(claims, claim)
      claims[#claims + 1] = claim
      if not other then return false end
      report(claim.keys, describe(number, claim, other, facts), advice(taken, claim, other))
      return true
    end)
  end
end

return M
