--- Fetches an image into the store: what is to be in it, the download, its check, its name. Effects: connects, writes.
--
-- One at a time for each image: who comes second waits, and finds what the first one brought. Nothing in the store changes
-- before the file is whole and checked; what was downloaded of it stays for the next try.
local err = require "holos.core.err"
local expected_ = require "holos.run.images.expected"
local hash = require "holos.run.images.hash"
local http = require "holos.run.http"
local lock = require "holos.run.lock"
local parts = require "holos.run.images.parts"
local path = require "holos.core.path"
local reference = require "holos.image.reference"
local room = require "holos.run.room"
local store = require "holos.run.images.store"

local M = {}

local DIRECTORY_MODE = tonumber("700", 8)
local LOCK_TIMEOUT_MS = 6 * 60 * 60 * 1000 -- somebody else's download on a slow line
local FOR_GUESTS_BYTES <const> = 64 << 20 -- with less, the supervisor keeps those paused whose disk was full
local WHAT_IT_TAKES <const> = "what is still to come, with the 64 MiB that guests go on with,"
local MAKE_ROOM <const> = "holos prune and holos trash empty make room"
local GONE = { [404] = true, [410] = true }

---@class holos.PullOptions
---@field newest boolean?     ask the publisher for a newer build, instead of the one that the catalogue names
---@field is_signed boolean?  a good signature of the publisher is wanted
---@field digest string?      "sha256:…" or "sha512:…" that it must have
---@field url string?         where the file with that digest was, when it was locked
---@field ca_file string?
---@field progress fun(state: table)?  of run/http while it downloads; {phase = "copying"|"checking", done_bytes, total_bytes} later
---@field say fun(text: string)?       what happens and is worth a line
---@field lock_timeout_ms integer?     how long others are waited for
---@field no_wait boolean?             not at all

--- An entry for an address that somebody wrote, of which nothing else is known.
---@param named table  of image/reference, kind "url"
function M.entry_of_url(named)
  local algorithm, hex = (named.digest or ""):match("^(%w+):(%x+)$")
  return { url = named.url, checksum = algorithm and { [algorithm] = hex } or {},
    format = reference.format_of(reference.show(named.url)) }
end

-- How the store's lock is waited for; of other pulls of this command nothing is said, they hold it for moments.
local function store_lock(world, o)
  local me = world.proc.self()
  return { no_wait = o.no_wait, timeout_ms = o.lock_timeout_ms, on_wait = o.say and function(owner)
    if not me or not owner:find(("pid %d$"):format(me.pid)) then
      o.say(("waiting for the image store (held by %s)"):format(owner))
    end
  end }
end

-- Where to look, in this order. The first one that has not gone away decides.
local function sources_of(entry, o)
  local dated = { url = entry.url, checksum = entry.checksum, signature = entry.signature }
  local latest = entry.latest and { url = entry.latest.url, checksum = entry.latest.checksum, signature = entry.signature,
    is_moving = true }
  local locked = o.url and { url = o.url, checksum = {}, signature = entry.signature }
  if o.digest and o.url and o.url ~= entry.url then return { locked, dated, latest } end
  if latest and o.newest and not o.digest then return { latest, dated } end
  return { dated, latest }
end

-- What a lock or a reference demands goes before what anybody else says.
local function with_digest(source, digest)
  if not digest then return source end
  local algorithm, hex = digest:match("^(%w+):(%x+)$")
  return { url = source.url, checksum = { url = source.signature and source.checksum.url, [algorithm] = hex },
    signature = source.signature }
end

local function shown(entry) return entry.name and entry.name .. ":" .. entry.tag or reference.show(entry.url) end

local function key_of(world, text) return world.hash.sha256(text):sub(1, 32) end

local function pointer(world, entry)
  if entry.name then return entry.name, entry.tag end
  return "@url", world.hash.sha256(entry.url)
end

local function facts_of(entry)
  return { user = entry.user, family = entry.family, os = entry.os, share_driver = entry.share_driver,
    least_memory_mib = entry.least_memory_mib, quirks = entry.quirks }
end

-- What the store is to say of where an image came from.
local function source_of(world, entry, source, more)
  more.url, more.kind = source.url, entry.name and "catalogue" or "url"
  more.pulled_at = world.clock.iso(world.clock.utc_ms())
  return more
end

-- What the image's name, or its address, points at now.
local function stored(world, state, entry, digest)
  return store.find(world, state, { kind = entry.name and "name" or "url", name = entry.name, tag = entry.tag, url = entry.url,
    digest = digest })
end

local function hashing(image, o)
  return o.progress and function(done_bytes)
    o.progress { phase = "checking", done_bytes = done_bytes, total_bytes = image.size_bytes }
  end
end

local function is_sound(world, state, image, o)
  if hash.is_right(world, state, image.path, image.digest, hashing(image, o)) then return true end
  if o.say then o.say(("%s is damaged: it is fetched again"):format(image.path)) end
  return false
end

-- The image that has this digest already, and has it still. What the name points at may be that without anybody knowing: of
-- what came by its SHA-256 the other one was never asked.
local function present(world, state, entry, expected, o)
  local hex = expected.hex
  if expected.algorithm ~= "sha512" then
    local image = hex and store.of_digest(world, state, "sha256:" .. hex)
    return image and is_sound(world, state, image, o) and image or nil
  end
  local image = store.of_sha512(world, state, hex)
  if image then return is_sound(world, state, image, o) and image or nil end
  image = stored(world, state, entry)
  if not image or image.source.sha512 or not is_sound(world, state, image, o) then return nil end
  return hash.sha512(world, state, image.path, image.digest, hashing(image, o)) == hex and image or nil
end

-- The name that an image gets. One that is there already stays where it points when a lock or a reference said which image it
-- has to be: others go by the name alone.
local function name_for(world, state, entry, o)
  if o.digest and stored(world, state, entry) then return nil end
  return pointer(world, entry)
end

-- The store goes by SHA-256; the other one takes as long again, and only where it is compared is it worth that.
local function hashes_for(expected) return { "sha256", expected.algorithm == "sha512" and "sha512" or nil } end

-- Before any of it comes: a file system that has no room is not filled, guests live on it too.
local function room_for(world, part)
  return function(bytes)
    local has_room, problem = pcall(room.demand, world, path.parent(part), bytes + FOR_GUESTS_BYTES, WHAT_IT_TAKES, MAKE_ROOM)
    if has_room then return end
    local kept = world.fs.stat(part)
    if not kept or kept.size_bytes == 0 then http.remove(world, part) end
    error(problem, 0)
  end
end

local function download(world, part, source, expected, unless, o)
  local got, message, code, status = http.download(world, { url = source.url, file = part, ca_file = o.ca_file,
    connections = o.connections, hashes = hashes_for(expected), unless = unless, room = room_for(world, part),
    allow_http = reference.is_loopback(reference.host(source.url)) }, o.progress)
  if got then return got end
  if code == "ENOSPC" then http.remove(world, part) end
  local kept = world.fs.stat(part)
  err.raise { message = message, code = code or "EHTTP", status = status,
    hint = kept and kept.size_bytes > 0 and "what came is kept: the next try goes on there"
      or code == "ENOSPC" and "nothing of it is kept; " .. MAKE_ROOM or nil }
end

local function refuse(world, part, source, expected, got)
  http.remove(world, part)
  err.raise { code = "ECHECKSUM", message = ("%s: has the %s digest %s, and %s was expected (%s)"):format(
    reference.show(source.url), expected.algorithm, got[expected.algorithm], expected.hex, expected.said_by == "list"
    and source.checksum.url .. " says so" or "by the catalogue, holos.lock, or what is written behind its name"),
    hint = "nothing of it was kept" }
end

-- A publisher that replaces its newest build replaces its list at another moment: it is asked once more.
local function require_expected(world, state, part, source, expected, got, o)
  if not expected.algorithm or got[expected.algorithm] == expected.hex then return expected end
  if source.is_moving and expected.said_by == "list" then
    local again = expected_.of(world, state, source, o)
    if got[again.algorithm] == again.hex then return again end
  end
  refuse(world, part, source, expected, got)
end

local function checking(o)
  return o.progress and function(done_bytes, total_bytes, phase)
    o.progress { phase = phase, done_bytes = done_bytes, total_bytes = total_bytes }
  end
end

-- The name, at an image that needs no download; nil when that was removed meanwhile.
local function name_present(world, state, entry, source, expected, image, o)
  local known = image.source.url == source.url and image.source or {}
  local from = source_of(world, entry, source, { sha512 = expected.algorithm == "sha512" and expected.hex
    or image.source.sha512, is_signed = expected.is_signed or image.source.is_signed, etag = known.etag,
    last_modified = known.last_modified })
  local name, tag = name_for(world, state, entry, o)
  if name then
    local ok, problem = pcall(store.tag, world, state, name, tag, image.digest, facts_of(entry), from, store_lock(world, o))
    if err.is(problem, "ENOIMAGE") then return nil end
    if not ok then error(problem, 0) end
  end
  return stored(world, state, entry, o.digest)
end

-- What came from there the last time, where nothing but its server can say whether it is there still.
local function last_of(world, state, entry, source, expected, o)
  local image = not expected.algorithm and stored(world, state, entry)
  local is_known = image and image.source.url == source.url and (image.source.etag or image.source.last_modified)
  return is_known and is_sound(world, state, image, o) and image or nil
end

-- What was downloaded; nil and the image when that is what came the last time.
local function get(world, state, entry, source, expected, part, o)
  local last = last_of(world, state, entry, source, expected, o)
  local got = download(world, part, source, expected, last and last.source, o)
  if not got.is_unchanged then return got end
  http.remove(world, part)
  local image = name_present(world, state, entry, source, expected, last, o)
  if image then return nil, image end
  return download(world, part, source, expected, nil, o) -- it was removed meanwhile
end

local function fetch(world, state, entry, source, expected, part, o)
  local got, same = get(world, state, entry, source, expected, part, o)
  if same then return same, "unchanged" end
  expected = require_expected(world, state, part, source, expected, got, o)
  local is_signed = expected_.judge_image(world, state, source, part, o) or expected.is_signed
  local from = source_of(world, entry, source, { sha512 = got.sha512, is_signed = is_signed, etag = got.etag,
    last_modified = got.last_modified })
  local name, tag = name_for(world, state, entry, o)
  local ok, image = pcall(store.add, world, state, part, { format = entry.format, source = from, facts = facts_of(entry),
    digest = "sha256:" .. got.sha256, move = true,
    shown = reference.show(source.url), on_progress = checking(o), lock = store_lock(world, o),
    name = name, tag = tag })
  if ok or err.is(image, "EIMAGE") then http.remove(world, part) end -- else it is there for the next try
  if not ok then error(image, 0) end
  if got.sha512 then hash.know_sha512(world, state, image.digest, got.sha512) end
  return stored(world, state, entry, o.digest) or image, "pulled"
end

local function lock_options(shown_, o, on_wait)
  local timeout_ms = o.lock_timeout_ms or LOCK_TIMEOUT_MS
  return { name = "the pull of " .. shown_, timeout_ms = timeout_ms, no_wait = o.no_wait, on_wait = function(owner)
    if on_wait then on_wait() end
    if o.say then o.say(("%s: %s fetches it"):format(shown_, owner)) end
  end }
end

local function from_source(world, state, entry, source, o)
  local wanted = with_digest(source, o.digest)
  local expected = expected_.of(world, state, wanted, o)
  local function here()
    local image = present(world, state, entry, expected, o)
    return image and name_present(world, state, entry, wanted, expected, image, o)
  end
  local image = here()
  if image then return image, "present" end
  local part <close> = parts.hold(world, state, wanted.url, lock_options(shown(entry), o))
  image = part.has_waited and here() -- brought under another name
  if image then return image, "present" end
  return fetch(world, state, entry, wanted, expected, part.file, o)
end

-- What another process brought while we waited for it.
local function brought(world, state, entry, before, o)
  local now = stored(world, state, entry, o.digest)
  if not now then return nil end
  local changed = not before or before.source.pulled_at ~= now.source.pulled_at
  return changed and (now.source.is_signed or not o.is_signed) and now or nil
end

-- The sources one after the other, as long as those before have gone away.
local function try_sources(world, state, entry, o)
  local sources = sources_of(entry, o)
  for position, source in ipairs(sources) do
    local ok, image, how = pcall(from_source, world, state, entry, source, o)
    if ok then return image, how end
    local problem = image
    if not err.is_failure(problem) or not GONE[problem.status] or not sources[position + 1] then error(problem, 0) end
    if o.say then o.say(("%s: %s is gone, %s is asked for"):format(shown(entry), reference.show(source.url),
      reference.show(sources[position + 1].url))) end
  end
end

--- Fetches an image, unless the store has what it is to be. Raises what keeps it from that.
---@param entry holos.ImageEntry  or of M.entry_of_url
---@param o holos.PullOptions?
---@return holos.Image image
---@return "pulled"|"present"|"unchanged" how  the last: its server says so
function M.pull(world, state, entry, o)
  o = setmetatable({}, { __index = o })
  local before, has_waited = stored(world, state, entry), false
  if before and before.source.is_signed then o.is_signed = true end -- what was signed once is not taken without
  err.check("state directory", world.fs.mkdir_all(state:locks(), DIRECTORY_MODE))
  local _held <close> = lock.take(world, ("%s/+pull-%s.lock"):format(state:locks(), key_of(world, shown(entry))),
    lock_options(shown(entry), o, function() has_waited = true end))
  local theirs = has_waited and brought(world, state, entry, before, o)
  if theirs then return theirs, "present" end
  local connections <close> = http.connections(world) -- lists and images come from one server
  o.connections = connections
  return try_sources(world, state, entry, o)
end

return M
