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

-- A mount of another project's volume names its file.
local function is_of(mount, volume, project)
  if mount.kind ~= "volume" or mount.anonymous then return false end
  if mount.disk then return mount.disk.path == volume.path end
  return project == volume.project and mount.volume == volume.name
end

local function add_spec(users, volume, record, instance, spec, is_away)
  local user
  for _, mount in ipairs(spec and spec.mounts or {}) do
    if is_of(mount, volume, record.name) then
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
function M.serial(spec, volume)
  for _, mount in ipairs(spec.mounts) do
    if is_of(mount, volume, spec.project) then return mount.serial end
  end
end

--- The instances that have a volume, by project and name. What an instance was counts as long as it may be that again.
---@param records table<string, table>
---@param volume {project: string, name: string, path: string}
---@return holos.VolumeUser[]
function M.users(records, volume)
  local users = table_.list {}
  for _, record in table_.sorted_pairs(records) do
    for instance, entry in table_.sorted_pairs(record.instances) do
      local _ = add_spec(users, volume, record, instance, entry.spec, false)
        or add_spec(users, volume, record, instance, entry.replaced and entry.replaced.spec, true)
        or add_spec(users, volume, record, instance, entry.previous and entry.previous.spec, true)
    end
  end
  return users
end

return M
