--- holos.lock of a project: read, written, and what it demands. Effects: reads and writes that file.
local err = require "holos.core.err"
local lock_file = require "holos.image.lock_file"
local reference = require "holos.image.reference"

local M = {}

local MAX_BYTES = 4 << 20
local FILE_MODE = tonumber("644", 8)

--- Where the lock of a project lies.
---@param directory string  of the project's file
function M.file(directory) return directory .. "/" .. lock_file.NAME end

--- The lock beside a project's file, nil when there is none; raises when it cannot be used.
---@param options {is_remade: boolean?}?  is_remade: one that is damaged counts as none, as it is to be written anew
---@return table? lock  of image/lock_file
function M.read(world, directory, options)
  local file = M.file(directory)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and (code == "ENOENT" or code == "ENOTDIR") then return nil end
  local lock, reason = world.json.decode(err.check(file, text, message, code), {})
  local complaint, is_newer = lock == nil and reason or nil, false
  if not complaint then complaint, is_newer = lock_file.complaint(lock) end
  if not complaint then return lock end
  if not is_newer and options and options.is_remade then return nil end
  err.raise { code = "ELOCKFILE", exit = 2, message = ("%s: %s"):format(file, complaint),
    hint = is_newer and "use that holos" or "make it again: holos pull --lock" }
end

--- What a lock that is kept says of a name on this host; nil when it says nothing.
---@param lock table?
---@param shown string  "debian:12", or an address
---@return {digest: string, sha512: string?, url: string?}?
function M.of(world, lock, shown)
  return lock and lock_file.get(lock, shown, world.host.architecture())
end

--- Writes down which images these names mean now; names that the project has no more go.
---@param images table<string, holos.Image>  by the name that they are shown with
---@param dormant table<string, boolean>     names that it has, and that were not asked for now
---@return string file
function M.write(world, directory, images, dormant)
  local lock = M.read(world, directory, { is_remade = true }) or lock_file.new()
  local named = setmetatable({}, { __index = function(_, name) return images[name] or dormant[name] end })
  for _, name in ipairs(lock_file.surplus(lock, named)) do lock.images[name] = nil end
  for name, image in pairs(images) do
    local known = M.of(world, lock, name)
    if not known or known.digest ~= image.digest then
      lock_file.set(lock, name, world.host.architecture(), { digest = image.digest, sha512 = image.source.sha512,
        url = image.source.url, format = image.format, locked_at = world.clock.iso(world.clock.utc_ms()) })
    end
  end
  local file = M.file(directory)
  err.check("lock", world.fs.write_atomic(file, world.json.encode(lock, { indent = 2 }) .. "\n", { mode = FILE_MODE, sync = true }))
  return file
end

--- Raises what a project names that its lock does not say: with --locked nothing else is taken.
---@param names string[]
function M.require_all(world, directory, lock, names)
  local missing = {}
  for _, name in ipairs(names) do
    if not M.of(world, lock, name) then missing[#missing + 1] = reference.show(name) end
  end
  if lock and #missing == 0 then return end
  err.raise { code = "ELOCKFILE", exit = 3, hint = "look at what it names, then: holos pull --lock",
    message = not lock and ("--locked: there is no %s"):format(M.file(directory))
      or ("--locked: %s says nothing of %s"):format(M.file(directory), table.concat(missing, ", ")) }
end

return M
