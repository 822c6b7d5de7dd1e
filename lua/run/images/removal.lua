--- What goes from the image store: tags, and images that nothing rests on. Effects: removes; waits for the store's lock.
--
-- All of what one command removes is looked at before any of it goes, under one lock: none of it, or all.
local err = require "holos.core.err"
local hash = require "holos.run.images.hash"
local layers = require "holos.run.images.layers"
local manifest = require "holos.image.manifest"
local store = require "holos.run.images.store"
local users_ = require "holos.run.images.users"

local M = {}

---@class holos.RemovalStep  a tag, or an image with its tags
---@field name   string?
---@field tag    string?
---@field digest string?
---@field text   string?  what is said of it

local function own(state) return { root = state:images(), is_own = true } end

local function require_own_tag(world, state, name, tag)
  if world.fs.lstat(layers.tag_file(own(state), name, tag)) then return end
  err.raise { message = ("%s:%s is in a read-only layer of HOLOS_IMAGES"):format(name, tag), code = "EROFS", exit = 3 }
end

local function remove_tag(world, state, name, tag)
  err.check("image store", world.fs.remove(layers.tag_file(own(state), name, tag)))
  world.fs.remove(state:images() .. "/tags/" .. name) -- where that was the last one
end

local function require_unused(image, users)
  if #users == 0 then return end
  err.raise { message = ("%s is in use: %s"):format(image.tags[1] or image.digest, users_.text(users)), code = "EINUSE", exit = 3,
    hint = "nothing was removed; `holos down -p PROJECT` and then `holos trash empty PROJECT` let go of it" }
end

-- The image in our own store, also one that is cut off.
local function require_own_image(world, state, digest)
  local image = store.lowest(world, state, digest)
  if not image then err.raise { message = ("%s is not in the image store"):format(digest), code = "ENOIMAGE" } end
  if image.is_own then return image end
  err.raise { message = ("%s is in a read-only layer: %s"):format(digest, image.layer), code = "EROFS", exit = 3 }
end

-- What images say of themselves that are not there, of this removal and of others that were killed.
local function remove_orphans(world, layer)
  local known = {}
  for _, image in ipairs(layers.images(world, layer)) do known[layers.meta_file(layer, image.digest)] = true end
  for _, entry in ipairs(world.fs.list(layer.root .. "/sha256") or {}) do
    local file = ("%s/sha256/%s"):format(layer.root, entry.name)
    if entry.name:find("^%x+%.json$") and not known[file] then world.fs.remove(file) end
  end
end

local function remove_image(world, state, image)
  for _, item in ipairs(store.own_tags(world, state)) do
    if item.digest == image.digest then remove_tag(world, state, item.name, item.tag) end
  end
  err.check("image store", world.fs.remove(image.path))
  hash.forget(world, state, image.digest)
  remove_orphans(world, own(state))
end

--- Removes what `choose` gives, which is called once nobody else changes the store: all of it, or nothing where any of it
--- has to stay.
---@param choose fun(): holos.RemovalStep[]
---@param options table?  as of store.lock
---@return holos.RemovalStep[] steps
function M.run(world, state, choose, options)
  local _held <close> = store.lock(world, state, options)
  local steps, images, uses = choose(), {}, nil
  for i, step in ipairs(steps) do
    if step.digest then
      images[i] = require_own_image(world, state, step.digest)
      uses = uses or users_.all(world, state)
      require_unused(images[i], uses[manifest.hex(step.digest)] or {})
    else
      require_own_tag(world, state, step.name, step.tag)
    end
  end
  for i, step in ipairs(steps) do
    if images[i] then remove_image(world, state, images[i]) else remove_tag(world, state, step.name, step.tag) end
  end
  return steps
end

--- Removes an image and its tags; refuses while anything rests on it.
---@param options table?  as of store.lock
function M.image(world, state, digest, options)
  M.run(world, state, function() return { { digest = digest } } end, options)
end

--- Takes a tag away; the image stays.
---@param options table?  as of store.lock
function M.tag(world, state, name, tag, options)
  M.run(world, state, function() return { { name = name, tag = tag } } end, options)
end

return M
