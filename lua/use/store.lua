--- images, verify, rmi, prune: what the image store holds, and what goes. Effects through run/images; prints nothing.
local err = require "holos.core.err"
local hash = require "holos.run.images.hash"
local lazy = require "holos.core.lazy"
local image_export = lazy "holos.use.image_export"
local intake = require "holos.run.images.intake"
local layers = require "holos.run.images.layers"
local manifest = require "holos.image.manifest"
local parts = require "holos.run.images.parts"
local path = require "holos.core.path"
local reference = require "holos.image.reference"
local removal = require "holos.run.images.removal"
local resolve = require "holos.use.resolve"
local store = require "holos.run.images.store"
local table_ = require "holos.core.table"
local users = require "holos.run.images.users"

local M = {}

--- An image as scripts get it: its address without the query, as in all that is shown.
---@param image holos.Image
function M.shown(image)
  local copy = table_.copy(image)
  copy.source.url = copy.source.url and reference.show(copy.source.url)
  return copy
end

--- All images, with who uses each.
---@return holos.Image[] images  with `users`; without where these cannot be told, which is among the problems
---@return string[] problems
function M.list(world, state)
  local images, problems = store.list(world, state)
  table_.extend(problems, (layers.problems(world)))
  local ok, uses = pcall(users.all, world, state)
  if not ok and not err.is_failure(uses) then error(uses, 0) end
  if not ok then problems[#problems + 1] = uses.message end
  for _, image in ipairs(images) do
    image.is_damaged = hash.is_stamped_damaged(world, state, image.path, image.digest)
    if image.is_damaged then
      problems[#problems + 1] = image.path .. " is damaged (holos verify); fetching or importing the same image again mends it"
    end
    image.users = ok and table_.list(uses[manifest.hex(image.digest)] or {}) or nil
  end
  return images, problems
end

local function usage(message, hint) err.raise { message = message, code = "EUSAGE", exit = 64, hint = hint } end

-- A name as the command line has it; raises what cannot be one.
local function parse(text)
  local named, message, hint = reference.parse(text)
  if not named then usage(message, hint) end
  return named
end

--- The name and tag that an image is to be kept under: as the catalogue writes them, where it knows them. Raises what
--- cannot be one.
---@return string name
---@return string tag
---@return table named  the reference
function M.target(world, text)
  local named = parse(text)
  if named.kind ~= "name" or named.digest then usage(("%q is no name for an image"):format(text), "such as debian:12, or mine") end
  local entry = resolve.entry(world, named)
  return entry and entry.name or named.name, entry and entry.tag or named.tag or manifest.DEFAULT_TAG, named
end

-- Digests are also known by their first digits, as lists show them.
local function by_prefix(world, state, text)
  local prefix = text:match("^sha256:(%x+)$") or text:match("^%x+$") and text
  if not prefix or #prefix < 6 or #prefix >= 64 then return nil end
  local found = table_.filter((store.list(world, state)), function(image)
    return manifest.hex(image.digest):sub(1, #prefix) == prefix:lower()
  end)
  if #found > 1 then usage(("%s begins the digests of %d images"):format(text, #found), "give more of its digits") end
  return found[1]
end

-- The image that a word names, and the reference to it where it is one.
local function find(world, state, word)
  local image = by_prefix(world, state, word)
  if image then return image, { kind = "digest", digest = image.digest } end
  local named = parse(word)
  if named.kind == "path" then usage(("%s is a file, not an image of the store"):format(word), "holos images lists them") end
  local known = resolve.known(world, state, word)
  if known and known.path then return store.of_digest(world, state, known.digest), named end
  err.raise { message = ("%s is not in the image store"):format(reference.show(word)), code = "ENOIMAGE",
    hint = "holos images lists what is there" }
end

-- What is known of an image that is imported: what the command line says, then what the catalogue knows of this name.
local function facts_of(world, named, given)
  local entry = named and resolve.entry(world, named) or {}
  local facts = {}
  for _, key in ipairs { "user", "family", "os", "share_driver", "least_memory_mib", "quirks" } do
    facts[key] = given[key] == nil and entry[key] or given[key]
  end
  return facts
end

--- Takes a file into the store, and gives it a name where one is said.
---@param name string?  "debian:12"
---@param options {format: string?, facts: table, on_progress: function?, lock: table?}  lock: as of store.lock
---@return holos.Image
---@return string? shown  the name that it has now
function M.import(world, state, file, name, options)
  local full = path.absolute(file, world.host.working_directory())
  local kept, tag, named
  if name then kept, tag, named = M.target(world, name) end
  local source, facts = { file = full, kind = "import" }, facts_of(world, named, options.facts)
  local image = store.add(world, state, full, { format = options.format, raw = "--image-format raw", source = source, facts = facts,
    on_progress = options.on_progress, lock = options.lock, name = kept, tag = tag })
  return image, kept and manifest.shown(kept, tag)
end

--- Writes an image of the store to a file.
---@param options {format: string?, force: boolean?, on_progress: function?}  as of use/image_export
---@return holos.Image
---@return string format  of the file
function M.export(world, state, name, file, options)
  local image = find(world, state, name)
  return image, image_export.run(world, state, image, file, options)
end

--- Hashes images, and remembers those that are right.
---@param names string[]  none = all
---@param talk {on_image: fun(image: holos.Image, problem: string?), on_progress: function?}
---@return integer wrong
function M.verify(world, state, names, talk)
  local images, problems = {}, {}
  for i, name in ipairs(names) do images[i] = find(world, state, name) end
  if #names == 0 then images, problems = store.list(world, state) end
  local wrong = #problems
  for _, image in ipairs(images) do
    local found = hash.file(world, image.path, talk.on_progress and function(done) talk.on_progress(image, done) end)
    local is_right = found == image.digest
    local remember = is_right and hash.stamp or hash.stamp_damaged
    remember(world, state, image.path, image.digest)
    if not is_right then wrong = wrong + 1 end
    talk.on_image(image, not is_right and ("is damaged: it has %s now"):format(found) or nil)
  end
  return wrong, problems
end

-- How a tag goes that leads to no whole image.
local function step_for_broken(item)
  local shown = reference.show(item.shown)
  if item.is_cut then
    return { digest = item.digest, text = ("%s (%s, which was cut off)"):format(shown, manifest.short(item.digest)) }
  end
  local why = item.is_damaged and "its words were damaged" or "its image is gone"
  return { name = item.name, tag = item.tag, text = ("%s (%s)"):format(shown, why) }
end

-- The same for a word, where it names such a tag of our own.
local function broken(world, state, word)
  local named = reference.parse(word)
  local name, tag = manifest.pointer(named or {}, world.hash.sha256)
  if not name or named.digest then return nil end
  local entry = resolve.entry(world, named) or {}
  for _, item in ipairs(store.own_tags(world, state)) do
    local is_meant = item.name == name and item.tag == tag or item.name == entry.name and item.tag == entry.tag
    if is_meant and (item.is_damaged or item.is_gone or item.is_cut) then
      return step_for_broken(item)
    end
  end
end

-- What goes for a word; nil when words before it have said so. `left`: the names of each image that are left by then; false:
-- it goes itself.
local function step_for(world, left, image, named)
  local digest = image.digest
  if left[digest] == nil then left[digest] = table_.copy(image.tags) end
  local name, tag = M.tag_of(world, image, named)
  local shown = name and manifest.shown(name, tag)
  if not left[digest] or shown and not table_.index_of(left[digest], shown) then return nil end
  if not name or #left[digest] == 1 then
    left[digest] = false
    return { digest = digest, text = ("%s (%s)"):format(image.tags[1] or named.url and reference.show(named.url)
      or digest, manifest.short(digest)) }
  end
  table.remove(left[digest], table_.index_of(left[digest], shown))
  return { name = name, tag = tag, text = ("%s; %s stays as %s"):format(shown, manifest.short(digest),
    table.concat(left[digest], " ")) }
end

local function steps_of(world, state, words)
  local steps, left = {}, {}
  for _, word in ipairs(words) do
    local step = broken(world, state, word)
    if not step then
      local found, named = find(world, state, word)
      step = step_for(world, left, store.of_digest(world, state, found.digest), named)
    end
    steps[#steps + 1] = step
  end
  return steps
end

--- Takes names away, and images that have no other name and no user: all of the words, or none.
---@param options {timeout_ms: integer?, no_wait: boolean?, on_wait: fun(owner: string)?}  as of store.lock
---@return string[] removed  what is to be said of each
function M.remove(world, state, words, options)
  local steps = removal.run(world, state, function() return steps_of(world, state, words) end, options)
  return table_.map(steps, function(step) return step.text end)
end

--- The name and tag of an image that a reference means; nil where it means the image itself.
function M.tag_of(world, image, named)
  if named.kind ~= "name" or named.digest then return nil end
  local entry = resolve.entry(world, named)
  for _, tag in ipairs { named.tag or manifest.DEFAULT_TAG, entry and entry.tag } do
    local name = entry and tag == entry.tag and entry.name or named.name
    if table_.index_of(image.tags, manifest.shown(name, tag)) then return name, tag end
  end
end

-- Why an image stays; nil when it may go.
local function reason_of(image, options)
  if not image.is_own then return "in a read-only layer" end
  if not image.users then return "who uses it cannot be told" end
  if #image.users > 0 then return "used by " .. users.text(image.users) end
  if not image.source.url then return "it was imported or built here: holos rmi removes it" end
  if #image.tags > 0 and not options.all then return "it has a name: --all takes it too" end
end

--- What `prune` would remove.
---@param options {all: boolean?}
---@return holos.Image[] images
---@return string[] files      left over of downloads and imports
---@return {image: holos.Image, reason: string}[] kept
---@return {name: string, tag: string, shown: string}[] gone  names whose image is gone
function M.prunable(world, state, options)
  local images, kept = {}, {}
  for _, image in ipairs((M.list(world, state))) do
    local reason = reason_of(image, options)
    if reason then kept[#kept + 1] = { image = image, reason = reason } else images[#images + 1] = image end
  end
  -- Downloads that were cut off, and copies.
  return images, table_.extend(intake.left_over(world, state), parts.left_over(world, state)), kept, M.gone(world, state)
end

--- The tags of our own store whose image no store has.
---@return {name: string, tag: string, shown: string}[]
function M.gone(world, state)
  local gone = table_.filter(store.own_tags(world, state), function(item) return item.is_gone end)
  return table_.map(gone, function(item) return { name = item.name, tag = item.tag, shown = reference.show(item.shown) } end)
end

-- What goes of an image: nothing of it when it has got a name since it was looked at.
local function step_to_prune(world, state, image)
  local now = store.of_digest(world, state, image.digest)
  local named = table_.filter(now and now.tags or {}, function(tag) return not table_.index_of(image.tags, tag) end)
  return #named == 0 and { { digest = image.digest } } or {}
end

--- Removes what `prunable` gave. Whatever somebody has come to use meanwhile is refused by the store itself.
---@param options table?  as of store.lock
function M.prune(world, state, images, files, gone, options)
  if #gone > 0 then -- those that still are
    removal.run(world, state, function() return M.gone(world, state) end, options)
  end
  for _, image in ipairs(images) do
    removal.run(world, state, function() return step_to_prune(world, state, image) end, options)
  end
  for _, file in ipairs(files) do parts.remove(world, file) end
end

return M
