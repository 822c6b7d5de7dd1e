--- Base64 of bytes that a text format cannot hold. Pure.
local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function quantum(bytes)
  local a, b, c = bytes:byte(1, 3)
  local bits = a << 16 | (b or 0) << 8 | (c or 0)
  local letters = {}
  for i = 1, 4 do
    local index = bits >> (24 - 6 * i) & 63
    letters[i] = ALPHABET:sub(index + 1, index + 1)
  end
  if not c then letters[4] = "=" end
  if not b then letters[3] = "=" end
  return table.concat(letters)
end

--- RFC 4648, section 4. With `columns` (a multiple of 4) there is a newline after each so many letters.
function M.encode(bytes, columns)
  local encoded = bytes:gsub("..?.?", quantum)
  if not columns then return encoded end
  return (encoded:gsub(("."):rep(columns), "%0\n"))
end

return M
