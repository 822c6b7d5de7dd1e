--- Root overlays, volumes, firmware variables and seeds as files. Effects: creates and grows them; deletes nothing.
local lazy = require "holos.core.lazy"
local contents = require "holos.run.contents"
local err = require "holos.core.err"
local base = lazy "holos.run.base"
local foreign = lazy "holos.run.foreign"
local keys = require "holos.run.keys"
local manifest = lazy "holos.image.manifest"
local path = require "holos.core.path"
local disks = require "holos.plan.qemu.disks"
local seed = lazy "holos.plan.seed"
local table_ = require "holos.core.table"

local M = {}

local SHARED_MODE = tonumber("755", 8)
local FILE_MODE, DIRECTORY_MODE = tonumber("600", 8), tonumber("700", 8)

--- Refuses to run an overlay over a base that is no longer the one it was made from.
function M.require_same_base(world, state, spec)
  if spec.image.path then base.require_same(world, state, spec) end
end

-- Images of a store are called by their digest, wherever it lies.
local function is_overlay_of(backing, image)
  if backing == image.path then return true end
  return backing ~= nil and image.digest ~= nil and manifest.of_file_name(path.base(backing)) == image.digest
end

--- A disk that lies there already is taken only when it was made from this base.
function M.require_overlay_of(world, spec, file)
  local info = err.check(spec.name, world.qcow2.info(file))
  if is_overlay_of(info.backing, spec.image) then return end
  err.raise { message = ("%s: %s is there, made from %s and not from %s"):format(spec.name, file, info.backing or "nothing",
    spec.image.path), code = "EEXIST", hint = "move it away; it is not overwritten" }
end

--- The root overlay of an instance, when it is not there yet.
function M.create_root(world, state, spec)
  local directory = state:instance(spec.project, spec.name)
  err.check(spec.name, world.fs.mkdir_all(directory, DIRECTORY_MODE))
  local file = directory .. "/root.qcow2"
  if world.fs.lstat(file) then return M.require_overlay_of(world, spec, file) end
  base.require_sound(world, state, spec)
  err.check(spec.name, world.qcow2.create(file, { size_bytes = spec.disk_bytes, backing = spec.image.path,
    backing_format = spec.image.path and spec.image.format, mode = FILE_MODE }))
end

function M.grow_root(world, state, spec)
  err.check(spec.name, world.qcow2.grow(state:instance(spec.project, spec.name) .. "/root.qcow2", spec.disk_bytes))
end

--- A volume, when it is not there yet.
function M.create_volume(world, state, project, name, size_bytes)
  local file = state:volume(project, name)
  if world.fs.lstat(file) then return end
  err.check("volume " .. name, world.qcow2.create(file, { size_bytes = size_bytes, mode = FILE_MODE }))
end

--- Directories of the host that are shared and may be made when they are not there.
function M.create_sources(world, spec)
  for _, mount in ipairs(spec.mounts) do
    if mount.create_host_path and not world.fs.stat(mount.source) then
      err.check(spec.name, world.fs.mkdir_all(mount.source, SHARED_MODE))
    end
  end
end

local function refuse_lost(spec, mount)
  err.raise { message = ("%s: the disk of %s was made and is gone"):format(spec.name, mount.target), code = "ELOST", exit = 3,
    hint = ("put it back, or have the machine made anew: holos up --recreate=%s"):format(spec.service) }
end

--- The disks of volumes without a name, when they are not there yet.
---@param made string[]  volumes whose disks were made before: they are not papered over
---@return string[]? made  those of this spec
function M.create_anonymous(world, state, spec, made)
  local names = table_.list {}
  for _, mount in ipairs(spec.mounts) do
    local file = mount.anonymous and path.join(state:instance(spec.project, spec.name), disks.anonymous_file(mount))
    if file then names[#names + 1] = mount.volume end
    if file and not world.fs.lstat(file) then
      if table_.index_of(made, mount.volume) then refuse_lost(spec, mount) end
      err.check(spec.name, world.qcow2.create(file, { size_bytes = mount.size_bytes or disks.ANONYMOUS_BYTES, mode = FILE_MODE }))
    end
  end
  return names[1] and names or nil
end

--- The instance's own copy of the firmware variables, made once.
function M.create_uefi_vars(world, state, spec, firmware)
  local file = state:instance(spec.project, spec.name) .. "/uefi-vars.fd"
  if world.fs.lstat(file) then return end
  err.check(spec.name, world.fs.copy(firmware.vars, file, { mode = FILE_MODE }))
end

local function has_foreign_disk(spec)
  for _, mount in ipairs(spec.mounts) do
    if mount.disk or mount.is_copied then return true end
  end
  return false
end

--- Writes the seed anew: its boot part may have changed since the last launch.
--- Raises when a device is in use by this host. Not flushed: after a crash of the host it is written anew with the next launch.
---@param hosts holos.Host[]  all instances of the project
---@param tell fun(told: table)?  as of run/foreign
function M.write_seed(world, state, spec, hosts, tell)
  local seeded = has_foreign_disk(spec) and foreign.prepare(world, state, spec, nil, tell) or spec
  local files = seed.files(seeded, keys.for_seed(world, state, spec.project, spec.name), hosts,
    contents.paths(world, state, spec))
  local file = path.join(state:instance(spec.project, spec.name), "seed.iso")
  err.check(spec.name, world.iso.write(file, { volume = "cidata", files = files, time = 0, sync = false }))
end

return M
