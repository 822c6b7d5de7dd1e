--- Who has the named volumes that projects keep, by all records. Pure.
local table_ = require "holos.core.table"

local M = {}

---@class holos.VolumeUser
---@field project      string
---@field instance     string
---@field service      string
---@field targets      string[]  where it is mounted
---@field read_only    boolean
---@field is_protected boolean   protect: true
---@field is_away      boolean   it is what this instance was, and may be again

-- A mount of another project's volume names its file, by whatever path.
local function is_of(mount, volume, project, identify)
  if mount.kind ~= "volume" or mount.anonymous then return false end
  if mount.disk then return identify(mount.disk.path) == identify(volume.path) end
  return project == volume.project and mount.volume == volume.name
end

local function add_spec(users, volume, record, instance, spec, is_away, identify)
  local user
  for _, mount in ipairs(spec and spec.mounts or {}) do
    if is_of(mount, volume, record.name, identify) then
      user = user or { project = record.name, instance = instance, service = spec.service, targets = table_.list {},
        read_only = true, is_protected = spec.protect or false, is_away = is_away }
      user.targets[#user.targets + 1] = mount.target
      user.read_only = user.read_only and mount.read_only or false
    end
  end
  users[#users + 1] = user
  return user
end

--- The serial number of a volume's disk in a machine; nil when it has no such disk.
---@param spec table  as it was launched
---@param volume {project: string, name: string, path: string}
---@param identify fun(path: string): string  what lies there, the same for all its paths
function M.serial(spec, volume, identify)
  for _, mount in ipairs(spec.mounts) do
    if is_of(mount, volume, spec.project, identify) then return mount.serial end
  end
end

--- What an instance has, or is to have, now: as it runs first, which may be less than its record says by now, or more.
---@param entry table     of a record
---@param applied table?  the spec of the machine that runs
---@return table[] specs
function M.specs(entry, applied)
  local specs = { applied }
  specs[#specs + 1] = entry.spec
  return specs
end

local function add_instance(users, volume, record, instance, applied, identify)
  local entry = record.instances[instance]
  for _, spec in ipairs(M.specs(entry, applied)) do
    if add_spec(users, volume, record, instance, spec, false, identify) then return end
  end
  local _ = add_spec(users, volume, record, instance, entry.replaced and entry.replaced.spec, true, identify)
    or add_spec(users, volume, record, instance, entry.previous and entry.previous.spec, true, identify)
end

--- The instances that have a volume, by project and name. What an instance was counts as long as it may be that again.
---@param records table<string, table>
---@param volume {project: string, name: string, path: string}
---@param applied_of fun(project: string, instance: string): table?  the spec of a machine that runs
---@param identify fun(path: string): string  what lies there, the same for all its paths
---@return holos.VolumeUser[]
function M.users(records, volume, applied_of, identify)
  local users = table_.list {}
  for _, record in table_.sorted_pairs(records) do
    for _, instance in ipairs(table_.keys(record.instances)) do
      add_instance(users, volume, record, instance, applied_of(record.name, instance), identify)
    end
  end
  return users
end

return M
