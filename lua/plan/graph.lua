--- A project as a graph: its services and what they need, their networks, volumes, shares and ports, in words that every
--- drawing shows. Pure.
local gate = require "holos.plan.gate"
local image = require "holos.plan.image"
local network = require "holos.plan.network"
local path = require "holos.core.path"
local table_ = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

---@class holos.Graph
---@field name string
---@field services holos.GraphService[]  in start order
---@field networks {key: string, name: string, text: string, members: string[]}[]    text: driver, subnet, what is special
---@field volumes {key: string, text: string, users: holos.GraphUse[]}[]             text: its size
---@field shares {source: string, users: holos.GraphUse[]}[]                         directories of the host

---@class holos.GraphService
---@field name string
---@field replicas integer
---@field title string       "web ×2"
---@field image string       "debian.qcow2", "blank disk"
---@field ports string[]     "127.0.0.1:8080-8081 → 80"
---@field networks string[]  keys, in the order of its cards
---@field needs {service: string, condition: string, is_optional: boolean}[]

---@class holos.GraphUse
---@field service string
---@field target string
---@field read_only boolean

--- "127.0.0.1:8080-8081 → 80/udp": one published port of all replicas together.
---@param service table  of a project
function M.port(service, port)
  local host = port.host == 0 and "any" or tostring(port.host)
  local last = port.host_to or port.host > 0 and port.host + service.replicas - 1
  if last and last > port.host then host = ("%s-%d"):format(host, last) end
  return ("%s:%s → %d%s"):format(port.host_ip, host, port.guest, port.protocol == "udp" and "/udp" or "")
end

local function needs_of(project, service, known)
  local needs = table_.list {}
  for _, dependency in ipairs(service.depends_on) do
    local other = known[dependency.service] and project.services[dependency.service]
    if other then
      needs[#needs + 1] = { service = other.name, condition = gate.of(other, dependency.condition),
        is_optional = dependency.required == false }
    end
  end
  return needs
end

local function image_of(service)
  if service.boot and service.boot.kernel then return path.base(service.boot.kernel) end
  return image.label(service.image)
end

local function service_of(project, service, known)
  return { name = service.name, replicas = service.replicas, image = image_of(service),
    title = service.replicas == 1 and service.name or ("%s ×%d"):format(service.name, service.replicas),
    ports = table_.map(service.ports, function(port) return M.port(service, port) end),
    networks = table_.map(network.memberships(service), function(membership) return membership.network end),
    needs = needs_of(project, service, known) }
end

local function network_text(declared)
  local words = { declared.driver or "mcast", declared.subnet }
  for _, word in ipairs { "internal", "external" } do
    if declared[word] then words[#words + 1] = word end
  end
  return table.concat(words, ", ")
end

local function networks_of(project, services)
  local networks = table_.list {}
  for key, declared in table_.sorted_pairs(network.declared(project)) do
    local members = table_.filter(services, function(service) return table_.index_of(service.networks, key) ~= nil end)
    networks[#networks + 1] = { key = key, name = declared.name or ("%s_%s"):format(project.name, key),
      text = network_text(declared), members = table_.map(members, function(service) return service.name end) }
  end
  return networks
end

-- What the services mount of one kind, by what it is; in start order.
local function uses(project, services, kind, field)
  local by_name = {}
  for _, service in ipairs(services) do
    for _, mount in ipairs(project.services[service.name].mounts) do
      if mount.kind == kind and not mount.anonymous then
        local users = by_name[mount[field]] or table_.list {}
        by_name[mount[field]] = users
        users[#users + 1] = { service = service.name, target = mount.target, read_only = mount.read_only or false }
      end
    end
  end
  return by_name
end

local function volumes_of(project, services)
  local volumes, users = table_.list {}, uses(project, services, "volume", "volume")
  for key, volume in table_.sorted_pairs(project.volumes) do
    volumes[#volumes + 1] = { key = key, users = users[key] or table_.list {},
      text = volume.device or volume.external and "external" or volume.size_bytes and units.format_bytes(volume.size_bytes) or "" }
  end
  return volumes
end

local function shares_of(project, services)
  local shares = table_.list {}
  for source, users in table_.sorted_pairs(uses(project, services, "bind", "source")) do
    shares[#shares + 1] = { source = path.short(source, project.directory), users = users }
  end
  return shares
end

--- The graph of a project.
---@return holos.Graph
function M.of(project)
  local known, services = {}, table_.list {}
  for _, name in ipairs(project.order) do known[name] = true end
  for position, name in ipairs(project.order) do services[position] = service_of(project, project.services[name], known) end
  return { name = project.name, services = services, networks = networks_of(project, services),
    volumes = volumes_of(project, services), shares = shares_of(project, services) }
end

return M
