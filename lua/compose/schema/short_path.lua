--- A path that is short for a mapping with `path`. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

--- The rule; `more` is what that mapping has besides.
function M.rule(more)
  return schema.parsed { accepts = { text = true }, wanted = "a path", parse = function(value)
    if value == "" then return nil, "is empty; expected a path" end
    local message, hint = rules.host_path.check(value)
    if message then return nil, message, hint end
    local made = tables.copy(more)
    made.path = value
    return made
  end }
end

return M
