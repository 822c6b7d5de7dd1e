--- SHA-256 of large files, and what is remembered of files that had the right one. Effects: reads; writes stamps.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local lazy = require "holos.core.lazy"
local lock = lazy "holos.run.lock"
local manifest = lazy "holos.image.manifest"
local task = require "holos.core.task"

local M = {}

local FILE_MODE, DIRECTORY_MODE = tonumber("600", 8), tonumber("700", 8)
local LOCK_TIMEOUT_MS = 60 * 60 * 1000 -- while another one hashes it, on the slowest disk

local function hash_file(world, file, algorithm, on_progress)
  local fd <close> = err.check("hashing", world.fs.open(file, { read = true }))
  local hasher, done = world.hash.new(algorithm), 0
  while true do
    local count, message, code = io_.await(hasher, "try_update_from", fd)
    err.check(file, count, message, code)
    if count == 0 then return hasher:hex() end
    done = done + count
    if on_progress then on_progress(done) end
    task.yield()
  end
end

--- The digest of a file: "sha256:…". Others run meanwhile.
---@param on_progress fun(done_bytes: integer)?
function M.file(world, file, on_progress) return "sha256:" .. hash_file(world, file, "sha256", on_progress) end

local function stamp_file(state, digest) return ("%s/checked/%s.json"):format(state:images(), manifest.hex(digest)) end

local function is_same(stat, stamp)
  return stat.size_bytes == stamp.size_bytes and stat.mtime_ns == stamp.mtime_ns and stat.inode == stamp.inode
    and stat.device == stamp.device
end

-- "path": the file that had this digest when it was hashed; "damaged": the one that had another.
local function write_stamp(world, state, key, file, digest)
  local stat = world.fs.stat(file)
  if not stat or not world.fs.mkdir_all(state:images() .. "/checked", DIRECTORY_MODE) then return end
  world.fs.write_atomic(stamp_file(state, digest), world.json.encode({ [key] = file, size_bytes = stat.size_bytes,
    mtime_ns = stat.mtime_ns, inode = stat.inode, device = stat.device }, {}), { mode = FILE_MODE, sync = false })
end

local function has_stamp(world, state, key, file, digest)
  local text, stat = world.fs.read(stamp_file(state, digest)), world.fs.stat(file)
  local stamp = text and stat and world.json.decode(text, {})
  return type(stamp) == "table" and stamp[key] == file and is_same(stat, stamp)
end

--- Remembers that the file as it is now has this digest, so that nobody has to hash it again. Nothing is lost when this
--- cannot be written.
function M.stamp(world, state, file, digest) write_stamp(world, state, "path", file, digest) end

--- Remembers that it has another, so that lists can say so.
function M.stamp_damaged(world, state, file, digest) write_stamp(world, state, "damaged", file, digest) end

--- Whether the file is, by its looks, the one that had this digest when it was hashed last.
function M.is_stamped(world, state, file, digest) return has_stamp(world, state, "path", file, digest) end

--- Whether it is the one that had another.
function M.is_stamped_damaged(world, state, file, digest) return has_stamp(world, state, "damaged", file, digest) end

--- Whether a file has the digest that it is called by: as it is remembered, else it is hashed; once, however many machines
--- are to start from it.
---@param on_progress fun(done_bytes: integer)?
---@return boolean is_right
---@return string? found  the digest that it has instead
function M.is_right(world, state, file, digest, on_progress)
  if M.is_stamped(world, state, file, digest) then return true end
  err.check("state directory", world.fs.mkdir_all(state:locks(), DIRECTORY_MODE))
  local name = ("%s/+hash-%s.lock"):format(state:locks(), manifest.hex(digest):sub(1, 32))
  local _held <close> = lock.take(world, name, { name = "the check of " .. file, timeout_ms = LOCK_TIMEOUT_MS })
  if M.is_stamped(world, state, file, digest) then return true end
  local found = M.file(world, file, on_progress)
  if found ~= digest then return false, found end
  M.stamp(world, state, file, digest)
  return true
end

local function sha512_file(state, digest) return ("%s/checked/%s.sha512"):format(state:images(), manifest.hex(digest)) end

--- The SHA-512 of what has this digest, when anybody has written it down here.
---@return string? hex
function M.known_sha512(world, state, digest)
  return (world.fs.read(sha512_file(state, digest)) or ""):match("^" .. ("%x"):rep(128) .. "$")
end

--- Writes it down; nothing is lost when this cannot be done.
function M.know_sha512(world, state, digest, hex)
  if not world.fs.mkdir_all(state:images() .. "/checked", DIRECTORY_MODE) then return end
  world.fs.write_atomic(sha512_file(state, digest), hex, { mode = FILE_MODE, sync = false })
end

--- The SHA-512 of a file that has the right digest: as it was written down, else it is hashed, once.
---@param on_progress fun(done_bytes: integer)?
---@return string hex
function M.sha512(world, state, file, digest, on_progress)
  local known = M.known_sha512(world, state, digest)
  if known then return known end
  local hex = hash_file(world, file, "sha512", on_progress)
  M.know_sha512(world, state, digest, hex)
  return hex
end

--- Forgets it.
function M.forget(world, state, digest)
  world.fs.remove(stamp_file(state, digest))
  world.fs.remove(sha512_file(state, digest))
end

return M
