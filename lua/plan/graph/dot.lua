--- The graph in the language of Graphviz. Pure.
local parts = require "holos.plan.graph.parts"
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

local SHAPES = { service = "", volume = ", shape=cylinder, style=solid", share = ", shape=folder, style=solid",
  network = ", shape=ellipse, style=dotted" }

local function node_line(node) return ("  %s [label=%s%s];"):format(node.id, M.quote(node.label), SHAPES[node.kind]) end

local writers = { service = node_line, volume = node_line, share = node_line, network = node_line }

function writers.need(line)
  return ("  %s -> %s [label=%s%s];"):format(line.from, line.to, M.quote(line.label), line.is_faint and ", style=dashed" or "")
end

function writers.use(line)
  return ("  %s -> %s [label=%s, arrowhead=none%s];"):format(line.from, line.to, M.quote(line.label),
    line.is_faint and ", style=dashed" or "")
end

function writers.member(line) return ("  %s -> %s [arrowhead=none, style=dotted];"):format(line.from, line.to) end

--- The lines of a digraph.
---@param graph holos.Graph
function M.lines(graph)
  local lines = { ("digraph %s {"):format(M.quote { graph.name }), '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];' }
  for _, part in ipairs(parts.of(graph)) do lines[#lines + 1] = writers[part.kind](part) end
  lines[#lines + 1] = "}"
  return lines
end

return M
