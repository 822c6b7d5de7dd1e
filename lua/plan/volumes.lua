--- Who has the named volumes of a project, by its record. Pure.
local table_ = require "holos.core.table"

local M = {}

---@class holos.VolumeUser
---@field instance     string
---@field targets      string[]  where it is mounted
---@field read_only    boolean
---@field is_protected boolean   protect: true
---@field is_away      boolean   it is what this instance was, and may be again

local function add_spec(users, instance, spec, name, is_away)
  local user
  for _, mount in ipairs(spec and spec.mounts or {}) do
    if mount.kind == "volume" and mount.volume == name and not mount.anonymous then
      user = user or { instance = instance, targets = table_.list {}, read_only = true, is_protected = spec.protect or false,
        is_away = is_away }
      user.targets[#user.targets + 1] = mount.target
      user.read_only = user.read_only and mount.read_only or false
    end
  end
  users[#users + 1] = user
  return user
end

--- The instances of a record that have a volume, by name. What an instance was counts as long as it may be that again.
---@return holos.VolumeUser[]
function M.users(record, name)
  local users = table_.list {}
  for instance, entry in table_.sorted_pairs(record.instances) do
    local _ = add_spec(users, instance, entry.spec, name, false)
      or add_spec(users, instance, entry.replaced and entry.replaced.spec, name, true)
      or add_spec(users, instance, entry.previous and entry.previous.spec, name, true)
  end
  return users
end

return M
