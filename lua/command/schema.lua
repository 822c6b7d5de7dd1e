--- holos schema
local json_schema = require "holos.compose.json_schema"
local out = require "holos.command.out"
local rules = require "holos.compose.schema.project"

local M = {
  summary = "print the JSON Schema of holos.yaml, for editors",
  arguments = {},
  options = {},
  bare = true, -- nothing is waited for
}

local INDENT = 2

function M.run(world)
  out.bytes(assert(world.json.encode(json_schema.make(rules, "holos.yaml"), { indent = INDENT })) .. "\n")
  return 0
end

return M
