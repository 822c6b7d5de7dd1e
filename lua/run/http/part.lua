--- The file that a download grows in, and what is known about its bytes. Effects: reads and writes it.
--
-- Beside it is its sidecar, FILE.json: {url, etag, last_modified, total}. Only with that can a later call go on where this
-- one ends; both are the caller's to remove.
local answer = require "holos.run.http.answer"
local task = require "holos.core.task"

local M = {}

local PRIVATE_MODE = tonumber("600", 8)
local SIDECAR_BYTES = 64 * 1024
local SLICE_BYTES = 1 << 20

local Part = {}
Part.__index = Part

--- The sidecar of a part.
function M.sidecar(file) return file .. ".json" end

--- Removes a part and its sidecar.
function M.remove(world, file)
  for _, path in ipairs { M.sidecar(file), file } do
    local done, message, code = world.fs.remove(path)
    if not done and code ~= "ENOENT" then return nil, message, code end
  end
  return true
end

local SHAPE = { url = "string", etag = "string", last_modified = "string", total = "integer" }

-- What a sidecar says: only what we could have written.
local function known_of(world, path)
  local text = world.fs.read(path, { max_bytes = SIDECAR_BYTES, nofollow = true })
  local value = text and world.json.decode(text, {})
  local known = {}
  for name, kind in pairs(SHAPE) do
    local field = type(value) == "table" and value[name] or nil
    if field ~= nil and (math.type(field) or type(field)) ~= kind then return {} end
    known[name] = field
  end
  return known
end

-- How much of what is there can be kept.
local function size_to_keep(part, size_bytes, url)
  local known = part.known
  if known.url ~= url or not answer.if_range(known) then return 0 end
  return (not known.total or size_bytes <= known.total) and size_bytes or 0
end

function Part:start_hashes()
  self.hashers = {}
  for i, name in ipairs(self.hashes) do self.hashers[i] = self.world.hash.new(name) end
end

local Readers = {}
function Readers:__close()
  for _, reader in ipairs(self) do reader:close() end
end

-- One for each hasher, which reads at its own pace.
local function open_readers(part)
  local readers = setmetatable({}, Readers)
  for i in ipairs(part.hashers) do
    local reader, message, code = part.world.fs.open(part.path, { read = true, nofollow = true })
    if not reader then
      Readers.__close(readers)
      return nil, message, code
    end
    readers[i] = reader
  end
  return readers
end

-- What is there is hashed before anything is asked, so that no server waits for it.
local function hash_kept(part, kept_bytes, tell)
  local readers <close>, message, code = open_readers(part)
  if not readers then return nil, message, code end
  for from = 0, kept_bytes - 1, SLICE_BYTES do
    local slice = math.min(kept_bytes - from, SLICE_BYTES)
    for i, hasher in ipairs(part.hashers) do
      local count, problem, its_code = hasher:try_update_from(readers[i], slice)
      if not count then return nil, ("%s: %s"):format(part.path, problem), its_code end
      if count < slice then return nil, part.path .. ": it became shorter", "EIO" end
    end
    tell(from + slice, kept_bytes)
    task.yield()
  end
  part.size_bytes = kept_bytes
  return true
end

--- Opens or makes the part at `path` for `url`; `size_bytes` of it are kept.
---@param hashes string[]  "sha256", "sha512"
---@param tell fun(done_bytes: integer, total_bytes: integer)  while what is kept is hashed
---@return holos.HttpPart? part, string? message, string? code
function M.open(world, path, url, hashes, tell)
  local file, message, code = world.fs.open(path, { read = true, write = true, create = true, nofollow = true,
    mode = PRIVATE_MODE })
  if not file then return nil, message, code end
  local part = setmetatable({ world = world, path = path, url = url, hashes = hashes, file = file, size_bytes = 0 }, Part)
  local guard <close> = setmetatable({}, { __close = function(self) if not self.done then part:close() end end })
  part.known = known_of(world, M.sidecar(path))
  part:start_hashes()
  local facts = world.fs.stat(path)
  local done
  done, message, code = hash_kept(part, size_to_keep(part, facts and facts.size_bytes or 0, url), tell)
  if not done then return nil, message, code end
  if part.size_bytes == 0 then part.known = {} end
  guard.done = true
  return part
end

--- Whether there is something that a request for the rest can go on from.
function Part:can_go_on() return self.size_bytes > 0 and answer.if_range(self.known) ~= nil end

--- What a request says to get the rest: nothing when the whole is wanted.
function Part:range()
  if not self:can_go_on() then return nil end
  return ("bytes=%d-"):format(self.size_bytes), answer.if_range(self.known)
end

--- Begins from zero; the file itself is cut when the next body is accepted.
function Part:forget()
  self.size_bytes, self.known = 0, {}
  self:start_hashes()
end

--- Begins from zero with bytes of which the server says `validators` and a total (nil: it does not).
function Part:begin(validators, total)
  self:forget()
  self.known = { url = self.url, etag = validators.etag, last_modified = validators.last_modified, total = total }
  local sidecar = M.sidecar(self.path)
  if not answer.if_range(validators) then
    local done, message, code = self.world.fs.remove(sidecar)
    if done or code == "ENOENT" then return true end
    return nil, message, code
  end
  -- Before the file is cut a power loss may bring back its old bytes beside the new sidecar, and then only the hash of the
  -- whole would tell: so the old bytes go first.
  local done, message, code = self.world.fs.truncate(self.path, 0)
  if not done then return nil, message, code end
  return self.world.fs.write_atomic(sidecar, self.world.json.encode(self.known), { mode = PRIVATE_MODE, sync = false })
end

--- The hashes of the whole file by name, once; it is on the disk then.
function Part:finish()
  local done, message, code = self.file:sync()
  if not done then return nil, message, code end
  local digests = {}
  for i, name in ipairs(self.hashes) do digests[name] = self.hashers[i]:hex() end
  return digests
end

function Part:close() self.file:close() end

Part.__close = Part.close

return M
