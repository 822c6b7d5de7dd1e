--- Lua files that users name: the only place that turns text into code. Pure.

local M = {}

--- Compiles `text`; errors and tracebacks name `path`.
---@return function? chunk
---@return string? message  "path:line: reason"
function M.compile(text, path, environment)
  return load(text, "@" .. path, "t", environment or _G)
end

return M
