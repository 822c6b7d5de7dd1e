--- The graph in the language of Mermaid, which many readers of Markdown draw. Pure.
local parts = require "holos.plan.graph.parts"
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

local SHAPES = { service = "  %s[%s]", volume = "  %s[(%s)]", share = "  %s[/%s/]", network = "  %s([%s])" }

local function node_line(node) return SHAPES[node.kind]:format(node.id, M.quote(node.label)) end

local writers = { service = node_line, volume = node_line, share = node_line, network = node_line }

local function labelled(line, plain, faint)
  return ("  %s %s|%s| %s"):format(line.from, line.is_faint and faint or plain, M.quote(line.label), line.to)
end

function writers.need(line) return labelled(line, "-->", "-.->") end

function writers.use(line) return labelled(line, "---", "-.-") end

function writers.member(line) return ("  %s -.- %s"):format(line.from, line.to) end

--- The lines of a flowchart.
---@param graph holos.Graph
function M.lines(graph)
  local lines = { "flowchart TD" }
  for _, part in ipairs(parts.of(graph)) do lines[#lines + 1] = writers[part.kind](part) end
  return lines
end

return M
