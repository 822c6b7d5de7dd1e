--- A copy of what the state directory holds besides disks: records, SSH keys, configs and secrets. It has the layout of
--- the state directory, so that putting it back is a copy, too. What Dockerfiles copy is left out: `up` reads that again.
--- Effects: reads state files; writes a directory or an archive.
local contents = require "holos.run.contents"
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local tar = require "holos.core.tar"

local M = {}

local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)
local MAX_BYTES = 64 << 20

local function read(world, file)
  return err.check("backup", world.fs.read(file, { max_bytes = MAX_BYTES }))
end

local function take_files(world, from, name, files)
  for _, entry in ipairs(directory_.entries(world, from)) do
    local is_context = entry.name:sub(-#contents.CONTEXT) == contents.CONTEXT
    if entry.type == "file" and entry.name:sub(1, 1) ~= "." and not is_context then -- hidden ones are still being written
      files[#files + 1] = { name = name .. "/" .. entry.name, text = read(world, from .. "/" .. entry.name) }
    end
  end
end

--- Reads one project. The caller holds its lock.
---@param files {name: string, text: string}[]  gets more
function M.take(world, state, project, files)
  files[#files + 1] = { name = ("projects/%s.json"):format(project), text = read(world, state:record(project)) }
  take_files(world, state:keys(project), "ssh/" .. project, files)
  take_files(world, state:contents(project), ("projects/%s/secrets"):format(project), files)
end

--- Raises when something is there: nothing is overwritten, and an old backup is never mixed with a new one.
function M.require_free(world, target)
  if not world.fs.lstat(target) then return end
  err.raise { message = target .. " exists; nothing was written", code = "EEXIST", hint = "name what is not there yet" }
end

-- Under another name until it is whole.
local function write_directory(world, files, target)
  local part = target .. ".part"
  if world.fs.lstat(part) then err.check("backup", world.fs.remove_tree(part)) end
  err.check("backup", world.fs.mkdir_all(part, DIRECTORY_MODE))
  for _, file in ipairs(files) do
    local path = part .. "/" .. file.name
    err.check("backup", world.fs.mkdir_all(path:match("^(.*)/"), DIRECTORY_MODE))
    err.check("backup", world.fs.write_atomic(path, file.text, { mode = FILE_MODE, sync = true }))
  end
  err.check("backup", world.fs.rename(part, target, { sync = true, replace = false }))
end

--- Writes what was taken: an archive where the name ends in .tar, else a directory. Only the owner can read it.
function M.write(world, files, target)
  if not target:find("%.tar$") then return write_directory(world, files, target) end
  for _, file in ipairs(files) do file.mode, file.mtime_s = FILE_MODE, world.clock.utc_ms() // 1000 end
  err.check("backup", world.fs.write_atomic(target, tar.pack(files), { mode = FILE_MODE, sync = true }))
end

return M
