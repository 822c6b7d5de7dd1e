--- The image store: images by their digest, never changed, never removed while anything rests on them; tags point at them.
--- Effects: reads and writes the store; waits for its lock.
--
-- <state>/images and the read-only layers of HOLOS_IMAGES have one layout (run/images/layers). What a layer has is not taken in
-- again, unless it is damaged there: then ours is the one that is used. A tag of our own comes before one of a layer: somebody
-- has asked for it here.
local err = require "holos.core.err"
local hash = require "holos.run.images.hash"
local intake = require "holos.run.images.intake"
local layers = require "holos.run.images.layers"
local lock = require "holos.run.lock"
local manifest = require "holos.image.manifest"
local places = require "holos.run.images.places"
local table_ = require "holos.core.table"

local M = {}

local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)
local LOCK_TIMEOUT_MS = 300000

---@class holos.Image
---@field digest        string   "sha256:<hex>"
---@field path          string   of its file, which nobody ever writes to
---@field format        "qcow2"|"raw"
---@field size_bytes    integer  of the file
---@field virtual_bytes integer  of the disk in it
---@field layer         string   the store that it lies in
---@field is_own        boolean  whether that is ours; others are only read
---@field tags          string[] "debian:12"; of all layers
---@field facts         table    {user, family, os, share_driver, least_memory_mib, quirks}, as far as they are known
---@field source        table    {url, file, kind, pulled_at, is_signed}, as far as it is known

local function own(state) return { root = state:images(), is_own = true } end

--- The store's lock, held. Copying and hashing is done without it.
---@param options {timeout_ms: integer?, no_wait: boolean?, on_wait: fun(owner: string)?}?
function M.lock(world, state, options)
  err.check("state directory", world.fs.mkdir_all(state:locks(), DIRECTORY_MODE))
  local wanted = options or {}
  return lock.take(world, state:images_lock(), { name = "the image store", timeout_ms = wanted.timeout_ms or LOCK_TIMEOUT_MS,
    no_wait = wanted.no_wait, on_wait = wanted.on_wait })
end

-- What an image is known to be when no tag of it was asked for: two tags may say different things of it.
local function facts_of(place, pointer, tags)
  local facts = place.meta.facts
  return facts and next(facts) and facts or #tags == 1 and pointer and pointer.facts or {}
end

---@param pointer table?  the tag that led here, or the first of them
---@param tags string[]
local function image_of(world, digest, place, pointer, tags)
  return { digest = digest, path = place.path, format = place.format, size_bytes = place.size_bytes,
    virtual_bytes = places.virtual_bytes(world, place), layer = place.layer.root, is_own = place.layer.is_own,
    tags = table_.list(tags), facts = facts_of(place, pointer, tags),
    source = pointer and pointer.source or place.meta.source or {} }
end

-- What a tag says; nil and what is wrong with it when it is damaged: such a name means nothing here, and spoils no other.
local function read_tag(world, layer, name, tag)
  local ok, pointer = pcall(layers.read, world, layers.tag_file(layer, name, tag), manifest.tag)
  if not ok and not err.is_failure(pointer) then error(pointer, 0) end
  if not ok then return nil, pointer.message end
  return pointer
end

-- What a name and a tag point at, our own first; and what is wrong with those that were passed over.
local function pointer_of(world, state, name, tag)
  local all, problem = layers.all(world, state), nil
  table.insert(all, 1, table.remove(all))
  for _, layer in ipairs(all) do
    local pointer, message = read_tag(world, layer, name, tag)
    local place = pointer and places.used(world, state, pointer.digest)
    problem = problem or message
    if place then return pointer, place, problem end
  end
  return nil, nil, problem
end

-- Every tag that counts, by what it is shown as: {name, tag, layer, pointer}; what is wrong with others goes to `problems`.
local function all_tags(world, state, problems)
  local tags, all = {}, layers.all(world, state)
  for _, layer in ipairs(all) do
    for _, item in ipairs(layers.tags(world, layer)) do
      local pointer, problem = read_tag(world, layer, item.name, item.tag)
      local key = item.name .. ":" .. item.tag
      problems[#problems + 1] = problem
      if pointer and (not tags[key] or layer.is_own) then
        tags[key] = { name = item.name, tag = item.tag, layer = layer, pointer = pointer }
      end
    end
  end
  return tags
end

local function digests_of(world, state)
  local seen = {}
  for _, layer in ipairs(layers.all(world, state)) do
    for _, item in ipairs(layers.images(world, layer)) do seen[item.digest] = true end
  end
  return seen
end

-- The tags of one digest, and the first of them.
local function tags_of(tags, digest)
  local names, first = {}, nil
  for _, item in table_.sorted_pairs(tags) do
    if item.pointer.digest == digest then
      names[#names + 1] = manifest.shown(item.name, item.tag)
      first = first or item.pointer
    end
  end
  return names, first
end

local function image_at(world, state, digest, place)
  if not place then return nil end
  local names, first = tags_of(all_tags(world, state, {}), digest)
  return image_of(world, digest, place, first, names)
end

--- The image with this digest, nil when it is not in the store.
---@return holos.Image?
function M.of_digest(world, state, digest) return image_at(world, state, digest, places.used(world, state, digest)) end

-- The image of a digest under a name: what is known of it is what that name says, if it means this one, else what the image
-- says of itself.
local function of_pinned(world, state, digest, name, tag)
  local image = M.of_digest(world, state, digest)
  local pointer = image and manifest.is_name(name, tag) and pointer_of(world, state, name, tag)
  if pointer and pointer.digest == digest then image.facts, image.is_named = pointer.facts or {}, true end
  return image
end

--- The image with this digest as it lies in our own store, else in a layer, also where its file is cut off.
---@return holos.Image?
function M.lowest(world, state, digest)
  local found = places.all(world, state, digest)
  return image_at(world, state, digest, found[#found]) -- our own comes last
end

--- The tags of our own store, each with what is wrong with it: its words, or that no store has its image.
---@return {name: string, tag: string, shown: string, digest: string?, is_damaged: boolean, is_gone: boolean, is_cut: boolean}[]
function M.own_tags(world, state)
  local found = layers.tags(world, own(state))
  for _, item in ipairs(found) do
    local pointer, problem = read_tag(world, own(state), item.name, item.tag)
    item.shown = manifest.shown(item.name, item.tag) or pointer and (pointer.source or {}).url or "an address"
    item.digest, item.is_damaged = pointer and pointer.digest, problem ~= nil
    item.is_gone = pointer ~= nil and #places.all(world, state, pointer.digest) == 0
    item.is_cut = pointer ~= nil and not item.is_gone and not places.used(world, state, pointer.digest)
  end
  return found
end

-- `image`, or what points at one.
local function has_sha512(world, state, image, hex)
  return hex ~= nil and ((image.source or {}).sha512 == hex or hash.known_sha512(world, state, image.digest) == hex)
end

--- The image that a reference means, nil when it is not in the store.
---@param reference table  of image/reference: {kind = "name"|"url"|"digest", name, tag, url, digest}
---@return holos.Image?
---@return string? problem  a damaged tag that was passed over
function M.find(world, state, reference)
  local wanted = reference.digest
  local name, tag = manifest.pointer(reference, world.hash.sha256)
  if wanted and manifest.hex(wanted) then
    if not name then return M.of_digest(world, state, wanted) end
    return of_pinned(world, state, wanted, name, tag)
  end
  if not name or not manifest.is_name(name, tag) then return nil end
  local pointer, place, problem = pointer_of(world, state, name, tag)
  -- Files are known by SHA-256; the other one only where it was written down.
  local hex = wanted and wanted:match("^sha512:(%x+)$")
  if wanted and not (pointer and has_sha512(world, state, pointer, hex)) then return M.of_sha512(world, state, hex) end
  if not pointer then return nil, problem end
  local image = image_of(world, pointer.digest, place, pointer, { manifest.shown(name, tag) })
  image.facts, image.is_named = pointer.facts or {}, true
  return image, problem
end

--- All images, those with tags first, by their names.
---@return holos.Image[]
---@return string[] problems  what cannot be read, and tags whose image is gone
function M.list(world, state)
  local problems, images = {}, {}
  local tags, digests = all_tags(world, state, problems), digests_of(world, state)
  for digest in table_.sorted_pairs(digests) do
    local place = places.used(world, state, digest)
    if place then
      local names, first = tags_of(tags, digest)
      images[#images + 1] = image_of(world, digest, place, first, names)
      problems[#problems + 1] = place.problem
    else
      problems[#problems + 1] = digest .. ": its file is not as long as it was"
    end
  end
  for key, item in table_.sorted_pairs(tags) do
    local digest = item.pointer.digest
    if not digests[digest] then problems[#problems + 1] = ("%s: its image %s is gone"):format(key, digest) end
  end
  table.sort(images, function(a, b)
    return (a.tags[1] or "~" .. a.digest) < (b.tags[1] or "~" .. b.digest)
  end)
  return images, problems
end

--- The image of which somebody wrote down this SHA-512.
---@param hex string?
---@return holos.Image?
function M.of_sha512(world, state, hex)
  for _, image in ipairs((M.list(world, state))) do
    if has_sha512(world, state, image, hex) then return image end
  end
end

-- A disk is read by its format: two images of one content would be two disks of one digest.
local function require_format(found, at)
  for _, place in ipairs(found) do
    if place.format ~= at.format then
      err.raise { message = ("%s is there as %s, and cannot be %s as well"):format(at.digest, place.format, at.format),
        code = "EEXIST", exit = 3, hint = "when that was wrong, remove it first: holos rmi " .. at.digest }
    end
  end
end

-- Whether a layer has it, and it is what it is called by; our own is judged as it gets its name.
local function is_below(world, state, digest)
  local place = places.used(world, state, digest)
  return place ~= nil and not place.layer.is_own and (hash.is_right(world, state, place.path, digest))
end

local function require_name(name, tag)
  if manifest.is_name(name, tag) then return end
  err.raise { message = ("%s:%s cannot be the name of an image"):format(name, tag), code = "EINVAL", exit = 64,
    hint = 'lower-case letters, digits, ".", "_" and "-"; the same behind ":", capitals too' }
end

-- Under the store's lock.
local function write_tag(world, state, name, tag, digest, facts, source)
  local file = layers.tag_file(own(state), name, tag)
  err.check("image store", world.fs.mkdir_all(state:images() .. "/tags/" .. name, DIRECTORY_MODE))
  err.check("image store", world.fs.write_atomic(file, world.json.encode({ digest = digest, facts = facts or {},
    source = source or {}, pulled_at = world.clock.iso(world.clock.utc_ms()) }, { indent = 1 }), { mode = FILE_MODE, sync = true }))
end

--- Takes a file into the store. It is copied, unless `move` says that it may be taken as it is (then it has to be durable,
--- and is gone afterwards). The name that it is to have is given to it at once: without one it is anybody's to prune.
---@param options {format: "qcow2"|"raw"|nil, digest: string?, source: table?, facts: table?, move: boolean?, shown: string?,
---  raw: string?, on_progress: function?, lock: table?, name: string?, tag: string?}  digest: what the file has to have;
---  shown: its name; raw: as of check.faults; on_progress(done_bytes, size_bytes, phase), while it is "copying" and
---  "checking"; lock: as of `lock`
---@return holos.Image
function M.add(world, state, file, options)
  if options.name then require_name(options.name, options.tag) end
  local at <close> = intake.take(world, state, file, options)
  local is_there = is_below(world, state, at.digest)
  local image
  do
    local _held <close> = M.lock(world, state, options.lock)
    require_format(places.all(world, state, at.digest), at)
    if not is_there then
      intake.name(world, state, at, { digest = at.digest, format = at.format, size_bytes = at.size_bytes,
        virtual_bytes = at.virtual_bytes, source = options.source, facts = options.facts,
        added_at = world.clock.iso(world.clock.utc_ms()) })
    end
    if options.name then
      write_tag(world, state, options.name, options.tag, at.digest, options.facts, options.source)
    end
    image = M.of_digest(world, state, at.digest)
  end
  if options.move then world.fs.remove(file) end
  return image
end

--- Points a tag of our own store at an image that is there.
---@param facts table?   {user, family, os, share_driver, least_memory_mib, quirks}
---@param source table?  {url, kind, is_signed}
---@param options table?  as of `lock`
function M.tag(world, state, name, tag, digest, facts, source, options)
  require_name(name, tag)
  local _held <close> = M.lock(world, state, options)
  if not places.used(world, state, digest) then
    err.raise { message = ("%s is not in the image store"):format(digest), code = "ENOIMAGE" }
  end
  write_tag(world, state, name, tag, digest, facts, source)
end

return M
