--- Checks of volumes and mounts. Pure.
local lazy = require "holos.core.lazy"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"

local M = {}

-- Every mount of a named volume, with its service and position.
local function each_volume(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      if mount and mount.kind == "volume" and not mount.anonymous then visit(mount, service, position) end
    end
  end
end

local function place(service, position)
  return { "services", service.name, "volumes", position }
end

--- Named volumes stand at top level: a misspelt name must not become a new, empty disk.
function M.check_declared(project, report, facts)
  each_volume(project, function(mount, service, position)
    local name = mount.volume
    if project.volumes[name] or facts.is_written("volumes", name) then return end
    local close = text.nearest(name, tables.keys(project.volumes))
    report(place(service, position), ('there is no volume "%s"'):format(name),
      close and ('did you mean "%s"?'):format(close)
        or ('add it at the end of the file (volumes: {%s: }), or write "./%s" for a directory'):format(name, name))
  end)
end

--- Two volumes are two disks: one kept under the name of another would be the same.
function M.check_names(project, report)
  local keys = {}
  for key, volume in tables.sorted_pairs(project.volumes) do
    if keys[volume.name] then
      report({ "volumes", key, "name" }, ('"%s" is the name of volume "%s" too'):format(volume.name, keys[volume.name]),
        "give it another one, or mount that volume")
    end
    keys[volume.name] = keys[volume.name] or key
  end
end

-- What kinds of files are disks.
local DISKS = { file = true, block = true }

-- What lies at a path, and what is the same for all paths of it.
local function look(device, facts)
  if not device or not facts.stat then return nil, device end
  local kind, id = facts.stat(device)
  return kind, id or device
end

-- "volume data", and its path where that is another one.
local function shown_other(project, key, device)
  local other = project.volumes[key].device
  return other == device and key .. " too" or ("%s too, which names it %s"):format(key, other)
end

--- Disks of the host that volumes are: they are there, and each is one volume.
function M.check_devices(project, report, facts)
  local keys = {}
  for key, volume in tables.sorted_pairs(project.volumes) do
    local device = volume.device
    local kind, id = look(device, facts)
    if device and facts.stat and not kind then
      report({ "volumes", key, "device" }, device .. " does not exist", "make a file: truncate -s 10G " .. text.shell_quote(device))
    elseif kind and not DISKS[kind] then
      report({ "volumes", key, "device" }, ("%s is a %s; a device is a disk or a file"):format(device, kind),
        kind == "directory" and "mount the directory: " .. text.shell_quote(device) .. ":/srv/data" or nil)
    elseif device and keys[id] then
      report({ "volumes", key, "device" }, ("%s is volume %s"):format(device, shown_other(project, keys[id], device)),
        "mount that volume")
    end
    if device then keys[id] = keys[id] or key end
  end
end

-- Who mounts each volume: {{service, position, read_only}, …} and the number of instances. A service may mount several
-- directories of one.
local function uses_by_volume(project)
  local uses = {}
  each_volume(project, function(mount, service, position)
    local use = uses[mount.volume] or { count = 0, writers = 0 }
    uses[mount.volume] = use
    local is_again = #use > 0 and use[#use].service == service
    use[#use + 1] = { service = service, position = position, read_only = mount.read_only, is_again = is_again }
    use.count = use.count + (is_again and 0 or service.replicas)
    use.writers = use.writers + (mount.read_only and 0 or 1)
  end)
  return uses
end

local function instances_of(use)
  local names = {}
  for _, mount in ipairs(use) do
    local replicas = mount.is_again and 0 or mount.service.replicas
    for index = 0, replicas - 1 do names[#names + 1] = ("%s-%d"):format(mount.service.name, index) end
  end
  return names
end

-- The last place where it is writable, in start order.
local function last_writer(use)
  for position = #use, 1, -1 do
    if not use[position].read_only then return place(use[position].service, use[position].position) end
  end
end

local SHOWN_INSTANCES = 4

local function shown(instances)
  local more = #instances - SHOWN_INSTANCES
  local names = table.concat(instances, ", ", 1, math.min(#instances, SHOWN_INSTANCES))
  return more > 0 and ("%s and %d more"):format(names, more) or names
end

--- A disk with a file system has one user, or readers only.
function M.check_writers(project, report)
  for name, use in pairs(uses_by_volume(project)) do
    if use.count > 1 and use.writers > 0 then
      local users = ("%d instances: %s"):format(use.count, shown(instances_of(use)))
      report(last_writer(use), ('volume "%s" is writable here and mounted by %s'):format(name, users),
        "a disk has one writer: mount it :ro everywhere, use a volume for each service, or share a directory")
    end
  end
end

--- One target, one mount.
function M.check_targets(project, report, facts)
  for _, name in ipairs(project.order) do
    local seen = {}
    for position, mount in ipairs(project.services[name].mounts) do
      local first = mount and seen[mount.target]
      if first then
        report({ "services", name, "volumes", position }, ('the target "%s" is that of %s too'):format(mount.target,
          facts.path { "services", name, "volumes", first }))
      elseif mount then
        seen[mount.target] = position
      end
    end
  end
end

return M
