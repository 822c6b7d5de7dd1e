--- What a file that is no disk image is, by its first bytes. Pure.
local M = {}

--- So many bytes tell it.
M.BYTES = 512

local QUOTED = "'%s'" -- names in a command line are shown quoted

-- {bytes at the beginning, what that is, the command that makes an image of it}
local PACKED = {
  { "\31\139", "gzip", "gunzip -k %s" }, { "\253" .. "7zXZ\0", "xz", "xz -dk %s" },
  { "\40\181\47\253", "Zstandard", "zstd -d %s" }, { "BZh", "bzip2", "bunzip2 -k %s" },
  { "\4\34\77\24", "LZ4", "lz4 -d %s" }, { "PK\3\4", "zip", "unzip %s" }, { "7z\188\175\39\28", "7-Zip", "7z x %s" },
}
local FOREIGN = {
  { "KDMV", "vmdk" }, { "COWD", "vmdk" }, { "# Disk DescriptorFile", "vmdk" }, { "vhdxfile", "vhdx" }, { "conectix", "vpc" },
  { "<<< ", "vdi" },
}
local OTHERS = {
  { "\127ELF", "a program" }, { "hsqs", "a SquashFS file system" }, { "#!", "a script" }, { "<!DOCTYPE", "a web page" },
  { "<html", "a web page" }, { "<!doctype", "a web page" },
}

local function find(list, bytes)
  for _, entry in ipairs(list) do
    if bytes:sub(1, #entry[1]) == entry[1] then return entry end
  end
end

local function quoted(file) return QUOTED:format((file:gsub("'", "'\\''"))) end

--- Why a file is no disk image although it is one of something: packed, or of another hypervisor; nil when nothing is known
--- against it.
---@param bytes string  its first bytes
---@param is_raw boolean?  somebody said that it is a raw disk: then it may hold anything that nobody packs
---@return string? message  without a subject
---@return string? hint     what to do
function M.complaint(bytes, file, is_raw)
  local packed = find(PACKED, bytes)
  if packed then return ("is packed with %s"):format(packed[2]), "unpack it: " .. packed[3]:format(quoted(file)) end
  if is_raw then return nil end
  local foreign = find(FOREIGN, bytes)
  if foreign then
    return ("is a %s image"):format(foreign[2]), ("convert it: qemu-img convert -f %s -O qcow2 %s %s"):format(foreign[2],
      quoted(file), quoted(file:gsub("%.%w+$", "") .. ".qcow2"))
  end
  if bytes:sub(258, 262) == "ustar" then
    return "is a tar archive (of disks, when it is an .ova)", "unpack it: tar xf " .. quoted(file)
  end
  local other = find(OTHERS, bytes)
  if other then return ("is %s"):format(other[2]) end
end

return M
