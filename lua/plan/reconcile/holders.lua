--- Who has a volume now that a machine is to have next: a disk has one writer, or readers only. A machine that gives a volume
--- up is waited for; one that keeps it is a reason to refuse, before anything is touched. Pure.
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

-- The disks of a spec by what they are, whatever their paths: {volume, path, can_write}.
local function disks_of(context, spec)
  local disks = {}
  for _, mount in ipairs(spec.mounts or {}) do
    if mount.kind == "volume" and not mount.anonymous then
      local id, path = context.disk_of(mount)
      local can_write = not mount.read_only or disks[id] and disks[id].can_write
      disks[id] = { volume = mount.volume, path = path, can_write = can_write }
    end
  end
  return disks
end

-- Who runs with a disk, of this project and of others: {name, path, can_write, is_own}.
local function holders_of(context, running, id, own_name)
  local holders = table_.copy(context.foreign_users(id))
  for name, disks in table_.sorted_pairs(running) do
    if name ~= own_name and disks[id] then
      holders[#holders + 1] = { name = name, path = disks[id].path, can_write = disks[id].can_write, is_own = true }
    end
  end
  return holders
end

local GIVES_UP = { "stop/", "detach/" }

-- The action after which a machine of this project has the disk no longer.
local function release(actions, name)
  for _, prefix in ipairs(GIVES_UP) do
    if actions[prefix .. name] then return actions[prefix .. name] end
  end
end

-- Whether an action comes after another, by whatever way.
local function comes_after(actions, action, id, seen)
  seen = seen or {}
  for _, list in ipairs { action.after, action.after_any or {} } do
    for _, before in ipairs(list) do
      local is_new = not seen[before]
      seen[before] = true
      if before == id or is_new and actions[before] and comes_after(actions, actions[before], id, seen) then return true end
    end
  end
  return false
end

-- "web-0 of project shop"; what it knows the disk by, where that is another path.
local function shown(holder, path)
  return holder.path == path and holder.name or ("%s as %s, the same disk as %s"):format(holder.name, holder.path, path)
end

local function refuse(plan, context, spec, disk, holder)
  local cure = holder.is_own and ("take it from %s first: holos down %s, or an up with a file in which it has no such volume")
    or "it runs with it: stop %s first"
  sheet.refuse(plan, { instance = spec.name, where = context.where(("services.%s.volumes"):format(spec.service)),
    cure = cure:format(holder.name, holder.name),
    change = { name = "volume " .. disk.volume, class = "restart", from = "in use by " .. shown(holder, disk.path),
      to = spec.name } })
end

local function wait_or_refuse(plan, context, actions, action, spec, disk, holder)
  local before = holder.is_own and release(actions, holder.name)
  if not before or comes_after(actions, before, action.id) then return refuse(plan, context, spec, disk, holder) end
  action.after[#action.after + 1] = before.id
end

--- Whether an action puts disks into a machine.
function M.takes(action) return action.kind == "instance.launch" or action.takes_volumes end

--- Has machines wait for those that give up what they take; refuses where nobody gives it up.
---@param context table  disk_of(mount): what the disk of a volume is, the same for all its paths, and its path;
---                      foreign_users(that): machines of other projects that run with it, {name, path, can_write}; absent:
---                      nothing is known of any
function M.settle(plan, context)
  if not context.disk_of then return end
  local running, actions, specs = {}, {}, {}
  for name, seen in pairs(context.observed.instances) do
    running[name] = seen.running and seen.applied and disks_of(context, seen.applied) or nil
  end
  for _, action in ipairs(plan.actions) do actions[action.id] = action end
  for _, spec in ipairs(plan.specs) do specs[spec.name] = spec end
  for _, action in ipairs(plan.actions) do
    local spec = M.takes(action) and specs[action.instance]
    for id, disk in table_.sorted_pairs(spec and disks_of(context, spec) or {}) do
      for _, holder in ipairs(holders_of(context, running, id, spec.name)) do
        if holder.can_write or disk.can_write then wait_or_refuse(plan, context, actions, action, spec, disk, holder) end
      end
    end
  end
end

return M
