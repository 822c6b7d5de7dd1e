--- Memory that VMs can have here: the host's, or less where a control group limits us, as in containers and services.
--- Effects: reads /proc and /sys/fs/cgroup.
local err = require "holos.core.err"
local path = require "holos.core.path"

local M = {}

--- Control groups of version 2 and 1: where they are mounted, and what their files are called. In `statistics`, files
--- that can be dropped from memory at any time.
local VERSIONS = {
  { mount = "/sys/fs/cgroup", limit = "memory.max", usage = "memory.current", statistics = { "inactive_file", "active_file" } },
  { mount = "/sys/fs/cgroup/memory", limit = "memory.limit_in_bytes", usage = "memory.usage_in_bytes",
    statistics = { "total_inactive_file", "total_active_file" } },
}
local MAX_BYTES = 1 << 20

local function read(world, file) return world.fs.read(file, { max_bytes = MAX_BYTES }) or "" end

local function number_in(world, file) return math.tointeger(tonumber(read(world, file):match("^(%d+)%s*$"))) end

--- Our group as /proc/self/cgroup has it, "/a/b"; nil when it names none.
---@param version integer  position in VERSIONS
local function group_of(text, version)
  for line in text:gmatch("[^\n]+") do
    local controllers, group = line:match("^%d+:([^:]*):(/.*)$")
    local has_memory = ("," .. (controllers or "") .. ","):find(",memory,", 1, true)
    if version == 1 and controllers == "" or version == 2 and has_memory then return group end
  end
end

local function droppable(world, directory, names)
  local text, bytes = "\n" .. read(world, directory .. "/memory.stat"), 0
  for _, name in ipairs(names) do bytes = bytes + (math.tointeger(tonumber(text:match("\n" .. name .. " (%d+)"))) or 0) end
  return bytes
end

--- What one group limits us to; nothing when it has no limit below `total_bytes`.
local function limit_of(world, version, directory, total_bytes)
  local limit = number_in(world, directory .. "/" .. version.limit)
  if not limit or limit >= total_bytes then return nil end
  local used = (number_in(world, directory .. "/" .. version.usage) or 0) - droppable(world, directory, version.statistics)
  return { total_bytes = limit, available_bytes = math.max(0, limit - math.max(0, used)), group = directory }
end

--- Calls visit(version, directory) for our group and all above it. In a container the path may be that of the host, which
--- is not there; then the mount itself is our group.
local function each_group(world, visit)
  local text = read(world, "/proc/self/cgroup")
  for number, version in ipairs(VERSIONS) do
    local group = group_of(text, number)
    while group do
      visit(version, group == "/" and version.mount or version.mount .. group)
      group = group ~= "/" and path.parent(group) or nil
    end
  end
end

--- The least of all limits.
---@return {total_bytes: integer, available_bytes: integer, group: string?} memory  group: the control group that limits us
function M.look(world)
  local memory = err.check("memory", world.host.memory())
  local found = { total_bytes = memory.total_bytes, available_bytes = memory.available_bytes }
  each_group(world, function(version, directory)
    local limit = limit_of(world, version, directory, memory.total_bytes)
    if not limit then return end
    if limit.total_bytes < found.total_bytes then found.total_bytes, found.group = limit.total_bytes, limit.group end
    if limit.available_bytes < found.available_bytes then
      found.available_bytes, found.group = limit.available_bytes, limit.group
    end
  end)
  return found
end

return M
