--- What commands that were killed have left behind: hidden files of writes that never ended, copies that nobody needs;
--- and what projects that are gone have.
--- Effects: removes them.
local contents = require "holos.run.contents"
local lock = require "holos.run.lock"
local supervisor = require "holos.run.supervisor"

local M = {}

--- As modules/newfile.h names them; nothing else has such a name.
local TEMPORARY = "^%." .. ("[0-9a-f]"):rep(16) .. "%.tmp$"
--- No write takes so long, and none is older than the boot of the host.
M.LONGEST_WRITE_MS = 60 * 60 * 1000

--- The directories of one project, and those that all share.
local function directories(world, state, project)
  local list = { state:records(), state:probes(), state:volumes(project), state:keys(project) }
  for _, parent in ipairs { state:instances(project), state:trash(project) } do
    for _, entry in ipairs(world.fs.list(parent) or {}) do list[#list + 1] = parent .. "/" .. entry.name end
  end
  return list
end

--- Whether a hidden file is one that nobody writes any more.
function M.is_left_over(world, file)
  local stat = world.fs.lstat(file)
  if not stat or stat.type ~= "file" then return false end
  local now_ms, written_ms = world.clock.utc_ms(), stat.mtime_ns // 1000000
  local booted_ms = now_ms - world.clock.monotonic_ms()
  return written_ms < booted_ms or now_ms - written_ms > M.LONGEST_WRITE_MS
end

--- What is left over of interrupted writes of a project; what is young may still be written.
---@return string[] files
function M.left_over(world, state, project)
  local files = {}
  for _, directory in ipairs(directories(world, state, project)) do
    for _, entry in ipairs(world.fs.list(directory) or {}) do
      local file = directory .. "/" .. entry.name
      if entry.name:find(TEMPORARY) and M.is_left_over(world, file) then files[#files + 1] = file end
    end
  end
  return files
end

--- Removes what is left over of interrupted writes; the caller holds the project's lock. Other projects write into the
--- shared directories meanwhile, so only what is too old to be still written goes.
function M.temporaries(world, state, project)
  for _, file in ipairs(M.left_over(world, state, project)) do world.fs.remove(file) end
end

-- Whoever waits for a lock whose file is removed sees that, and makes a new one.
local function remove_lock(world, path)
  local held <close> = lock.try(world, path)
  if held then world.fs.remove(path) end
end

--- Removes what only told of a project that has no record any more: directories that are empty, the locks of its machines,
--- and its own, which the caller holds and needs no more. Its keys stay: they open disks that somebody has copied away. So do
--- its events.
function M.project(world, state, project)
  if world.fs.lstat(state:record(project)) then return end
  for _, directory in ipairs(state:own(project)) do world.fs.remove(directory) end
  for _, entry in ipairs(world.fs.list(state:locks()) or {}) do
    if entry.name:sub(1, #project + 1) == project .. "." and entry.name:find("%..+%.lock$") then
      remove_lock(world, state:locks() .. "/" .. entry.name)
    end
  end
  local supervisor_lock <close> = lock.try(world, state:supervisor_lock(project)) -- one that is about to end does it itself
  if supervisor_lock then supervisor.clear(world, state, project) end
  world.fs.remove(state:project_lock(project))
end

--- Removes copies of configs and secrets that no record leads to: their first `up` was killed before it wrote one.
function M.contents(world, state, project)
  if not world.fs.lstat(state:record(project)) then contents.remove(world, state, project) end
end

return M
