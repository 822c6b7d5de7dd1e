--- Volumes, configs and secrets of a project, and what of them a service has. Pure.
local lazy = require "holos.core.lazy"
local driver_options = lazy "holos.compose.driver_options"
local path = require "holos.core.path"
local tables = require "holos.core.table"

local M = {}

-- FNV-1a, 32 bits: a name that is the same in every run and says nothing.
local function hash8(text)
  local hash = 0x811c9dc5
  for position = 1, #text do hash = ((hash ~ text:byte(position)) * 0x01000193) & 0xffffffff end
  return ("%08x"):format(hash)
end

--- The name of a volume that has none: of its service and target.
function M.anonymous_name(service_name, target)
  return ("%s-%s"):format(service_name, hash8(target))
end

--- Gives names to the mounts that have none, in place.
function M.name_mounts(service_name, mounts)
  for _, mount in ipairs(mounts) do
    if mount and mount.anonymous then mount.volume = M.anonymous_name(service_name, mount.target) end
  end
  return mounts
end

local CONFIG_MODE, SECRET_MODE = tonumber("444", 8), tonumber("400", 8)

local function grants(list, directory, mode)
  local made = tables.list {}
  for _, wanted in ipairs(list) do
    if wanted and wanted.source then
      made[#made + 1] = {
        key = wanted.source, target = path.absolute(wanted.target or wanted.source, directory), uid = wanted.uid or 0,
        gid = wanted.gid or 0, mode = wanted.mode or mode,
      }
    end
  end
  return made
end

local fillers = {}

function fillers.configs(made, list) made.configs = grants(list, "/", CONFIG_MODE) end
function fillers.secrets(made, list) made.secrets = grants(list, "/run/secrets", SECRET_MODE) end

--- By key of the service: function(made, value).
M.fillers = fillers

local function source_of(wanted)
  if wanted.file then return { kind = "file", path = wanted.file } end
  if wanted.environment then return { kind = "environment", variable = wanted.environment } end
  return wanted.content and { kind = "content", text = wanted.content } or nil
end

--- Configs or secrets of a project by key; their files are not read here.
---@param declared table?  of the checked tree
function M.sources(declared)
  local made = {}
  for key, wanted in pairs(declared or {}) do
    made[key] = { key = key, name = wanted.name or key, source = source_of(wanted), external = wanted.external and true or false }
  end
  return made
end

--- How large volumes are when nothing says so.
M.VOLUME_BYTES = 10 << 30

local function volume(key, wanted, mark)
  local external = wanted.external
  local meaning = wanted.driver_opts and driver_options.read(wanted.driver_opts) or {}
  local device = wanted.device or meaning.device
  return {
    name = wanted.name or type(external) == "table" and external.name or key,
    size_bytes = wanted.size or M.VOLUME_BYTES, is_sized = wanted.size ~= nil or nil, external = external and true or false,
    labels = wanted.labels or {}, fs = wanted.fs or meaning.fs or "ext4", device = device, share = meaning.share,
    is_read_only = meaning.is_read_only or nil, mark = mark,
  }
end

--- The volumes of a project by key.
---@param declared table  of the checked tree
---@param marks table     path → "holos.yaml:14:5"
function M.volumes(declared, marks)
  local made = {}
  for key, wanted in pairs(declared) do made[key] = volume(key, wanted, marks[('volumes["%s"]'):format(key)]) end
  return made
end

--- Mounts of volumes that are directories of the host become shares of these, in place; such volumes are no disks.
---@param volumes table<string, table>  as of M.volumes
function M.share(volumes, services)
  local shares = {}
  for key, made in pairs(volumes) do shares[key] = made.share and made or nil end
  if not next(shares) then return end
  for key in pairs(shares) do volumes[key] = nil end
  for _, service in pairs(services) do
    for _, mount in ipairs(service.mounts) do
      local share = mount and mount.kind == "volume" and shares[mount.volume]
      if share then
        mount.kind, mount.source = "bind", path.absolute(mount.subpath or ".", share.share)
        mount.volume, mount.nocopy, mount.subpath = nil, nil, nil
        mount.read_only = mount.read_only or share.is_read_only or false
      end
    end
  end
end

return M
