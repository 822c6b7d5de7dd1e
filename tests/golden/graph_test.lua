--- holos graph: the same bytes for the same project, and what other programs make of them.

local compose = require "tests.support.compose"
local dot = require "holos.plan.graph.dot"
local files = require "tests.support.files"
local graph = require "holos.plan.graph"
local mermaid = require "holos.plan.graph.mermaid"
local svg = require "holos.plan.graph.svg"
local text = require "holos.plan.graph.text"
local tool = require "tests.support.tool"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local WRITERS = { txt = text, dot = dot, mmd = mermaid, svg = svg }
local NAMES = { "webshop", "hostile" }

local function graph_of(name)
  return graph.of(compose.load(files.read(("%s/golden/graph/%s.yaml"):format(files.directory, name))))
end

local function drawn(name, extension)
  return table.concat(WRITERS[extension].lines(graph_of(name)), "\n") .. "\n"
end

test("a project as text, for Graphviz, for Mermaid, and drawn", function()
  for _, name in ipairs(NAMES) do
    for extension in pairs(WRITERS) do
      local bytes = drawn(name, extension)
      golden(("graph/%s.%s"):format(name, extension), bytes)
      equal(drawn(name, extension), bytes, "a second time")
    end
  end
end)

local XML = [[
import sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
print(root.tag)
for element in root.iter():
    if element.tag.endswith("}text"): print(element.text)
]]

test("drawings are XML, and their texts are those of the file", function()
  for _, name in ipairs(NAMES) do
    local result = run_tool({ "python3", "-c", XML }, { stdin = drawn(name, "svg"), env = { "PYTHONIOENCODING=utf-8" } })
    equal(result.status, 0, result.stderr)
    equal(result.stdout:match("^[^\n]*"), "{http://www.w3.org/2000/svg}svg")
    for _, service in ipairs(graph_of(name).services) do
      ok(result.stdout:find("\n" .. service.title .. "\n", 1, true), service.title)
      ok(result.stdout:find("\n" .. service.image .. "\n", 1, true), service.image)
    end
  end
end)

local LABELS = [[
import re, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
space = "{http://www.w3.org/2000/svg}"
for group in root.iter(space + "g"):
    print(group.get("class"), "|".join(re.sub("\u00a0", " ", part.text) for part in group.iter(space + "text")))
]]

test("Graphviz draws what it is given, with the texts of the file", function()
  if not tool.find "dot" then skip "graphviz is not installed; make check-all asks for it" end
  for _, name in ipairs(NAMES) do
    local image = run_tool({ "dot", "-Tsvg" }, { stdin = drawn(name, "dot") })
    equal({ image.status, image.stderr }, { 0, "" })
    local seen = run_tool({ "python3", "-c", LABELS }, { stdin = image.stdout, env = { "PYTHONIOENCODING=utf-8" } }).stdout
    local known = graph_of(name)
    for _, service in ipairs(known.services) do
      ok(seen:find(("\nnode %s|%s"):format(service.title, service.image), 1, true), service.title .. "\n" .. seen)
    end
    local _, edges = seen:gsub("\nedge ", "")
    local wanted = 0
    for _, service in ipairs(known.services) do wanted = wanted + #service.needs + #service.networks end
    for _, kind in ipairs { known.volumes, known.shares } do
      for _, item in ipairs(kind) do wanted = wanted + #item.users end
    end
    equal(edges, wanted)
  end
end)

-- A line of a digraph: a node or an edge with attributes, whose values are words, numbers or quoted.
local function complaint_of(line)
  local attributes = line:match("^  [svdn]%d+ %[(.*)%];$") or line:match("^  [svdn]%d+ %-> [svdn]%d+ %[(.*)%];$")
    or line:match("^  node %[(.*)%];$") or line:match("^  edge %[(.*)%];$")
  if not attributes then return "no node and no edge" end
  local plain = attributes:gsub("\\.", "") -- escaped characters, quotes among them
  local rest = (", " .. plain):gsub(', %l+="[^"]*"', ""):gsub(", %l+=[%w.]+", "")
  if rest ~= "" then return "no attributes: " .. rest end
end

test("what is written for Graphviz is in its grammar, texts with quotes and backslashes too", function()
  equal(complaint_of '  s1 [label="a"b"];', 'no attributes: b"')
  equal(complaint_of "  s1 -> s2;", "no node and no edge")
  for _, name in ipairs(NAMES) do
    local lines = dot.lines(graph_of(name))
    equal({ lines[1], lines[#lines] }, { ('digraph "%s" {'):format(name), "}" })
    for i = 2, #lines - 1 do equal({ lines[i], complaint_of(lines[i]) }, { lines[i] }) end
  end
end)

local QUOTED = '"([^"]*)"'
-- What a line of a flowchart may be, and what a text in quotes may hold.
local FLOWCHART = { "^  [svdn]%d+%[" .. QUOTED .. "%]$", "^  v%d+%[%(" .. QUOTED .. "%)%]$", "^  d%d+%[/" .. QUOTED .. "/%]$",
  "^  n%d+%(%[" .. QUOTED .. "%]%)$", "^  s%d+ [-.]+>|" .. QUOTED .. "| s%d+$", "^  s%d+ %-[-.]%-|" .. QUOTED .. "| [vd]%d+$",
  "^  s%d+ %-%.%- n%d+()$" }

local function label_of(line)
  for _, pattern in ipairs(FLOWCHART) do
    local label = line:match(pattern)
    if label then return label end
  end
end

test("Mermaid's texts hold nothing that would mean something", function()
  for _, name in ipairs(NAMES) do
    local lines = mermaid.lines(graph_of(name))
    equal(lines[1], "flowchart TD")
    for i = 2, #lines do
      local label = label_of(lines[i])
      ok(label, "not a line of a flowchart: " .. lines[i])
      local rest = tostring(label):gsub("<br/>", ""):gsub("#%w+;", "")
      ok(not rest:find("[#<>&`|\\]"), lines[i])
    end
  end
end)

test("what nobody needs begins the tree, a service is told in full once", function()
  local lines = table.concat(text.lines(graph_of "webshop"), "\n")
  ok(lines:find("\n  proxy ×2", 1, true))
  local _, times = lines:gsub("api ×2", "")
  equal(times, 1)
  ok(lines:find("└─ api +healthy +%(above%)"))
end)
