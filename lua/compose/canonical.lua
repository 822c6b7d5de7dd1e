--- The canonical model of merged files: one tree that loads to the same project again, with the places of its values. Pure.
local marks_ = require "holos.compose.marks"
local model = require "holos.compose.canonical.model"
local project_schema = require "holos.compose.schema.project"
local templates = require "holos.compose.canonical.templates"
local write = require "holos.compose.canonical.write"
local yaml = require "holos.core.yaml"

local M = {}

---@class holos.CanonicalOptions
---@field services string[]?    only these and what they wait for
---@field normalize boolean     names, networks and defaults that no file says are there
---@field environment boolean   variables and labels of files are there instead of the files' names
---@field interpolate boolean   variables were replaced

--- The canonical model of what compose.run has made.
---@param state holos.ComposeState
---@param options holos.CanonicalOptions
---@return table tree
---@return table origins  of holos.Writing
function M.document(state, options)
  local writing = { marks = state.marks, origins = {}, escape = options.interpolate,
    defaults = options.normalize and options.interpolate }
  if not options.interpolate then return templates.document(state, options, writing), writing.origins end
  return write.value(writing, project_schema, model.make(state, options)), writing.origins
end

-- The place of every value, of those around it where it has none of its own.
local function spread(tree, origins, around, into)
  into[tree] = {}
  for key, value in next, tree do
    local origin = origins[tree] and origins[tree][key] or around
    into[tree][key] = origin
    if type(value) == "table" then spread(value, origins, origin, into) end
  end
  return into
end

-- "holos.yaml:14"
local function place(origin, files)
  return marks_.text(origin, files):match("^(.*):%d+$"):gsub("%c", "?")
end

--- The model as YAML.
---@param tree table
---@param explained {origins: table, files: string[]}?  each line says where it comes from
function M.yaml(tree, explained)
  local origins = explained and spread(tree, explained.origins, "implied", {})
  return yaml.encode(tree, { first = "name", note = origins and function(container, key)
    local origin = origins[container][key]
    return type(origin) == "string" and origin or (place(origin, explained.files))
  end })
end

return M
