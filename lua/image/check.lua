--- Whether a disk image may be a base: refused here before QEMU reads it. Pure.
--
-- A guest reads everything its base image shows. An image that takes its contents from elsewhere, by a backing file or
-- an external data file, would therefore show a file of this host to the guest.

local lazy = require "holos.core.lazy"
local path = require "holos.core.path"
local text = lazy "holos.core.text"
local units = lazy "holos.core.units"

local M = {}

local LARGEST_BYTES = 1 << 51            -- 2 PiB: an overlay of 64 KiB clusters cannot be larger

local FORMATS = { [".qcow2"] = "qcow2", [".raw"] = "raw" }

--- The format that a file's name tells: "qcow2", "raw", or nil (.img is used for both).
function M.format_of_name(file) return FORMATS[path.extension(file)] end

--- The format of an image: the one that was asked for, else what the name tells, else qcow2 when it has the magic. Raw
--- is never guessed from contents, because a guest can write any magic to its disk.
---@param code string?  what sys.qcow2.info failed with; all but ENOTQCOW2 mean that the magic is there
---@return "qcow2"|"raw"|nil
function M.format(file, format, code)
  return format or M.format_of_name(file) or (code ~= "ENOTQCOW2" and "qcow2" or nil)
end

local RULES = {
  function(info)
    if not info.backing then return end
    return ("has the backing file %s, whose contents the guest could read; qemu-img convert makes an image without one")
      :format(text.escape_terminal(info.backing))
  end,
  function(info)
    if not info.data_file and not info.data_file_name then return end
    return ("keeps its data in another file (%s), which the guest could read; qemu-img convert makes one file of them")
      :format(text.escape_terminal(info.data_file_name or "not named"))
  end,
  function(info) return info.encrypted and ("is encrypted (%s)"):format(info.encryption) end,
  function(info)
    local unknown = info.unknown_incompatible
    return unknown ~= 0 and ("has features that are not known here (incompatible bits 0x%x)"):format(unknown)
  end,
  function(info) return info.corrupt and "is marked corrupt; qemu-img check -r all repairs what can be repaired" end,
  function(info) return info.virtual_bytes == 0 and "holds no disk: its virtual size is 0" end,
  function(info)
    if info.virtual_bytes <= LARGEST_BYTES then return end
    return ("has a virtual size of %s, more than 2 PiB"):format(units.format_bytes(info.virtual_bytes))
  end,
}

local function faults_of_qcow2(info, code, reason, raw)
  if code == "ENOTQCOW2" then return { "is not a qcow2 image; if it is a raw disk, say " .. raw } end
  if not info then return { reason or "cannot be read as qcow2" } end
  local faults = {}
  for _, rule in ipairs(RULES) do faults[#faults + 1] = rule(info) or nil end
  return faults
end

--- All faults of a base image as sentences without a subject; empty when it may be used. `info`, or `code` and
--- `reason`, are what sys.qcow2.info gave for it.
---@param format "qcow2"|"raw"|nil  as asked for
---@param raw string?  how it is said where this is asked that a disk is raw; in a file unless said
---@return string[]
function M.faults(info, file, format, code, reason, raw)
  raw = raw or "image_format: raw"
  local known = M.format(file, format, code)
  if known == "raw" then return {} end
  if known == "qcow2" then return faults_of_qcow2(info, code, reason, raw) end
  return { ("is not a qcow2 image; if it is a raw disk, say %s or name it .raw"):format(raw) }
end

--- What is odd about an image that may be used, or nil: a raw disk that begins like qcow2 was perhaps meant as that.
function M.warning(file, format, code)
  if M.format(file, format, code) ~= "raw" or code == "ENOTQCOW2" then return end
  return ("%s: used as a raw disk, though it begins like a qcow2 image"):format(file)
end

-- Reasons of the primitives begin with the path already.
local function sentence(file, fault)
  return fault:sub(1, #file + 2) == file .. ": " and fault or file .. ": " .. fault
end

--- nil when the base image may be used, else all its faults, one a line, each with the path.
---@param raw string?  as of `faults`
---@return string?
function M.base(info, file, format, code, reason, raw)
  local lines = {}
  for _, fault in ipairs(M.faults(info, file, format, code, reason, raw)) do lines[#lines + 1] = sentence(file, fault) end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

return M
