--- Where images lie: the read-only layers of HOLOS_IMAGES, then our own store. Effects: reads.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local manifest = require "holos.image.manifest"
local path = require "holos.core.path"

local M = {}

local MAX_BYTES = 1 << 20 -- of what a tag or an image says of itself

-- Whether two directories are one, whatever they are called.
local function is_same(a, b) return a and b and a.device == b.device and a.inode == b.inode end

-- The directories that HOLOS_IMAGES names.
local function named(world)
  local roots = {}
  for name in (world.host.env("HOLOS_IMAGES") or ""):gmatch("[^:]+") do
    roots[#roots + 1] = path.absolute(name, world.host.working_directory())
  end
  return roots
end

--- What HOLOS_IMAGES names and cannot be listed, each as a sentence: it is passed over, and others may be taken for what it has.
---@return string[] problems
---@return integer count  of all that it names
function M.problems(world)
  local problems, roots = {}, named(world)
  for _, root in ipairs(roots) do
    local entries, message = world.fs.list(root)
    if not entries then problems[#problems + 1] = ("HOLOS_IMAGES: %s; no image of it is here"):format(message) end
  end
  return problems, #roots
end

--- The directories with images, in the order in which they are looked through; all have the same layout. Only our own is
--- ever written to.
---@return {root: string, is_own: boolean}[]
function M.all(world, state)
  local layers, own, seen = {}, state:images(), {}
  local here = world.fs.stat(own)
  for _, root in ipairs(named(world)) do
    local stat = world.fs.stat(root)
    local key = stat and ("%d %d"):format(stat.device, stat.inode) or root
    if root ~= own and not seen[key] and not is_same(stat, here) then layers[#layers + 1] = { root = root, is_own = false } end
    seen[key] = true
  end
  layers[#layers + 1] = { root = own, is_own = true }
  return layers
end

--- The file of what an image says of itself, beside it.
function M.meta_file(layer, digest) return ("%s/sha256/%s.json"):format(layer.root, manifest.hex(digest)) end
function M.image_file(layer, digest, format) return ("%s/sha256/%s.%s"):format(layer.root, manifest.hex(digest), format) end
function M.tag_file(layer, name, tag) return ("%s/tags/%s/%s.json"):format(layer.root, name, tag) end

--- What a tag or an image says of itself; nil when there is no such file; raises when it is damaged.
---@param rule table  of image/manifest
function M.read(world, file, rule)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and (code == "ENOENT" or code == "ENOTDIR") then return nil end
  err.check("image store", text, message, code)
  local value, reason = world.json.decode(text, {})
  reason = reason or manifest.complaint(rule, value)
  if not reason then return value end
  err.raise { message = ("%s is damaged: %s"):format(file, reason), code = "EDAMAGED",
    hint = "fetch or import the image again; nothing else is touched" }
end

--- The image files of a layer: {digest, format}.
function M.images(world, layer)
  local found = {}
  for _, entry in ipairs(directory_.entries(world, layer.root .. "/sha256")) do
    local digest, format = manifest.of_file_name(entry.name)
    if digest then found[#found + 1] = { digest = digest, format = format } end
  end
  return found
end

--- The tags of a layer: {name, tag}.
function M.tags(world, layer)
  local found = {}
  for _, name in ipairs(directory_.entries(world, layer.root .. "/tags")) do
    for _, entry in ipairs(directory_.entries(world, ("%s/tags/%s"):format(layer.root, name.name))) do
      local tag = entry.name:match("^(.+)%.json$")
      if tag and manifest.is_name(name.name, tag) then found[#found + 1] = { name = name.name, tag = tag } end
    end
  end
  return found
end

return M
