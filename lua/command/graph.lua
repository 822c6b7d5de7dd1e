--- holos graph
local dot = require "holos.plan.graph.dot"
local graph = require "holos.plan.graph"
local mermaid = require "holos.plan.graph.mermaid"
local out = require "holos.command.out"
local output = require "holos.use.output"
local path = require "holos.core.path"
local project_ = require "holos.use.project"
local svg = require "holos.plan.graph.svg"
local task = require "holos.core.task"
local text = require "holos.plan.graph.text"

local M = {
  summary = "draw the services and what they need: networks, volumes, ports",
  arguments = {},
  options = {
    { "--format", value = "FORMAT", kind = "choice", choices = { "text", "dot", "mermaid", "svg" },
      help = "text, dot (Graphviz), mermaid, svg (default: as FILE is called, else text)" },
    { "-o", "--output", value = "FILE", help = "write it there; - is standard output" },
  },
}

local WRITERS = { text = text, dot = dot, mermaid = mermaid, svg = svg }
local BY_EXTENSION = { [".svg"] = "svg", [".dot"] = "dot", [".gv"] = "dot", [".mmd"] = "mermaid", [".mermaid"] = "mermaid" }

function M.run(world, options)
  local context = project_.from_file(world, options)
  for _, warning in ipairs(context.project.warnings) do out.warn(warning) end
  local file = not output.is_standard(options.output) and options.output or nil
  local format = options.format or file and BY_EXTENSION[path.extension(file)] or "text"
  local bytes = table.concat(WRITERS[format].lines(graph.of(context.project), task.yield), "\n") .. "\n"
  if not file then out.bytes(bytes) return 0 end
  output.put(world, file, bytes, { sources = context.project.files })
  out.talk(("wrote %s (%s)"):format(file, format))
  return 0
end

return M
