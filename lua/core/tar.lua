--- Archives of files as tar(1) knows them: POSIX ustar, with GNU's members for names that do not fit. Pure.
local M = {}

local BLOCK_BYTES, NAME_BYTES, PREFIX_BYTES = 512, 100, 155
local CHECKSUM_AT, CHECKSUM_BYTES = 149, 8
--- What the octal number of a header can say.
M.MOST_BYTES = (1 << 33) - 1
--- What archives end with.
M.END = ("\0"):rep(2 * BLOCK_BYTES)

local TYPES = { file = "0", symlink = "2", directory = "5", long_name = "L", long_target = "K" }
local LONG = "././@LongLink"

-- A name that is too long for its field goes to two, parted at a slash.
local function parted(name)
  if #name <= NAME_BYTES then return "", name end
  for at = math.min(PREFIX_BYTES + 1, #name), 1, -1 do
    if name:sub(at, at) == "/" and #name - at <= NAME_BYTES and at < #name then return name:sub(1, at - 1), name:sub(at + 1) end
  end
end

local function octal(value, bytes) return ("%0" .. (bytes - 1) .. "o\0"):format(value) end

local function block(member, prefix, name, target)
  local text = ("c100"):pack(name) .. octal(member.mode, 8) .. octal(0, 8) .. octal(0, 8) .. octal(member.size_bytes or 0, 12)
    .. octal(member.mtime_s, 12) .. (" "):rep(CHECKSUM_BYTES) .. TYPES[member.type or "file"] .. ("c100"):pack(target)
    .. "ustar\0" .. "00" .. ("c32c32"):pack("", "") .. octal(0, 8) .. octal(0, 8) .. ("c155"):pack(prefix) .. ("c12"):pack("")
  local sum = 0
  for i = 1, #text do sum = sum + text:byte(i) end
  return text:sub(1, CHECKSUM_AT - 1) .. ("%06o\0 "):format(sum) .. text:sub(CHECKSUM_AT + CHECKSUM_BYTES)
end

--- What fills the last block of so many bytes.
function M.padding(bytes) return ("\0"):rep(-bytes % BLOCK_BYTES) end

local function long(kind, text)
  return block({ type = kind, mode = 0, mtime_s = 0, size_bytes = #text + 1 }, "", LONG, "") .. text .. "\0" .. M.padding(#text + 1)
end

--- What stands before a member's contents. Everything belongs to root.
---@param member {name: string, type: "file"|"directory"|"symlink"|nil, size_bytes: integer?, mode: integer, mtime_s: integer,
---               target: string?}
---@return string
function M.header(member)
  local before, target = "", member.target or ""
  local prefix, name = parted(member.name)
  if not prefix then
    before, prefix, name = long("long_name", member.name), "", member.name:sub(1, NAME_BYTES)
  end
  if #target > NAME_BYTES then before, target = before .. long("long_target", target), target:sub(1, NAME_BYTES) end
  return before .. block(member, prefix, name, target)
end

--- One archive of all files.
---@param files {name: string, text: string, mode: integer, mtime_s: integer}[]
---@return string
function M.pack(files)
  local parts = {}
  for _, file in ipairs(files) do
    parts[#parts + 1] = M.header { name = file.name, size_bytes = #file.text, mode = file.mode, mtime_s = file.mtime_s }
    parts[#parts + 1] = file.text
    parts[#parts + 1] = M.padding(#file.text)
  end
  parts[#parts + 1] = M.END
  return table.concat(parts)
end

return M
