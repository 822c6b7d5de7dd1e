--- What a name in `image:` stands for here: an image of the store, or one that the catalogue knows where to fetch.
--- Effects: reads the store.
local catalogue = require "holos.image.catalogue"
local catalogue_ = require "holos.use.catalogue"
local manifest = require "holos.image.manifest"
local lazy = require "holos.core.lazy"
local locked = lazy "holos.use.locked"
local path = require "holos.core.path"
local reference = require "holos.image.reference"
local store = require "holos.run.images.store"

local M = {}

local FACTS = { "user", "family", "os", "share_driver", "least_memory_mib", "quirks" }

--- The entry of the catalogue that a reference means, for this host; nil and why there is none.
---@param named table   of image/reference
---@param known table?  the catalogue, where it was loaded already
---@return holos.ImageEntry? entry
---@return string? message
---@return string? hint
function M.entry(world, named, known)
  if named.kind ~= "name" then return nil end
  return catalogue.find(known or catalogue_.load(world), named.name, named.tag, world.host.architecture())
end

-- In the store; by its name as it is written first, then as the catalogue writes it. Also what is wrong with such a name.
local function stored(world, state, named, entry)
  local found, problem = store.find(world, state, named)
  if not entry or found and found.is_named then return found, problem end
  local by_entry, its_problem = store.find(world, state, { kind = "name", name = entry.name, tag = entry.tag,
    digest = named.digest })
  return by_entry or found, problem or its_problem
end

-- What is known of an image: what the name that was asked for says of it, then what the catalogue says, then the image itself;
-- never what another name says.
local function facts_of(image, entry) return (image.is_named or not entry) and image.facts or entry end

local function fill(known, facts)
  for _, key in ipairs(FACTS) do known[key] = facts[key] end
  return known
end

-- What an image is called that has no tag.
local function shown_without_tag(named)
  return named.url and path.base(reference.show(named.url)) or manifest.short(named.digest)
end

--- What an image is called in holos.lock, however it is written.
function M.key(named, entry)
  if entry then return manifest.shown(entry.name, entry.tag) end
  return named.url or named.name and manifest.shown(named.name, named.tag or manifest.DEFAULT_TAG)
end

-- A name that says no digest means the one that the lock says.
local function with_lock(world, named, entry, lock)
  local known = lock and not named.digest and locked.of(world, lock, M.key(named, entry) or "")
  return known and setmetatable({ digest = known.digest }, { __index = named }) or named
end

-- What can be fetched, or why that is not known.
local function missing(named, entry, message, hint)
  local url = named.url or entry and entry.url
  if url then
    local shown = entry and manifest.shown(entry.name, entry.tag) or shown_without_tag(named)
    return fill({ host = reference.host(url), shown = shown }, entry or {})
  end
  if named.kind == "digest" then
    return nil, ("%s is not in the image store"):format(manifest.short(named.digest)), "holos images lists what is there"
  end
  return nil, message .. " (neither here nor in the catalogue)", hint
end

--- What is known of the image that a text names. It is in the store when there is a path.
---@param o {lock: table?, catalogue: table?, warn: fun(text: string)?}?  lock: the project's, as of use/locked; catalogue:
---  where it was loaded already; warn: told of what is damaged and was passed over
---@return table? known  {path, digest, format, virtual_bytes, shown, host, user, family, os, share_driver, least_memory_mib,
---  quirks}
---@return string? message  why nothing is known of it
---@return string? hint
function M.known(world, state, text, o)
  local named = reference.parse(text)
  if not named or named.kind == "path" then return nil end
  local wanted = o or {}
  local entry, message, hint = M.entry(world, named, wanted.catalogue)
  local exact = with_lock(world, named, entry, wanted.lock)
  local image, problem = stored(world, state, exact, entry)
  if problem and wanted.warn then
    wanted.warn(problem .. "; such a name means nothing, until it is pulled or removed (holos rmi)")
  end
  if not image then return missing(named, entry, message, hint) end
  local shown = exact ~= named and reference.show(M.key(named, entry)) or image.tags[1]
  return fill({ path = image.path, digest = image.digest, format = image.format, virtual_bytes = image.virtual_bytes,
    shown = shown or shown_without_tag(exact) }, facts_of(image, entry))
end

--- function(text) → the same, for the texts of one project. Many services share one, so each is looked at once.
---@param directory string  of the project's file, where its lock is
---@param o {warn: fun(text: string)?, noting: (fun(why: string): table)?, is_locking: boolean?}?  warn: as of `known`;
---  noting: the world that writes down what is read through it; is_locking: the lock is made anew
function M.finder(world, state, directory, o)
  local known, at, wanted = {}, nil, o or {}
  local function through(why) return wanted.noting and wanted.noting(why) or world end
  return function(text)
    at = at or { warn = wanted.warn, catalogue = catalogue_.load(through "images that can be had by name"),
      lock = locked.read(through "what the names of images mean", directory, { is_remade = wanted.is_locking }) }
    known[text] = known[text] or table.pack(M.known(world, state, text, at))
    return table.unpack(known[text], 1, known[text].n)
  end
end

return M
