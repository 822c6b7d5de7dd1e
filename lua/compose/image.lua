--- What `image:` names. Pure.

local M = {}

-- Names that the catalogue of cloud images will know (seed README, "Available").
local CATALOGUE = { alpine = true, arch = true, debian = true, ubuntu = true, fedora = true }

local DISK_EXTENSIONS = { [".qcow2"] = "qcow2", [".raw"] = "raw", [".img"] = "unknown" }

-- Formats that QEMU could read and holos does not run from.
local FOREIGN = {
  [".vmdk"] = true, [".vdi"] = true, [".vhd"] = true, [".vhdx"] = true, [".ova"] = true, [".box"] = true,
}

-- ".qcow2" of "a/b.QCOW2"; "" without one.
local function extension(text)
  return (text:match("[^/.](%.%w+)$") or ""):lower()
end

--- Whether a text is meant as a path: by its start, or by the extension of a disk image.
function M.is_path(text)
  return text:find("^%.?%.?/") ~= nil or text:find("^~/") ~= nil or DISK_EXTENSIONS[extension(text)] ~= nil
end

--- Why `text` names no image that can be used; nil when it is the path of a disk image.
---@return string? message
---@return string? hint
function M.check(text)
  local suffix = extension(text)
  if text:find("%c") then return "the path has a control character" end
  if text:find("^%a+://") then
    return ('"%s": images from the network are not available yet'):format(text),
      "download it and name the file: ./image.qcow2"
  end
  if FOREIGN[suffix] then return ('"%s": %s images are not read'):format(text, suffix), "convert it to qcow2" end
  if suffix == ".iso" then
    return ('"%s": starting from an ISO is not available yet'):format(text), "name a disk image"
  end
  if M.is_path(text) then return end
  local name = text:match("^[^:@]+")
  if CATALOGUE[name] then
    return ('"%s": images by name are not available yet'):format(text),
      ("name a local qcow2 or raw file for now: ./%s.qcow2"):format(name)
  end
  return ('"%s" looks like a container image; holos runs virtual machines from disk images'):format(text),
    "name a local qcow2 or raw file of a cloud image (images by name come later); a file beside this one is ./NAME"
end

--- The format that a file's name promises: "qcow2", "raw", or nil when only its content can tell.
function M.format_of(name)
  local format = DISK_EXTENSIONS[extension(name)]
  return format ~= "unknown" and format or nil
end

return M
