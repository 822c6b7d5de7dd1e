--- A text to the trees of its documents; what is no YAML becomes a finding. Pure.
local lazy = require "holos.core.lazy"
local document = require "holos.compose.document"
local syntax = lazy "holos.compose.syntax"

local M = {}

local function finding(text, index, message)
  local line, column, reason = message:match("^(%d+):(%d+): (.*)$")
  line, column = math.tointeger(tonumber(line or 1)), math.tointeger(tonumber(column or 1))
  local what, hint = syntax.explain(text, line, column, reason or message)
  return { mark = document.pack(index, line, column), message = what, hint = hint }
end

--- Whether a text of YAML can hold variables at all; "\x24" in double quotes is a "$" too.
function M.may_have_variables(text)
  return (text:find("$", 1, true) or text:find("\\", 1, true) and text:find("\\[xuU]0*24")) ~= nil
end

--- The documents of a text.
---@param parse fun(text: string): table?, string?  sys.yaml.parse
---@param index integer  of the file, in every mark
---@param side {marks: table, tags: table}  as for document.build
---@return table? built  as document.build gives it
---@return table? finding  why there is none
function M.of(parse, text, index, side)
  local events, message = parse(text)
  if not events then return nil, finding(text, index, message) end
  return document.build(events, index, side)
end

return M
