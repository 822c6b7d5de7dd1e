--- The graph for a terminal: what needs what as a tree, then networks, volumes and shared directories. Pure.
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

local BRANCH = { middle = "├─ ", last = "└─ ", beside = "│  ", below = "   " }

local function by_name(graph)
  local services = {}
  for _, service in ipairs(graph.services) do services[service.name] = service end
  return services
end

-- Those that nobody needs.
local function roots(graph)
  local needed = {}
  for _, service in ipairs(graph.services) do
    for _, need in ipairs(service.needs) do needed[need.service] = true end
  end
  return table_.filter(graph.services, function(service) return not needed[service.name] end)
end

local function until_words(need)
  if not need then return "" end
  return need.is_optional and need.condition .. ", optional" or need.condition
end

-- A service is told in full where it comes first.
local function add_rows(tree, service, need, lead, branch)
  local is_known = tree.seen[service.name]
  tree.seen[service.name] = true
  local label = lead .. branch .. (is_known and service.name or service.title)
  tree.rows[#tree.rows + 1] = is_known and { "  " .. label, until_words(need), "(above)" }
    or { "  " .. label, until_words(need), service.image, table.concat(service.networks, " "),
      table.concat(service.ports, "  ") }
  if is_known then return end
  local below = branch == BRANCH.middle and BRANCH.beside or branch == BRANCH.last and BRANCH.below or ""
  for position, wanted in ipairs(service.needs) do
    add_rows(tree, tree.services[wanted.service], wanted, lead .. below,
      position == #service.needs and BRANCH.last or BRANCH.middle)
  end
end

local function use_words(users)
  local words = {}
  for i, use in ipairs(users) do
    words[i] = ("%s at %s%s"):format(use.service, use.target, use.read_only and " read-only" or "")
  end
  return table.concat(words, ", ")
end

local function add_part(lines, title, rows)
  if #rows == 0 then return end
  lines[#lines + 1] = title
  for _, line in ipairs(text.columns(rows)) do lines[#lines + 1] = line end
end

--- The lines of a graph; what comes out of the file is harmless for a terminal.
---@param graph holos.Graph
---@return string[] lines
function M.lines(graph)
  local tree = { services = by_name(graph), seen = {},
    rows = { { "  SERVICE", "WAITS UNTIL IT IS", "IMAGE", "NETWORKS", "PORTS" } } }
  for _, service in ipairs(roots(graph)) do add_rows(tree, service, nil, "", "") end
  local lines = { graph.name }
  for _, line in ipairs(text.columns(tree.rows)) do lines[#lines + 1] = line end
  add_part(lines, "networks", table_.map(graph.networks, function(network)
    return { "  " .. network.key, network.name, network.text, table.concat(network.members, " ") }
  end))
  add_part(lines, "volumes", table_.map(graph.volumes, function(volume)
    return { "  " .. volume.key, volume.text, use_words(volume.users) }
  end))
  add_part(lines, "shared directories", table_.map(graph.shares, function(share)
    return { "  " .. share.source, use_words(share.users) }
  end))
  return table_.map(lines, function(line) return (text.escape_terminal(line):gsub("[\n\t]", " ")) end)
end

return M
