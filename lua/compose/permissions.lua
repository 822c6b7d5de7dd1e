--- Access rights of files: octal digits. Pure.

local M = {}

--- "644", "0644", "0o644" → "0644".
---@return string? digits  four octal digits
---@return string? message
---@return string? hint
function M.parse(text)
  local digits = text:match("^0?o?([0-7][0-7][0-7][0-7]?)$")
  if not digits then return nil, ('"%s" is no access rights'):format(text), 'three or four octal digits: "0644"' end
  return ("0"):rep(4 - #digits) .. digits
end

return M
