--- What commands that were killed have left behind: hidden files of writes that never ended, copies that nobody needs.
--- Effects: removes them.
local contents = require "holos.run.contents"

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

local function is_left_over(world, file)
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
      if entry.name:find(TEMPORARY) and is_left_over(world, file) then files[#files + 1] = file end
    end
  end
  return files
end

--- Removes what is left over of interrupted writes; the caller holds the project's lock. Other projects write into the
--- shared directories meanwhile, so only what is too old to be still written goes.
function M.temporaries(world, state, project)
  for _, file in ipairs(M.left_over(world, state, project)) do world.fs.remove(file) end
end

--- Removes copies of configs and secrets that no record leads to: their first `up` was killed before it wrote one.
function M.contents(world, state, project)
  if not world.fs.lstat(state:record(project)) then contents.remove(world, state, project) end
end

return M
