--- Disks that volumes are and whose content holos has not made: block devices and files of the host, volumes that other
--- projects keep; and copies. Effects: reads.
local blank = require "holos.run.blank"
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local observe = require "holos.run.observe"
local record = require "holos.run.record"
local table_ = require "holos.core.table"
local volumes = require "holos.plan.volumes"

local M = {}

local SECTOR = 512
-- A plan tells what it can without making anybody wait; before a start, all of a disk is read.
local GLANCE_BYTES = 256 << 20
local QCOW2 = "^(.+)%.qcow2$"

local function finding(volume, path, message, hint)
  local file, line, column = (volume.mark or ""):match("^(.*):(%d+):(%d+)$")
  return { path = path, message = message, hint = hint, file = file, line = line, column = column }
end

-- A disk's size in whole sectors: QEMU would leave out the rest of the last one.
local function size_of(world, path, kind)
  if kind ~= "block" and kind ~= "file" then return nil, "is a " .. kind .. "; a device is a disk or a file" end
  local bytes, message = world.fs.size(path)
  if not bytes then return nil, "cannot be read: " .. message end
  if bytes == 0 then return nil, "is empty" end
  if bytes % SECTOR ~= 0 then return nil, ("has %d bytes; a disk has a multiple of %d"):format(bytes, SECTOR) end
  return bytes
end

--- What is known of a device.
---@return {path: string, kind: "device"|"file", format: "raw", size_bytes: integer}? disk
---@return string? message
function M.look(world, path)
  local stat, message = world.fs.stat(path)
  if not stat then return nil, message end
  local bytes, reason = size_of(world, path, stat.type)
  if not bytes then return nil, ("%s %s"):format(path, reason) end
  return { path = path, kind = stat.type == "block" and "device" or "file", format = "raw", size_bytes = bytes }
end

local function as_disk(world, state, project, name, fs)
  local file = state:volume(project, name)
  local info, message, code = world.qcow2.info(file)
  if not info and code == "ENOENT" then return nil end
  err.check("volume " .. name, info, message, code)
  return { path = file, kind = "file", format = "qcow2", size_bytes = info.virtual_bytes, fs = fs, owner = project, name = name }
end

local function fs_of(records, project, name)
  local known = records[project] and records[project].volumes[name]
  return known and known.fs
end

-- All volumes of other projects: "shop_data" → {{project, name}}; two projects may have one of the same long name.
local function others(world, state, own)
  local found = {}
  for _, entry in ipairs(directory_.entries(world, state.root .. "/volumes")) do
    for _, file in ipairs(entry.name ~= own and directory_.entries(world, state:volumes(entry.name)) or {}) do
      local name = file.name:match(QCOW2)
      if name then
        local long = ("%s_%s"):format(entry.name, name)
        found[long] = found[long] or {}
        table.insert(found[long], { project = entry.name, name = name })
      end
    end
  end
  return found
end

local function ambiguous(name, all)
  local words = table_.map(all, function(one) return ("volume %s of project %s"):format(one.name, one.project) end)
  return ('"%s" may be %s'):format(name, table.concat(words, " or ")),
    ("copy one of them to another name: holos volumes clone %s/%s NAME"):format(all[1].project, all[1].name)
end

-- An external volume: of the project itself, or PROJECT_NAME of another one.
local function external(world, state, project, volume, records)
  local own = as_disk(world, state, project.name, volume.name)
  if own then return own end
  local found = others(world, state, project.name)
  local other = found[volume.name] and found[volume.name][1]
  if other and found[volume.name][2] then return nil, ambiguous(volume.name, found[volume.name]) end
  if other then return as_disk(world, state, other.project, other.name, fs_of(records, other.project, other.name)) end
  local names = table_.keys(found)
  return nil, ('there is no volume "%s"'):format(volume.name), #names > 0 and "those of other projects: "
    .. table.concat(names, ", ") or "leave out external: true, and up makes it"
end

-- Of those that services mount: what nobody uses is not looked for.
local function mounted(project)
  local keys = {}
  for _, name in ipairs(project.order) do
    for _, mount in ipairs(project.services[name].mounts) do
      if mount and mount.kind == "volume" then keys[mount.volume] = true end
    end
  end
  return keys
end

--- The disks of a project that are not its own.
---@param records table<string, table>  of other projects
---@return table<string, {path: string, kind: string, format: string, size_bytes: integer, fs: string?}> disks  by key
---@return {message: string, hint: string?}[] findings
function M.of_project(world, state, project, records)
  local disks, findings, uses
  disks, findings = {}, {}
  for key, volume in table_.sorted_pairs(project.volumes) do
    if volume.device or volume.external then
      uses = uses or mounted(project)
      local disk, message, hint
      if volume.device then disk, message = M.look(world, volume.device)
      elseif uses[key] then disk, message, hint = external(world, state, project, volume, records) end
      disks[key] = disk
      if not disk and uses[key] then
        findings[#findings + 1] = finding(volume, ("volumes.%s"):format(key), message, hint)
      end
    end
  end
  return disks, findings
end

-- Raises when a block device that is to be written is in use by this host: mounted, part of a RAID or of a volume group.
local function require_free(world, spec, is_chosen)
  for _, mount in ipairs(spec.mounts) do
    if is_chosen(mount) and mount.disk and mount.disk.kind == "device" and not mount.read_only then
      local fd, message, code = world.fs.open(mount.disk.path, { read = true, exclusive = true })
      if not fd and code == "EBUSY" then
        err.raise { message = ("%s: %s is in use by this host, mounted or part of something else, or by another machine"):format(
          spec.name, mount.disk.path), code = code, exit = 3, hint = "lsblk shows what has it; nothing was written to it" }
      end
      err.check(spec.name, fd, message, code):close()
    end
  end
end

-- The volumes of machines that have a disk: they may have run, and formatted what we made for them.
local function in_use(world, state, known)
  local used = {}
  for name, entry in pairs(known.instances) do
    local has_disk = world.fs.lstat(state:instance(known.name, name) .. "/root.qcow2")
    for _, mount in ipairs(has_disk and entry.spec.mounts or {}) do
      if mount.volume and not mount.anonymous then used[mount.volume] = true end
    end
  end
  return used
end

--- The volumes of a project whose content is not ours though no record says so: whoever put them there was cut off before he
--- could write that down, or is not holos; also of what cannot be read, as nobody may ever format that.
---@param known table  the project's record, which is changed
---@param names string[]
function M.adopt(world, state, known, names)
  local used = in_use(world, state, known)
  for _, name in ipairs(names) do
    local file, entry = state:volume(known.name, name), known.volumes[name]
    if not world.fs.lstat(file) then
      if entry and not entry.made then entry.is_copied = nil end
    elseif not entry then
      known.volumes[name] = { is_copied = true }
    elseif not entry.made and not used[name] then
      entry.is_copied = not (world.qcow2.info(file) and blank.look(world, { path = file, format = "qcow2" }) == "blank")
        or entry.is_copied
    end
  end
end

-- The disk of a mount, where its content is not ours.
local function disk_of(state, project, mount)
  return mount.disk or mount.is_copied and { path = state:volume(project, mount.volume), format = "qcow2" }
end

--- Before a launch: raises when a device is in use. Gives the spec as its seed is written: with a mark at each of these disks
--- that is blank, and may be formatted therefore.
---@param serials string[]?  only those disks are about to be used
---@param tell fun(told: table)?  hears how far the reading of a large disk is: {state = "reading", path, progress}
---@return table spec
function M.prepare(world, state, spec, serials, tell)
  local function is_chosen(mount) return not serials or table_.index_of(serials, mount.serial) ~= nil end
  require_free(world, spec, is_chosen)
  local seeded, found
  found = {}
  for position, mount in ipairs(spec.mounts) do
    local disk = is_chosen(mount) and not mount.read_only and disk_of(state, spec.project, mount)
    if disk then
      found[disk.path] = found[disk.path] or blank.look(world, disk, { tell = tell and function(progress)
        tell { state = "reading", path = disk.path, progress = progress }
      end })
    end
    if disk and found[disk.path] == "blank" then
      seeded = seeded or table_.copy(spec)
      seeded.mounts[position].is_blank = true
    end
  end
  return seeded or spec
end

--- What a plan can say of a disk that is not the project's own.
---@param disk table  of a mount
---@return {size_bytes: integer, content: "blank"|"data"|"unknown", read_bytes: integer}  of "unknown" ones so much is zeros
function M.glance(world, disk)
  local size_bytes = disk.format == "qcow2" and err.check(nil, world.qcow2.info(disk.path)).virtual_bytes
    or err.check(nil, world.fs.size(disk.path))
  return { size_bytes = size_bytes, content = blank.look(world, disk, { most_bytes = GLANCE_BYTES }), read_bytes = GLANCE_BYTES }
end

--- What lies at a path, as a text that is the same for all paths of it; the path itself where nothing does.
---@return fun(file: string): string
function M.identifier(world)
  local known = {}
  return function(file)
    known[file] = known[file] or (world.fs.stat(file) or {}).id or file
    return known[file]
  end
end

--- Who runs with which disk, or is to, having started with another: by what it is {project, instance, name, path, can_write}.
---@param records table<string, table>
---@param applied_of function  of run/observe
---@return table<string, table[]>
function M.users(world, state, records, applied_of)
  local users, identify = {}, M.identifier(world)
  local function add(project, instance, mount)
    if mount.kind ~= "volume" or mount.anonymous then return end
    local path = M.path_of(state, project, mount)
    local id = identify(path)
    users[id] = users[id] or {}
    table.insert(users[id], { project = project, instance = instance, path = path, can_write = not mount.read_only,
      name = ("%s of project %s"):format(instance, project) })
  end
  for project, other in table_.sorted_pairs(records) do
    for instance, entry in table_.sorted_pairs(other.instances) do
      local applied, runs = applied_of(project, instance)
      for _, spec in ipairs(runs and volumes.specs(entry, applied) or {}) do
        for _, mount in ipairs(spec.mounts or {}) do add(project, instance, mount) end
      end
    end
  end
  return users
end

--- Where the disk of a mounted volume lies.
function M.path_of(state, project, mount) return mount.disk and mount.disk.path or state:volume(project, mount.volume) end

--- Raises when machines of other projects have a volume of this one, which is about to be taken away, or are made with it.
function M.require_unused(world, state, project, names)
  local records = record.all(world, state)
  records[project] = nil
  local applied_of, identify = observe.applied_of(world, state), M.identifier(world)
  for _, name in ipairs(names) do
    local volume = { project = project, name = name, path = state:volume(project, name) }
    local user = volumes.users(records, volume, applied_of, identify)[1]
    if user then
      err.raise { message = ("volume %s is also that of %s of project %s"):format(name, user.instance, user.project),
        code = "EBUSY", exit = 3, hint = "no volume was taken; take that machine down first, or leave the volumes" }
    end
  end
end

return M
