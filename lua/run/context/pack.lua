--- What the steps of a Dockerfile take along: a list with the digest of each file, and an ISO image for the guest, with one
--- archive. Effects: reads the context; writes the image.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local tar = require "holos.core.tar"
local task = require "holos.core.task"

local M = {}

local CHUNK_BYTES = 1 << 20
local FILE_MODE = tonumber("600", 8)
--- The volume label, and the archive in it.
M.VOLUME, M.ARCHIVE = "holosctx", "context.tar"

-- Calls use(chunk) with all of a file, and gives its digest.
local function read_file(tree, name, use)
  local fd <close> = err.check(name, tree:open(name))
  local hasher = tree.world.hash.new("sha256")
  while true do
    local chunk = err.check(name, io_.await(fd, "try_read", CHUNK_BYTES))
    if chunk == "" then return hasher:hex() end
    hasher:update(chunk)
    use(chunk)
    task.yield()
  end
end

local function hash_file(tree, name)
  local fd <close> = err.check(name, tree:open(name))
  local hasher = tree.world.hash.new("sha256")
  while err.check(name, io_.await(hasher, "try_update_from", fd)) > 0 do task.yield() end
  return hasher:hex()
end

--- Gives each entry that is a file its digest.
function M.hash(tree, entries)
  for _, entry in ipairs(entries) do
    if entry.data then
      entry.digest = tree.world.hash.sha256(entry.data)
    elseif entry.type == "file" then
      entry.digest = hash_file(tree, entry.from)
    end
  end
end

--- The entries as text: the same for the same names, modes and contents, whenever and by whom they were written.
function M.manifest(entries)
  local lines = {}
  for position, entry in ipairs(entries) do
    lines[position] = ("%s %o %s %q"):format(entry.type, entry.mode, entry.digest or entry.target or "-", entry.name)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function write(fd, text) err.check("context", io_.write_all(fd, text)) end

local function changed(tree, name)
  err.raise { message = ("%s/%s was changed while it was read"):format(tree.directory, name), code = "ESTALE",
    hint = "run the command again" }
end

local function write_contents(tree, entry, fd)
  if entry.data then return write(fd, entry.data) end
  local done = 0
  local digest = read_file(tree, entry.from, function(chunk)
    done = done + #chunk
    if done > entry.size_bytes then changed(tree, entry.from) end
    write(fd, chunk)
  end)
  if digest ~= entry.digest then changed(tree, entry.from) end
end

local function write_members(build, fd)
  for number, entries in ipairs(build.entries) do
    write(fd, tar.header { name = number .. "/", type = "directory", mode = tonumber("755", 8), mtime_s = 0 })
    for _, entry in ipairs(entries) do
      local name = ("%d/%s%s"):format(number, entry.name, entry.type == "directory" and "/" or "")
      write(fd, tar.header { name = name, type = entry.type, mode = entry.mode, mtime_s = 0, target = entry.target,
        size_bytes = entry.type == "file" and entry.size_bytes or 0 })
      if entry.type == "file" then
        write_contents(build.tree, entry, fd)
        write(fd, tar.padding(entry.size_bytes))
      end
    end
  end
  write(fd, tar.END)
end

--- Writes the archive. A file that changed since it was hashed is an error.
---@param build {tree: holos.ContextTree, entries: holos.ContextEntry[][]}
---@param file string  must not be there
function M.write_archive(world, build, file)
  local fd <close> = err.check("context", world.fs.open(file, { write = true, create = true, exclusive = true, nofollow = true,
    mode = FILE_MODE }))
  write_members(build, fd)
end

--- Writes the image: the same for the same entries.
---@param file string
function M.write(world, build, file)
  local part = ("%s/.%s.tmp"):format(file:match("^(.*)/"), ("%016x"):format(world.clock.utc_ms()))
  world.fs.remove(part)
  local _remover <close> = setmetatable({}, { __close = function() world.fs.remove(part) end })
  M.write_archive(world, build, part)
  err.check("context", world.iso.write(file, { volume = M.VOLUME, time = 0, sync = true,
    files = { { name = M.ARCHIVE, path = part, mode = FILE_MODE } } }))
end

return M
