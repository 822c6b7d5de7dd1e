--- The graph in the language of Mermaid, which many readers of Markdown draw. Pure.
local text = require "holos.core.text"

local M = {}

-- Texts are quoted; Mermaid's own entities stand for what would still mean something there.
local ESCAPES = { ['"'] = "#quot;", ["#"] = "#35;", ["&"] = "#amp;", ["<"] = "#lt;", [">"] = "#gt;", ["`"] = "#96;",
  ["\n"] = " ", ["\t"] = " ", ["\\"] = "#92;", ["|"] = "#124;" }

--- Lines of text as one quoted label.
---@param lines string[]
function M.quote(lines)
  local escaped = {}
  for _, line in ipairs(lines) do
    if line ~= "" then escaped[#escaped + 1] = text.escape_terminal(line):gsub('["#&<>`\n\t\\|]', ESCAPES) end
  end
  return '"' .. table.concat(escaped, "<br/>") .. '"'
end

local function add_services(lines, ids, graph)
  for position, service in ipairs(graph.services) do
    ids[service.name] = "s" .. position
    lines[#lines + 1] = ("  s%d[%s]"):format(position, M.quote { service.title, service.image, table.unpack(service.ports) })
  end
  for _, service in ipairs(graph.services) do
    for _, need in ipairs(service.needs) do
      lines[#lines + 1] = ("  %s %s|%s| %s"):format(ids[service.name], need.is_optional and "-.->" or "-->",
        M.quote { need.condition }, ids[need.service])
    end
  end
end

local function add_uses(lines, ids, id, users)
  for _, use in ipairs(users) do
    lines[#lines + 1] = ("  %s %s|%s| %s"):format(ids[use.service], use.read_only and "-.-" or "---", M.quote { use.target }, id)
  end
end

local function add_storage(lines, ids, graph)
  for position, volume in ipairs(graph.volumes) do
    lines[#lines + 1] = ("  v%d[(%s)]"):format(position, M.quote { volume.key, volume.text })
    add_uses(lines, ids, "v" .. position, volume.users)
  end
  for position, share in ipairs(graph.shares) do
    lines[#lines + 1] = ("  d%d[/%s/]"):format(position, M.quote { share.source })
    add_uses(lines, ids, "d" .. position, share.users)
  end
end

local function add_networks(lines, ids, graph)
  for position, network in ipairs(graph.networks) do
    lines[#lines + 1] = ("  n%d([%s])"):format(position, M.quote { network.name, network.text })
    for _, member in ipairs(network.members) do lines[#lines + 1] = ("  %s -.- n%d"):format(ids[member], position) end
  end
end

--- The lines of a flowchart.
---@param graph holos.Graph
function M.lines(graph)
  local lines, ids = { "flowchart TD" }, {}
  add_services(lines, ids, graph)
  add_storage(lines, ids, graph)
  add_networks(lines, ids, graph)
  return lines
end

return M
