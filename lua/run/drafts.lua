--- Copies of compose files that somebody edits, or could not save: edits/<hash of the file's path>-<random>-<pid>-<its start
--- time>/<name of the file>. What is not saved is kept as long as what is in the trash. Effects: reads and writes files.
local err = require "holos.core.err"
local keeping = require "holos.run.keeping"
local path = require "holos.core.path"

local M = {}

local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)
local HASH_DIGITS, RANDOM_BYTES = 16, 8
local NAME = "^(%x+)%-%x+%-(%d+)%-(%d+)$"
local NS_PER_MS = 1000000

local function hash_of(world, file) return world.hash.sha256(file):sub(1, HASH_DIGITS) end

--- Makes a copy of a file.
---@param file string  absolute
---@param text string  what it says
---@return string copy  alone in its directory
function M.make(world, state, file, text)
  local random, self = err.check("randomness", world.host.random(RANDOM_BYTES)), world.proc.self()
  local name = ("%s-%016x-%d-%d"):format(hash_of(world, file), ("I8"):unpack(random), self.pid, self.start_time)
  local directory = path.join(state:edits(), name)
  err.check("state directory", world.fs.mkdir_all(directory, DIRECTORY_MODE))
  local copy = path.join(directory, path.base(file))
  err.check(nil, world.fs.write_atomic(copy, text, { mode = FILE_MODE }))
  return copy
end

-- When anything in a directory was written last.
local function written_ms(world, directory)
  local stat = world.fs.stat(directory)
  local newest_ns = stat and stat.mtime_ns or 0
  for _, entry in ipairs(world.fs.list(directory) or {}) do
    local inside = world.fs.lstat(path.join(directory, entry.name))
    newest_ns = math.max(newest_ns, inside and inside.mtime_ns or 0)
  end
  return newest_ns // NS_PER_MS
end

-- Whether the process that made it is there still: then somebody edits it.
local function is_open(world, pid, start_time)
  local identity = pid and world.proc.identity(tonumber(pid))
  return identity ~= nil and identity.start_time == tonumber(start_time)
end

-- Every directory that nobody edits in: {directory, hash = of the file's path, or nil}.
local function closed(world, state)
  local list = {}
  for _, entry in ipairs(world.fs.list(state:edits()) or {}) do
    local hash, pid, start_time = entry.name:match(NAME)
    if entry.type == "directory" and not is_open(world, pid, start_time) then
      list[#list + 1] = { directory = path.join(state:edits(), entry.name), hash = hash }
    end
  end
  return list
end

--- Deletes copies whose time is over; what cannot be deleted is left to the next time.
---@return integer count
function M.sweep(world, state)
  local count = 0
  for _, draft in ipairs(closed(world, state)) do
    local is_over = keeping.is_over(world, written_ms(world, draft.directory))
    if is_over and world.fs.remove_tree(draft.directory) then count = count + 1 end
  end
  return count
end

--- The copies of a file that were not saved.
---@return string[] paths
function M.kept(world, state, file)
  local paths, hash = {}, hash_of(world, file)
  for _, draft in ipairs(closed(world, state)) do
    local copy = path.join(draft.directory, path.base(file))
    if draft.hash == hash and world.fs.stat(copy) then paths[#paths + 1] = copy end
  end
  return paths
end

return M
