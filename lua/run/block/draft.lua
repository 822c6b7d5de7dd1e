--- Disk images that are still being written: under a hidden name until they are whole, so that what has the wanted name
--- is never half an image. Effects: files.
local err = require "holos.core.err"
local path = require "holos.core.path"
local sweep = require "holos.run.sweep"

local M = {}

local FILE_MODE = tonumber("600", 8)
local PART = "^%.holos%-" .. ("[0-9a-f]"):rep(16) .. "%.part$"

local Draft = {}
Draft.__index = Draft

local function random_hex(world)
  return (err.check(nil, world.host.random(8)):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function create(world, file, image)
  if image.format == "qcow2" then return world.qcow2.create(file, { size_bytes = image.size_bytes, mode = FILE_MODE }) end
  local fd, message, code = world.fs.open(file, { write = true, create = true, exclusive = true, mode = FILE_MODE })
  if not fd then return nil, message, code end
  fd:close()
  return world.fs.truncate(file, image.size_bytes)
end

local function begin(world, file, image)
  local draft = setmetatable({ world = world, path = file, format = image.format }, Draft)
  local made, message, code = create(world, file, image)
  if made then return draft end
  if code ~= "EEXIST" then world.fs.remove(file) end
  err.check(image.what, nil, message, code)
end

---@class holos.NewImage  {format: "qcow2"|"raw", size_bytes: integer, what: string (begins error messages)}

--- An empty image in a directory of the state, where run/sweep finds it if we are killed. The caller holds the project's
--- lock until it is committed.
---@param image holos.NewImage
---@return table draft  {path, format, commit}; removed with its scope unless it was committed
function M.in_state(world, directory, image)
  return begin(world, path.join(directory, "." .. random_hex(world) .. ".tmp"), image)
end

--- Refuses standard output as the place of an image: its parts are not written one after the other, and nobody means a file
--- that is called "-".
function M.refuse_standard(file)
  if file ~= "-" then return end
  err.raise { message = "an image cannot go to standard output, and - is no name for a file", code = "EUSAGE", exit = 64,
    hint = "name the file that is to be written" }
end

--- An empty image in a directory of the user's. What killed ones have left there goes.
---@param image holos.NewImage
function M.beside(world, directory, image)
  for _, entry in ipairs(world.fs.list(directory) or {}) do
    local file = path.join(directory, entry.name)
    if entry.name:find(PART) and sweep.is_left_over(world, file) then world.fs.remove(file) end
  end
  return begin(world, path.join(directory, ".holos-" .. random_hex(world) .. ".part"), image)
end

--- Gives it its name, for good.
---@param target string
---@param replace boolean?  what is there already
function Draft:commit(target, replace)
  err.check(nil, self.world.fs.rename(self.path, target, { sync = true, replace = replace or false }))
  self.is_committed = true
end

function Draft:__close()
  if not self.is_committed then self.world.fs.remove(self.path) end
end

return M
