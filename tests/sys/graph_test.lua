--- holos graph from the command line: where it writes, and in which format.

local files = require "tests.support.files"
local host = require "sys.host"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"

local HOLOS = host.executable()

local function make()
  local directory = tmpdir()
  files.write(directory .. "/holos.yaml",
    "name: one\nservices: {a: {image: ./image.qcow2, depends_on: [b]}, b: {image: ./image.qcow2}}\n")
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return directory
end

local function graph(directory, ...)
  return run_tool({ HOLOS, "graph", ... }, { directory = directory, env = { "HOLOS_STATE_DIR=" .. directory .. "/state",
    "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
end

test("the format is asked for, or that of the file's name, or text", function()
  local directory = make()
  local begins = { text = "one\n", dot = 'digraph "one" {', mermaid = "flowchart TD\n", svg = "<svg " }
  local extensions = { text = "txt", dot = "gv", mermaid = "mmd", svg = "SVG" }
  for format, wanted in pairs(begins) do
    local said = graph(directory, "--format", format)
    equal({ said.status, said.stderr, said.stdout:sub(1, #wanted) }, { 0, "", wanted })
    local name = "drawn." .. extensions[format]
    local written = graph(directory, "-o", name)
    equal({ written.status, written.stderr, written.stdout }, { 0, ("wrote %s (%s)\n"):format(name, format), "" })
    equal(files.read(directory .. "/" .. name), said.stdout)
  end
  equal(graph(directory).stdout:sub(1, 4), "one\n")
  equal(graph(directory, "--format", "svg", "-o", "-").stdout:sub(1, 5), "<svg ")
  equal(graph(directory, "--format", "svg", "-o", "x.txt").stderr, "wrote x.txt (svg)\n")
  equal(fs.stat(directory .. "/state"), nil)
end)

test("what cannot be written is told", function()
  local directory = make()
  local result = graph(directory, "-o", "missing/drawn.svg")
  equal({ result.status, result.stderr:match("is no directory") }, { 1, "is no directory" })
  equal(graph(directory, "--format", "png").status, 64)
end)
