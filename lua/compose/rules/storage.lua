--- Checks of volumes and mounts. Pure.
local tables = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

local function each_mount(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      if mount then visit({ "services", name, "volumes", position }, mount, service) end
    end
  end
end

--- Named volumes stand at top level: a misspelt name must not become a new, empty disk.
function M.check_declared(project, report)
  local names = tables.keys(project.volumes)
  each_mount(project, function(keys, mount)
    if mount.kind ~= "volume" or project.volumes[mount.volume] then return end
    local name, close = mount.volume, text.nearest(mount.volume, names)
    report(keys, ('there is no volume "%s"'):format(name), close and ('did you mean "%s"?'):format(close)
      or ('add it at the end of the file (volumes: {%s: }), or write "./%s" for a directory'):format(name, name))
  end)
end

local function uses_by_volume(project)
  local uses = {}
  each_mount(project, function(keys, mount, service)
    if mount.kind ~= "volume" then return end
    local use = uses[mount.volume] or { instances = {}, writers = {} }
    uses[mount.volume] = use
    for index = 0, service.replicas - 1 do table.insert(use.instances, ("%s-%d"):format(service.name, index)) end
    if not mount.read_only then table.insert(use.writers, keys) end
  end)
  return uses
end

local SHOWN_INSTANCES = 4

local function shown(instances)
  local more = #instances - SHOWN_INSTANCES
  local names = table.concat(instances, ", ", 1, math.min(#instances, SHOWN_INSTANCES))
  return more > 0 and ("%s and %d more"):format(names, more) or names
end

--- A disk with a file system has one user, or readers only.
function M.check_writers(project, report)
  for name, use in tables.sorted_pairs(uses_by_volume(project)) do
    if #use.instances > 1 and #use.writers > 0 then
      local users = ("%d instances: %s"):format(#use.instances, shown(use.instances))
      report(use.writers[#use.writers], ('volume "%s" is writable here and mounted by %s'):format(name, users),
        "a disk has one writer: mount it :ro everywhere, use a volume for each service, or share a directory")
    end
  end
end

--- One target, one mount.
function M.check_targets(project, report)
  for _, name in ipairs(project.order) do
    local seen = {}
    for position, mount in ipairs(project.services[name].mounts) do
      local first = mount and seen[mount.target]
      if first then
        report({ "services", name, "volumes", position },
          ('the target "%s" is that of volumes[%d] too'):format(mount.target, first))
      elseif mount then
        seen[mount.target] = position
      end
    end
  end
end

return M
