--- How a file becomes an image of the store: taken in, checked, hashed, and only then given its name. Effects: writes.
--
-- Until the rename at the end nothing in the store has changed, and after it all of the image is there: whoever is killed in
-- between leaves a copy without a name, which the next one sweeps, or the caller's own file where it was.
local lazy = require "holos.core.lazy"
local check = require "holos.image.check"
local directory_ = lazy "holos.run.directory"
local copy = lazy "holos.run.copy"
local err = require "holos.core.err"
local hash = lazy "holos.run.images.hash"
local layers = lazy "holos.run.images.layers"
local magic = lazy "holos.image.magic"
local manifest = lazy "holos.image.manifest"
local room = lazy "holos.run.room"
local text = lazy "holos.core.text"

local M = {}

local DIRECTORY_MODE, IMAGE_MODE, FILE_MODE = tonumber("700", 8), tonumber("400", 8), tonumber("600", 8)
-- Nobody copies for so long without a write to it.
local LONGEST_COPY_MS = 60 * 60 * 1000

--- Makes the directories of our own store.
function M.prepare(world, state)
  for _, part in ipairs { "sha256", "tags", "incoming", "checked" } do
    err.check("image store", world.fs.mkdir_all(("%s/%s"):format(state:images(), part), DIRECTORY_MODE))
  end
end

--- Whether nobody can still be writing to a file.
function M.is_left_over(world, file)
  local stat = world.fs.lstat(file)
  return stat and world.clock.utc_ms() - stat.mtime_ns // 1000000 > LONGEST_COPY_MS
end

--- Copies that were never finished, of commands that were killed.
---@return string[] files
function M.left_over(world, state)
  local directory, files = state:images() .. "/incoming", {}
  for _, entry in ipairs(directory_.entries(world, directory)) do
    local file = directory .. "/" .. entry.name
    if M.is_left_over(world, file) then files[#files + 1] = file end
  end
  return files
end

function M.sweep(world, state)
  for _, file in ipairs(M.left_over(world, state)) do world.fs.remove(file) end
end

--- The first bytes of a file.
function M.first_bytes(world, file)
  local fd <close> = err.check("image", world.fs.open(file, { read = true }))
  return err.check(file, fd:try_read(magic.BYTES))
end

-- Reasons of the primitives begin with the path that they were given.
local function without_name(reason, file)
  return reason and reason:sub(1, #file + 2) == file .. ": " and reason:sub(#file + 3) or reason
end

--- What keeps a file from being a base image, as sentences, each with what helps; nil and its format when nothing does.
---@param shown string  the file's name for messages
---@param format "qcow2"|"raw"|nil  as asked for
---@param raw string?  as of check.faults
---@return string? complaint
---@return string? hint
---@return string? format
---@return table? info  of qcow2
function M.look(world, file, shown, format, raw)
  local info, reason, code = world.qcow2.info(file)
  if code and code ~= "ENOTQCOW2" and code ~= "EINVAL" then return reason end
  if code == "ENOTQCOW2" then
    local name = shown:match("^https?://.*/([^/?#]+)") or shown -- as it is called by who fetches it himself
    local complaint, hint = magic.complaint(M.first_bytes(world, file), name, format == "raw")
    if complaint then return ("%s: %s"):format(shown, complaint), hint end
  end
  local complaint = check.base(info, shown, format, code, without_name(reason, file), raw)
  if complaint then return complaint end
  return nil, nil, check.format(shown, format, code), info
end

-- What was taken: let go by close, which removes a copy that was given no other name.
local Taken = {}
Taken.__index = Taken

function Taken:close()
  if self.is_copy then self.world.fs.remove(self.path) end
end
Taken.__close = Taken.close

local function new_copy(world, state, file, on_progress)
  local name = ("%s/incoming/%016x"):format(state:images(), ("i8"):unpack(world.host.random(8)))
  local fd = err.check("image store", world.fs.open(name, { write = true, create = true, exclusive = true, mode = FILE_MODE }))
  fd:close()
  local taken = setmetatable({ path = name, is_copy = true, world = world }, Taken)
  local ok, problem = pcall(copy.into, world, file, name, "image store", on_progress and function(done_bytes, size_bytes)
    on_progress(done_bytes, size_bytes, "copying")
  end)
  if ok then return taken end
  taken:close()
  error(problem, 0)
end

-- The file to be named: the caller's own when it may be moved and lies on the same file system, else a copy of it.
local function take_file(world, state, file, may_move, on_progress)
  local stat = err.check("image", world.fs.stat(file))
  if stat.type ~= "file" then err.raise { message = ("%s: is a %s, not a disk image"):format(file, stat.type), code = "EINVAL" } end
  local own = err.check("image store", world.fs.lstat(state:images() .. "/sha256"))
  local link = err.check("image", world.fs.lstat(file))
  if may_move and own.device == stat.device and link.type == "file" and link.links == 1 then
    return setmetatable({ path = file, world = world }, Taken)
  end
  room.demand(world, state:images(), stat.allocated_bytes or stat.size_bytes, "the copy of " .. file)
  return new_copy(world, state, file, on_progress)
end

local function require_digest(digest, wanted, file)
  if not wanted or wanted == digest then return end
  err.raise { message = ("%s is not what was expected: it has %s, and %s is wanted"):format(file, digest, wanted),
    code = "EDIGEST", hint = "nothing was kept of it" }
end

local function is_own_sound(world, state, at)
  local file = layers.image_file({ root = state:images() }, at.digest, at.format)
  return world.fs.lstat(file) ~= nil and hash.is_stamped(world, state, file, at.digest)
end

-- An image that is there already and has no stamp is hashed now: who holds the store's lock keeps others waiting.
local function judge_present(world, state, at)
  local file = layers.image_file({ root = state:images() }, at.digest, at.format)
  if not world.fs.lstat(file) or is_own_sound(world, state, at) then return end
  if hash.file(world, file) == at.digest then hash.stamp(world, state, file, at.digest) end
end

--- Takes a file in as far as the last step: {path, digest, format, size_bytes, virtual_bytes}, to be let go by <close>.
--- Raises when it cannot be a base image, or is not the one that is expected.
---@param options {format: string?, digest: string?, move: boolean?, shown: string?, raw: string?,
---  on_progress: function?}  as of store.add
function M.take(world, state, file, options)
  M.prepare(world, state)
  M.sweep(world, state)
  local shown = options.shown or file
  local complaint, hint = M.look(world, file, shown, options.format, options.raw)
  if complaint then err.raise { message = text.escape_terminal(complaint), code = "EIMAGE", hint = hint } end
  local on_progress = options.on_progress
  local at = take_file(world, state, file, options.move, on_progress)
  local _unless_done <close> = setmetatable({}, { __close = function(guard) if not guard.is_done then at:close() end end })
  -- Again: what is checked is what is kept.
  local wrong, _, format, info = M.look(world, at.path, shown, options.format, options.raw)
  if wrong then err.raise { message = text.escape_terminal(wrong), code = "EIMAGE" } end
  local size_bytes = err.check("image", world.fs.stat(at.path)).size_bytes
  at.digest = hash.file(world, at.path, on_progress and function(done) on_progress(done, size_bytes, "checking") end)
  require_digest(at.digest, options.digest, file)
  at.format, at.size_bytes, at.virtual_bytes = format, size_bytes, info and format == "qcow2" and info.virtual_bytes or size_bytes
  judge_present(world, state, at)
  _unless_done.is_done = true
  return at
end

local function rename(world, at, file)
  err.check("image store", world.fs.chmod(at.path, IMAGE_MODE))
  local done, message, code = world.fs.rename(at.path, file, { sync = true })
  if not done then world.fs.chmod(at.path, FILE_MODE) end -- somebody goes on with it
  return done, message, code
end

-- One device that is mounted twice is two to rename: then it is a copy that gets the name.
local function rename_in(world, state, at, file)
  local done, message, code = rename(world, at, file)
  if not done and code == "EXDEV" and not at.is_copy then
    local other <close> = new_copy(world, state, at.path)
    done, message, code = rename(world, other, file)
  end
  err.check("image store", done, message, code)
end

--- Gives what was taken in its name, under the store's lock. An image that is there already stays, unless it is damaged:
--- then what rests on it has what it was made from again.
---@param at table        of `take`
---@param meta table      what the image is to say of itself
---@return string file
function M.name(world, state, at, meta)
  local own = { root = state:images(), is_own = true }
  local file = layers.image_file(own, at.digest, at.format)
  local is_sound = is_own_sound(world, state, at)
  if is_sound and pcall(layers.read, world, layers.meta_file(own, at.digest), manifest.image) then return file end
  err.check("image store", world.fs.write_atomic(layers.meta_file(own, at.digest), world.json.encode(meta, { indent = 1 }),
    { mode = FILE_MODE, sync = true }))
  if is_sound then return file end
  rename_in(world, state, at, file)
  hash.stamp(world, state, file, at.digest)
  return file
end

return M
