--- The graph as one list of nodes and lines, for languages whose readers place them. Pure.
local M = {}

---@class holos.GraphNode
---@field kind  "service"|"volume"|"share"|"network"
---@field id    string    of letters and digits, unlike any other
---@field label string[]  lines of text

---@class holos.GraphLine
---@field kind     "need"|"use"|"member"
---@field from     string   id of a service
---@field to       string   id
---@field label    string[] lines of text; none for members
---@field is_faint boolean  a need that is optional, a use that only reads

local function add_node(parts, kind, id, ...) parts[#parts + 1] = { kind = kind, id = id, label = { ... } } end

local function add_line(parts, kind, from, to, label, is_faint)
  parts[#parts + 1] = { kind = kind, from = from, to = to, label = { label }, is_faint = is_faint or false }
end

local function add_services(parts, ids, services)
  for position, service in ipairs(services) do
    ids[service.name] = "s" .. position
    add_node(parts, "service", ids[service.name], service.title, service.image, table.unpack(service.ports))
  end
  for _, service in ipairs(services) do
    for _, need in ipairs(service.needs) do
      add_line(parts, "need", ids[service.name], ids[need.service], need.condition, need.is_optional)
    end
  end
end

local function add_uses(parts, ids, id, users)
  for _, use in ipairs(users) do add_line(parts, "use", ids[use.service], id, use.target, use.read_only) end
end

--- Nodes and lines, each line behind both of its nodes.
---@param graph holos.Graph
---@return (holos.GraphNode|holos.GraphLine)[]
function M.of(graph)
  local parts, ids = {}, {}
  add_services(parts, ids, graph.services)
  for position, volume in ipairs(graph.volumes) do
    add_node(parts, "volume", "v" .. position, volume.key, volume.text)
    add_uses(parts, ids, "v" .. position, volume.users)
  end
  for position, share in ipairs(graph.shares) do
    add_node(parts, "share", "d" .. position, share.source)
    add_uses(parts, ids, "d" .. position, share.users)
  end
  for position, network in ipairs(graph.networks) do
    add_node(parts, "network", "n" .. position, network.name, network.text)
    for _, member in ipairs(network.members) do add_line(parts, "member", ids[member], "n" .. position) end
  end
  return parts
end

return M
