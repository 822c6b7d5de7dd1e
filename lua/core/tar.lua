--- Archives of files as tar(1) knows them (POSIX ustar). Pure.
local M = {}

local BLOCK_BYTES, NAME_BYTES, PREFIX_BYTES = 512, 100, 155
local CHECKSUM_AT, CHECKSUM_BYTES = 149, 8

-- A name that is too long for its field goes to two, parted at a slash.
local function parted(name)
  if #name <= NAME_BYTES then return "", name end
  for at = math.min(PREFIX_BYTES + 1, #name), 1, -1 do
    if name:sub(at, at) == "/" and #name - at <= NAME_BYTES then return name:sub(1, at - 1), name:sub(at + 1) end
  end
  error(("%q is too long for an archive"):format(name), 0)
end

local function octal(value, bytes) return ("%0" .. (bytes - 1) .. "o\0"):format(value) end

local function header(file)
  local prefix, name = parted(file.name)
  local text = ("c100"):pack(name) .. octal(file.mode, 8) .. octal(0, 8) .. octal(0, 8) .. octal(#file.text, 12)
    .. octal(file.mtime_s, 12) .. (" "):rep(CHECKSUM_BYTES) .. "0" .. ("c100"):pack("") .. "ustar\0" .. "00"
    .. ("c32c32"):pack("", "") .. octal(0, 8) .. octal(0, 8) .. ("c155"):pack(prefix) .. ("c12"):pack("")
  local sum = 0
  for i = 1, #text do sum = sum + text:byte(i) end
  return text:sub(1, CHECKSUM_AT - 1) .. ("%06o\0 "):format(sum) .. text:sub(CHECKSUM_AT + CHECKSUM_BYTES)
end

--- One archive of all files.
---@param files {name: string, text: string, mode: integer, mtime_s: integer}[]
---@return string
function M.pack(files)
  local parts = {}
  for _, file in ipairs(files) do
    parts[#parts + 1] = header(file)
    parts[#parts + 1] = file.text
    parts[#parts + 1] = ("\0"):rep(-#file.text % BLOCK_BYTES)
  end
  parts[#parts + 1] = ("\0"):rep(2 * BLOCK_BYTES)
  return table.concat(parts)
end

return M
