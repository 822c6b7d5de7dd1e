--- A copy of what the state directory holds besides disks: records, SSH keys, configs and secrets. It has the layout of
--- the state directory, so that putting it back is a copy, too. Effects: reads state files; writes the copy.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"

local M = {}

local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)

local function copy_files(world, from, to)
  local count = 0
  for _, entry in ipairs(directory_.entries(world, from)) do
    local is_temporary = entry.name:sub(1, 1) == "."
    if entry.type == "file" and not is_temporary then
      err.check("backup", world.fs.mkdir_all(to, DIRECTORY_MODE))
      err.check("backup", world.fs.copy(("%s/%s"):format(from, entry.name), ("%s/%s"):format(to, entry.name),
        { mode = FILE_MODE }))
      count = count + 1
    end
  end
  return count
end

--- Begins a backup: nothing may be there, so that nothing is overwritten and an old one is never mixed with a new one.
---@return string part  the directory that it is written to until it is whole
function M.begin(world, target)
  if world.fs.lstat(target) then
    err.raise { message = target .. " exists; nothing was written", code = "EEXIST", hint = "name a directory that is not there" }
  end
  local part = target .. ".part"
  if world.fs.lstat(part) then err.check("backup", world.fs.remove_tree(part)) end
  err.check("backup", world.fs.mkdir_all(part .. "/projects", DIRECTORY_MODE))
  return part
end

--- Copies one project. The caller holds its lock.
---@return integer files
function M.project(world, state, project, part)
  local record = state:record(project)
  err.check("backup", world.fs.copy(record, ("%s/projects/%s.json"):format(part, project), { mode = FILE_MODE }))
  return 1 + copy_files(world, state:keys(project), ("%s/ssh/%s"):format(part, project))
    + copy_files(world, state:contents(project), ("%s/projects/%s/secrets"):format(part, project))
end

--- The backup is whole and gets its name.
function M.finish(world, part, target)
  err.check("backup", world.fs.rename(part, target, { sync = true, replace = false }))
end

return M
