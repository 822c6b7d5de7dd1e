--- The graph in the language of Graphviz. Pure.
local text = require "holos.core.text"

local M = {}

-- Inside quotes, where backslashes and character entities mean something in labels.
local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["&"] = "&amp;", ["\n"] = " ", ["\t"] = " " }

--- Lines of text as one quoted label.
---@param lines string[]
function M.quote(lines)
  local escaped = {}
  for _, line in ipairs(lines) do
    if line ~= "" then escaped[#escaped + 1] = text.escape_terminal(line):gsub('[\\"&\n\t]', ESCAPES) end
  end
  return '"' .. table.concat(escaped, "\\n") .. '"'
end

local function add_services(lines, ids, graph)
  for position, service in ipairs(graph.services) do
    ids[service.name] = "s" .. position
    local label = { service.title, service.image, table.unpack(service.ports) }
    lines[#lines + 1] = ("  s%d [label=%s];"):format(position, M.quote(label))
  end
  for _, service in ipairs(graph.services) do
    for _, need in ipairs(service.needs) do
      lines[#lines + 1] = ("  %s -> %s [label=%s%s];"):format(ids[service.name], ids[need.service], M.quote { need.condition },
        need.is_optional and ", style=dashed" or "")
    end
  end
end

local function add_uses(lines, ids, id, users)
  for _, use in ipairs(users) do
    lines[#lines + 1] = ("  %s -> %s [label=%s, arrowhead=none%s];"):format(ids[use.service], id, M.quote { use.target },
      use.read_only and ", style=dashed" or "")
  end
end

local function add_storage(lines, ids, graph)
  for position, volume in ipairs(graph.volumes) do
    lines[#lines + 1] = ("  v%d [label=%s, shape=cylinder, style=solid];"):format(position, M.quote { volume.key, volume.text })
    add_uses(lines, ids, "v" .. position, volume.users)
  end
  for position, share in ipairs(graph.shares) do
    lines[#lines + 1] = ("  d%d [label=%s, shape=folder, style=solid];"):format(position, M.quote { share.source })
    add_uses(lines, ids, "d" .. position, share.users)
  end
end

local function add_networks(lines, ids, graph)
  for position, network in ipairs(graph.networks) do
    lines[#lines + 1] = ("  n%d [label=%s, shape=ellipse, style=dotted];"):format(position,
      M.quote { network.name, network.text })
    for _, member in ipairs(network.members) do
      lines[#lines + 1] = ("  %s -> n%d [arrowhead=none, style=dotted];"):format(ids[member], position)
    end
  end
end

--- The lines of a digraph.
---@param graph holos.Graph
function M.lines(graph)
  local lines, ids = { ("digraph %s {"):format(M.quote { graph.name }), '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];' }, {}
  add_services(lines, ids, graph)
  add_storage(lines, ids, graph)
  add_networks(lines, ids, graph)
  lines[#lines + 1] = "}"
  return lines
end

return M
