--- Base images of a project: looked at before QEMU ever reads them, and held against what disks were made from.
--- Effects: reads them; waits while they are hashed.
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local hash = lazy "holos.run.images.hash"
local intake = lazy "holos.run.images.intake"
local name_ = lazy "holos.plan.image"
local store = lazy "holos.run.images.store"

local M = {}

--- Facts about one base image.
---@param raw string?  as of check.faults
---@return table facts  {path, format, size_bytes (virtual), mtime_ns, inode} or {path, error, hint}
function M.look(world, file, format, raw)
  local stat, message = world.fs.stat(file)
  if not stat then return { path = file, error = message } end
  if stat.type ~= "file" then return { path = file, error = ("%s: is a %s, not a disk image"):format(file, stat.type) } end
  local complaint, hint, _, info = intake.look(world, file, file, format, raw)
  if complaint then return { path = file, error = complaint, hint = hint } end
  return { path = file, format = format, size_bytes = format == "qcow2" and info.virtual_bytes or stat.size_bytes,
    mtime_ns = stat.mtime_ns, inode = stat.inode }
end

--- Base images of a project, each looked at once; those that are still to be fetched are not among them.
---@return table<string, table> images  by path, as from `look`
function M.of_project(world, project)
  local images = {}
  for _, name in ipairs(project.order) do
    local image = project.services[name].image
    if image and image.path then images[image.path] = images[image.path] or M.look(world, image.path, image.format) end
  end
  return images
end

local function refuse_gone(spec, image, message)
  err.raise { message = ("%s: its base %s is gone, and no store has it: %s"):format(spec.name, name_.exact(image), message),
    code = "EBASEGONE", hint = "its disk is untouched and needs just this one: " .. image.digest }
end

local function refuse_changed(spec, image, found)
  err.raise { message = ("%s: %s is not what its disk was made from: it has %s, and %s is wanted"):format(spec.name,
    image.path, found, image.digest), code = "EBASECHANGED",
    hint = "its disk is untouched; fetch or import that image again, and it is mended" }
end

local function refuse_damaged(spec, image, found)
  err.raise { message = ("%s: %s is damaged: it has %s, and %s is wanted"):format(spec.name, image.path, found, image.digest),
    code = "EDAMAGED", hint = "no disk was made from it; fetch or import that image again, and it is mended" }
end

-- Where an image of a store lies by now, whole: it may have been moved, put back from a copy, or mended elsewhere; what counts
-- is its digest. Else the digest that it has instead, or nil and why it cannot be looked at.
---@return string? path
---@return string? found
---@return string? message
local function whole(world, state, image)
  local found
  local stat, message = world.fs.stat(image.path)
  if stat then
    local is_right
    is_right, found = hash.is_right(world, state, image.path, image.digest)
    if is_right then return image.path end
  end
  local elsewhere = store.of_digest(world, state, image.digest)
  if not elsewhere or elsewhere.path == image.path then return nil, found, message end
  local is_right, its = hash.is_right(world, state, elsewhere.path, image.digest)
  return is_right and elsewhere.path or nil, found or its, message
end

local function require_digest(world, state, spec, refuse)
  local image = spec.image
  local path, found, message = whole(world, state, image)
  if not path and not found then refuse_gone(spec, image, message) end
  if not path then refuse(spec, image, found) end
  image.path = path
end

--- Refuses to run an overlay over a base that is no longer the one it was made from. Of images of a store the digest decides,
--- as it is remembered of the file; of other files their looks.
function M.require_same(world, state, spec)
  local image = spec.image
  if not image.path then return end
  if image.digest then return require_digest(world, state, spec, refuse_changed) end
  local stat, message = world.fs.stat(image.path)
  if stat and stat.mtime_ns == image.mtime_ns and stat.inode == image.inode then return end
  err.check(spec.name, stat, message)
  err.raise { message = ("%s: %s was replaced since this disk was made from it"):format(spec.name, image.path),
    code = "EBASECHANGED", hint = "put the old image back, or `holos down` and `holos up` for a new disk" }
end

--- Refuses to make a disk on an image of a store that is known to be damaged, or turns out to be.
function M.require_sound(world, state, spec)
  if spec.image.path and spec.image.digest then require_digest(world, state, spec, refuse_damaged) end
end

return M
