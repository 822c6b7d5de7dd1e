--- What `holos config` makes of texts, for tests, on a host that exists in words only.

local canonical = require "holos.compose.canonical"
local compose = require "tests.support.compose"
local hash = require "holos.compose.canonical.hash"
local tables = require "holos.core.table"

local M = {}

local WHOLE = { normalize = true, environment = true, interpolate = true }

--- The canonical model of a state as YAML.
---@param how table?  what is otherwise than usual of holos.CanonicalOptions; explain: each line says where it comes from
function M.yaml(state, how)
  local tree, origins = canonical.document(state, tables.merge(WHOLE, how or {}))
  return canonical.yaml(tree, how and how.explain and { origins = origins, files = state.files } or nil)
end

--- The same of texts.
function M.of(texts, options, how) return M.yaml(compose.run(texts, options), how) end

--- What a service of a state is, as a text; its hash is of this.
function M.identity(state, name) return hash.text(state.project, name, function() end) end

--- All of them, by name.
function M.identities(state)
  local texts = {}
  for name, service in pairs(state.project.services) do texts[name] = service.is_enabled and M.identity(state, name) or nil end
  return texts
end

return M
