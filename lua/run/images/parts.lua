--- Downloads in the cache, each with one writer at a time: from its first byte until it has become an image, or is kept for
--- the next try. Effects: locks; removes files.
--
-- A part is known by its address, so two names can mean one, and two state directories can share the cache: the lock of a
-- pull does not keep them apart. What is renamed into the store is open nowhere else while this lock is held.
-- Locks are taken in this order, each one only by who may still want those after it: the project's, the pull's, the part's,
-- the store's.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local intake = require "holos.run.images.intake"
local lock = require "holos.run.lock"
local reference = require "holos.image.reference"

local M = {}

local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)
local KEY_DIGITS = 32

local function directory_of(world, state) return state:cache(world) .. "/downloads" end
local function lock_file(file) return file .. ".lock" end

local Held = {}
Held.__index = Held

-- The lock's file goes while it is held: who waits for it makes it anew.
function Held:__close()
  self.world.fs.remove(lock_file(self.file))
  self.lock:release()
end

--- The part of an address: {file, has_waited}, nobody else's until it is let go by <close>.
---@param options {timeout_ms: integer?, no_wait: boolean?, on_wait: fun(owner: string)?}
function M.hold(world, state, url, options)
  local directory = directory_of(world, state)
  err.check("cache", world.fs.mkdir_all(directory, DIRECTORY_MODE))
  local held = { world = world, file = ("%s/%s.part"):format(directory, world.hash.sha256(url):sub(1, KEY_DIGITS)) }
  held.lock = lock.take(world, lock_file(held.file), { name = "the download of " .. reference.show(url),
    timeout_ms = options.timeout_ms, no_wait = options.no_wait, on_wait = function(owner)
      held.has_waited = true
      if options.on_wait then options.on_wait(owner) end
    end })
  world.fs.chmod(held.file, FILE_MODE) -- one that was on its way into the store when its command was killed
  return setmetatable(held, Held)
end

--- What is left of downloads that nobody has gone on with.
---@return string[] files
function M.left_over(world, state)
  local directory, files = directory_of(world, state), {}
  for _, entry in ipairs(directory_.entries(world, directory)) do
    local file = directory .. "/" .. entry.name
    if intake.is_left_over(world, file) then files[#files + 1] = file end
  end
  return files
end

--- Removes one of them, unless somebody downloads it by now.
function M.remove(world, file)
  local part = file:match("^(.*%.part)")
  local held = part and lock.try(world, lock_file(part))
  if part and not held then return end
  local _held <close> = held and setmetatable({ world = world, file = part, lock = held }, Held)
  world.fs.remove(file)
end

return M
