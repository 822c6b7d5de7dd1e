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

-- Numbers that somebody meant as octal digits and wrote as decimal ones: read as they stand they would be 0620 for 400.
local MISTAKEN = {
  [400] = true, [440] = true, [444] = true, [500] = true, [550] = true, [555] = true, [600] = true, [640] = true,
  [644] = true, [660] = true, [664] = true, [666] = true, [700] = true, [750] = true, [755] = true, [770] = true,
  [775] = true, [777] = true,
}

local MOST = tonumber("7777", 8)

--- The rights that a value of YAML means: 0440, "0440" and 0o440 are the same.
---@param value string|integer
---@return integer? mode
---@return string? message
---@return string? hint
function M.mode(value)
  if math.type(value) ~= "integer" then
    local digits, message, hint = M.parse(value)
    return digits and tonumber(digits, 8), message, hint
  end
  if value < 0 or value > MOST then return nil, ("%d is no access rights"):format(value), "write octal digits: 0440" end
  if MISTAKEN[value] then
    return nil, ("%d without a zero in front is a decimal number, and 0%o in octal"):format(value, value),
      ("write 0%d"):format(value)
  end
  return value
end

return M
