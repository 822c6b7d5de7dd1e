--- The variables that documents name, with what they say about each. Pure.
local template = require "holos.compose.template"

local M = {}

---@class holos.UsedVariable
---@field name string
---@field required boolean   a place wants it to be set
---@field default string?    what the first place that has a word for it takes instead
---@field alternate string?  what the first place that has one takes when it is set

local function note(used, found)
  local known = used[found.name] or { name = found.name, required = false }
  used[found.name] = known
  known.required = known.required or found.required == true
  known.default, known.alternate = known.default or found.default, known.alternate or found.alternate
end

--- Adds the variables of a tree that was not interpolated.
---@param used table<string, holos.UsedVariable>
function M.add(used, tree)
  for _, value in next, tree do
    if type(value) == "table" then
      M.add(used, value)
    elseif type(value) == "string" and value:find("$", 1, true) then
      for _, found in ipairs(template.variables(value)) do note(used, found) end
    end
  end
end

return M
