--- include: other compose files that are part of this one. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local paths = schema.either {
  text = rules.host_path,
  list = schema.list { of = rules.host_path },
  canonical = function(value) return type(value) == "string" and { value } or value end,
}

return schema.list { of = schema.either {
  text = rules.host_path,
  map = schema.record {
    { "path", paths, required = true, meaning = "The file, or several that are merged." },
    { "project_directory", rules.host_path, meaning = "What relative paths in it are relative to; absent: its own directory." },
    { "env_file", paths, meaning = "Variables for it; absent: the .env in its directory." },
  },
  canonical = function(value) return type(value) == "string" and { path = { value } } or value end,
} }
