--- The keys that rules know, for pages about them. Pure.
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

-- The rules that lie directly inside of one, with the piece of the path that leads there.
local function children(rule_here)
  local inside = {}
  local function add(piece, child) inside[#inside + 1] = { piece = piece, rule = child } end
  if rule_here.kind == "list" then add("[]", rule_here.of) end
  if rule_here.kind == "map" then add(".*", rule_here.of) end
  for _, kind in ipairs(rule_here.kind == "either" and { "list", "map" } or {}) do
    if rule_here[kind] then add("", rule_here[kind]) end
  end
  return inside
end

local function collect(rule_here, path, into)
  rule_here = schema.loaded(rule_here)
  for _, child in ipairs(children(rule_here)) do collect(child.rule, path .. child.piece, into) end
  for _, field in ipairs(rule_here.fields or {}) do
    local here = path == "" and field.name or path .. "." .. field.name
    into[#into + 1] = { path = here, field = field }
    if field.rule then collect(field.rule, here, into) end
  end
  for _, name in ipairs(tables.keys(rule_here.others or {})) do
    into[#into + 1] = { path = path .. "." .. name, field = rule_here.others[name] }
  end
  return into
end

--- Every key below a rule, in order: {path = "services.*.vm.vcpu", field = holos.Field}.
function M.of(rule_here)
  return collect(rule_here, "", {})
end

return M
