--- What can name a project. Pure.
local path = require "holos.core.path"

local M = {}

--- Whether a value can name a project; the file's own name is held against the same rule by the schema.
function M.is_valid(value)
  return type(value) == "string" and #value <= 63 and value:find("^[a-z0-9][a-z0-9_-]*$") ~= nil
end

--- The project name that a directory suggests; "" when nothing of it can stand in one.
function M.derived(directory)
  return (path.base(directory):lower():gsub("[^a-z0-9_-]", ""):gsub("^[_-]+", ""):sub(1, 63))
end

return M
