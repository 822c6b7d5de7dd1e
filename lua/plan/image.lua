--- What the images of specs and of services are called, and whether two are the same. Pure.
local path = require "holos.core.path"

local M = {}

local DIGITS = #"sha256:" + 12

--- "debian:12", "base.qcow2"; nil for a blank disk.
---@param image table?  of a spec or of a service
function M.name(image)
  if not image then return nil end
  return image.shown or image.name or image.path and path.base(image.path)
end

--- The same, with words for a blank disk.
function M.label(image) return M.name(image) or "blank disk" end

--- "debian:12 (sha256:1a2b3c4d5e6f)": which one of that name; a file by its path.
function M.exact(image)
  local name = M.name(image)
  if not name then return "none" end
  return image.digest and ("%s (%s)"):format(name, image.digest:sub(1, DIGITS)) or image.path or name
end

--- What makes an image another one: its digest where it has one, else its file.
function M.identity(image)
  if image.digest then return { image.digest, image.format } end
  return { image.path, image.format, image.mtime_ns, image.inode }
end

--- What changed, as two texts: names are enough where they differ.
---@return string from
---@return string to
function M.change(from, to)
  local before, now = M.name(from) or "none", M.name(to) or "none"
  if before ~= now then return before, now end
  if from.digest or to.digest then return M.exact(from), M.exact(to) end
  if from.path ~= to.path then return from.path, to.path end
  return from.path .. " replaced", from.path .. " replaced"
end

return M
