--- Writing a user's own file: all of it or nothing, its mode, its owner and its links kept. Effects: writes files.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local path = require "holos.core.path"
local table_ = require "holos.core.table"
local text_ = require "holos.core.text"

local M = {}

local RANDOM_BYTES, HIDDEN_MODE = 8, tonumber("600", 8)

local function hidden_name(world, file)
  local number = ("I8"):unpack(err.check("randomness", world.host.random(RANDOM_BYTES)))
  return path.join(path.parent(file), (".%016x.tmp"):format(number))
end

-- When its scope is left without `done`, what was written beside the file is gone.
local function written_beside(world, file, text)
  local name = hidden_name(world, file)
  err.check(nil, world.fs.write_atomic(name, text, { mode = HIDDEN_MODE }))
  return setmetatable({ name = name }, { __close = function(self)
    if not self.done then world.fs.remove(self.name) end
  end })
end

local function require_directory(world, file)
  local parent = path.parent(file)
  local stat = world.fs.stat(parent)
  if stat and stat.type == "directory" then return end
  err.raise { message = ("%s: %s is no directory"):format(file, parent), code = "ENOTDIR",
    hint = not stat and "make it: mkdir -p " .. text_.shell_quote(parent) or nil }
end

--- Writes a new file; raises EEXIST when something has that name.
function M.create(world, file, text, mode)
  require_directory(world, file)
  local beside <close> = written_beside(world, file, text)
  err.check(nil, world.fs.chmod(beside.name, mode))
  err.check(nil, world.fs.rename(beside.name, file, { replace = false, sync = true }))
  beside.done = true
end

-- Whether a file that we make can be given this owner and group.
local function can_give(world, stat)
  local uid = world.host.uid()
  if uid == 0 then return true end
  return stat.uid == uid and (stat.gid == world.host.gid() or table_.index_of(world.host.groups() or {}, stat.gid) ~= nil)
end

local function replace(world, file, text, stat)
  local beside <close> = written_beside(world, file, text)
  err.check(nil, world.fs.chown(beside.name, stat.uid, stat.gid))
  err.check(nil, world.fs.chmod(beside.name, stat.mode)) -- after chown, which takes bits of it away
  err.check(nil, world.fs.rename(beside.name, file, { sync = true }))
  beside.done = true
end

-- Not truncated first: as long as the old text's room is kept, the old text can be put back.
local function overwrite(world, file, text)
  local fd <close> = err.check(nil, world.fs.open(file, { write = true, nofollow = true }))
  err.check(file, io_wait.write_all(fd, text))
  err.check(nil, world.fs.truncate(file, #text))
end

local function write_in_place(world, file, text, before)
  local fine, problem = xpcall(overwrite, err.trace, world, file, text)
  if fine then return end
  pcall(overwrite, world, file, before)
  error(problem, 0)
end

-- No file can be made beside it, and it may still be written.
local NO_ROOM_BESIDE = { EACCES = true, EPERM = true }

local function anew_or_in_place(world, file, text, before, stat)
  local fine, problem = xpcall(replace, err.trace, world, file, text, stat)
  if fine then return end
  if not NO_ROOM_BESIDE[problem.code] then error(problem, 0) end
  write_in_place(world, file, text, before)
end

--- Gives a file that is there another text. A symbolic link stays, and where it leads is written. A file that has several
--- names, or whose owner we cannot give away, is written in place, so that it stays the same file.
---@param before string  the text that it has now, which is put back when the new one cannot be written
function M.text(world, file, text, before)
  local target = err.check(nil, world.fs.realpath(file))
  local stat = err.check(nil, world.fs.stat(target))
  if stat.links == 1 and can_give(world, stat) then anew_or_in_place(world, target, text, before, stat)
  else write_in_place(world, target, text, before) end
end

--- Writes what a user wants in a file: a new one, the file that is there with its mode, owner and links, or into what is
--- no file, as a device or a pipe.
---@param mode integer  of a new file
function M.put(world, file, text, mode)
  local stat = world.fs.stat(file)
  if not stat then return M.create(world, file, text, mode) end
  if stat.type == "file" then
    return M.text(world, file, text, err.check(nil, world.fs.read(file, { max_bytes = stat.size_bytes })))
  end
  local fd <close> = err.check(nil, world.fs.open(file, { write = true }))
  err.check(file, io_wait.write_all(fd, text))
end

return M
