--- What differs between the recorded spec of an instance and the wanted one, field by field. Pure.
local lazy = require "holos.core.lazy"
local attach = lazy "holos.plan.attach"
local first = require "holos.plan.diff.first"
local guest = require "holos.plan.diff.guest"
local image_ = require "holos.plan.image"
local schema = require "holos.core.schema"
local service = require "holos.compose.schema.service"
local table_ = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

local function mib(value) return units.format_bytes(value << 20) end

local function words(list)
  local shown = {}
  for i, item in ipairs(list) do shown[i] = tostring(item) end
  return #shown > 0 and table.concat(shown, " ") or "none"
end

--- "127.0.0.1:8080 → 80/tcp"
local function port_words(ports)
  local shown = {}
  for i, port in ipairs(ports) do
    local host = port.host_to and ("%d-%d"):format(port.host, port.host_to) or port.host
    shown[i] = ("%s:%s→%d/%s"):format(port.host_ip, host, port.guest, port.protocol)
  end
  return words(shown)
end

local function mount_words(mounts)
  local shown = {}
  for i, mount in ipairs(mounts) do
    shown[i] = ("%s:%s%s%s"):format(mount.volume or mount.source or mount.kind, mount.target, mount.read_only and ":ro" or "",
      mount.is_moving and " (half done)" or "")
  end
  return words(shown)
end

-- Whether a missing directory is made says nothing about the machine.
local function mounts_of(spec)
  return table_.map(spec.mounts, function(mount)
    local copy = table_.copy(mount)
    copy.create_host_path = nil
    return copy
  end)
end

local function address_words(nics)
  local addresses = {}
  for _, nic in ipairs(nics) do addresses[#addresses + 1] = nic.address end
  return words(addresses)
end

--- Version 1 of the explicit field list: the recorded and the wanted spec are compared here and nowhere else.
--- key: where the file says it; what a change of it needs is written there, in compose/schema. Only what follows from
--- other services has its class here. at: where it stands in a spec, of fields that a running machine can take over.
M.FIELDS = {
  { name = "image", key = "image", get = function(s) return image_.identity(s.image) end,
    tell = function(_, _, recorded, wanted) return image_.change(recorded.image, wanted.image) end },
  { name = "image_os", key = "image_os", get = function(s) return s.image.os end },
  { name = "memory", key = "vm.memory_mb", get = function(s) return s.vm.memory_mib end, show = mib },
  { name = "vcpu", key = "vm.vcpu", get = function(s) return s.vm.vcpu end },
  { name = "disk", key = "vm.disk_size", get = function(s) return s.disk_bytes end,
    show = units.format_bytes },
  { name = "machine", key = "vm.machine", get = function(s) return s.vm.machine end },
  { name = "argv generation", key = "vm.machine", get = function(s) return s.generation end },
  { name = "cpu model", key = "vm.cpu_model", get = function(s) return s.vm.cpu_model end },
  { name = "accelerator", key = "vm.accel", get = function(s) return s.vm.accel end },
  { name = "uefi", key = "vm.uefi", get = function(s) return s.vm.uefi end },
  { name = "extra_args", key = "vm.extra_args", get = function(s) return s.vm.extra_args end,
    show = words },
  { name = "allow_paths", key = "vm.allow_paths", get = function(s) return s.vm.allow_paths end,
    show = words },
  { name = "run_as_root", key = "vm.run_as_root", get = function(s) return s.vm.run_as_root end },
  { name = "watchdog", key = "vm.watchdog", get = function(s) return s.vm.watchdog end },
  { name = "graphics card", class = "restart", key = "image", get = function(s) return s.vm.vga end,
    show = function(is_there) return is_there and "there" or "none" end },
  { name = "ports", key = "ports", at = { "ports" }, get = function(s) return s.ports end, show = port_words },
  { name = "volumes", key = "volumes", at = { "mounts" }, get = mounts_of, show = mount_words },
  { name = "network", class = "restart", key = "networks", get = function(s) return s.nics end,
    show = address_words },
  { name = "bootcmd", key = "cloud_init.bootcmd", get = function(s) return s.cloud_init.bootcmd or {} end,
    show = function(commands) return #commands .. " commands" end },
  { name = "console_login", key = "console_login", get = function(s) return s.console_login end },
  { name = "hosts", class = "live", key = "services", at = { "hosts_id" }, get = function(s) return s.hosts_id end,
    show = function(id) return (id or "other"):match("^%w+") .. " names" end },
  { name = "healthcheck", key = "healthcheck", at = { "healthcheck" }, get = function(s) return s.healthcheck end,
    show = function(check) return check and words(check.test) or "none" end },
  { name = "stop_grace_period", key = "stop_grace_period", at = { "stop_grace_ms" }, get = function(s) return s.stop_grace_ms end,
    show = units.format_duration },
  { name = "labels", key = "labels", at = { "labels" }, get = function(s) return s.labels end,
    show = function(labels) return #table_.keys(labels) .. " labels" end },
  { name = "protect", key = "protect", at = { "protect" }, get = function(s) return s.protect end },
}
table_.extend(table_.extend(M.FIELDS, guest.FIELDS), first.FIELDS)

local RANK = { live = 1, restart = 2, reprovision = 3, recreate = 4 }

local function graver(a, b)
  if not a or not b then return a or b end
  return RANK[a] >= RANK[b] and a or b
end

local classes -- by key of a service; made when it is first asked for

--- What a change of a service's key needs, as the compose schema has it; of a key that groups others, the gravest.
---@param key string  "vm.memory_mb", "cloud_init"
---@return "live"|"restart"|"reprovision"|"recreate" class
function M.class_of(key)
  if not classes then
    classes = {}
    for _, entry in ipairs(schema.fields(service)) do
      local group = entry.path:match("^([%w_]+)%.")
      classes[entry.path] = graver(classes[entry.path], entry.field.change)
      if group then classes[group] = graver(classes[group], entry.field.change) end
    end
  end
  return classes[key] or error("the compose schema has no kind of change for " .. key)
end

--- A disk can only grow; less is another disk. Volumes come and go while there are slots for them.
local function class_of(field, recorded, wanted, now)
  if field.name == "volumes" and now and attach.is_possible(recorded, wanted, now) then return "live" end
  if field.name == "disk" and wanted.disk_bytes < recorded.disk_bytes then return "recreate" end
  return field.class or M.class_of(field.key)
end

local function plain(value) return value == nil and "none" or tostring(value) end

--- The changes from `recorded` to `wanted`.
---@param now table?  the runtime of the machine that runs as `recorded`
---@return {name: string, class: string, key: string, from: string, to: string, at: string[]?}[]
function M.changes(recorded, wanted, now)
  local changes = {}
  for _, field in ipairs(M.FIELDS) do
    local from, to = field.get(recorded), field.get(wanted)
    if not (field.same or table_.deep_equal)(from, to) then
      local show = field.show or plain
      local from_text, to_text
      if field.tell then
        from_text, to_text = field.tell(from, to, recorded, wanted)
      else
        from_text, to_text = show(from), show(to)
      end
      changes[#changes + 1] = { name = field.name, class = class_of(field, recorded, wanted, now), key = field.key,
        from = from_text, to = to_text, at = field.at }
    end
  end
  return changes
end

--- The changes that cost a disk or what is on it: only the user may decide on those.
function M.grave(changes)
  return table_.filter(changes, function(change) return RANK[change.class] >= RANK.reprovision end)
end

--- Whether a machine that runs can take over all of some changes.
function M.is_live(changes)
  for _, change in ipairs(changes) do
    if change.class ~= "live" or not change.at then return false end
  end
  return true
end

--- The spec of a machine that runs, once it has taken over what it can; what else has changed stays as it was launched, and
--- volumes are moved by run/attach, which says itself what has come of it.
---@return table spec
function M.taken_over(applied, wanted)
  local spec = table_.copy(applied)
  for _, field in ipairs(M.FIELDS) do
    if field.at and class_of(field, applied, wanted) == "live" then
      local into, from = spec, wanted
      for i = 1, #field.at - 1 do into, from = into[field.at[i]], from[field.at[i]] end
      into[field.at[#field.at]] = table_.copy(from[field.at[#field.at]])
    end
  end
  return spec
end

--- What is wanted, with everything left as recorded that a grave change would touch.
---@return table spec
function M.keep(recorded, wanted)
  local spec = table_.copy(wanted)
  for _, key in ipairs { "image", "disk_bytes", "user", "instance_id" } do spec[key] = table_.copy(recorded[key]) end
  local is_same = table_.deep_equal(image_.identity(wanted.image), image_.identity(recorded.image))
  if wanted.disk_bytes > recorded.disk_bytes and is_same then
    spec.disk_bytes = wanted.disk_bytes
  end
  spec.cloud_init, spec.build = table_.copy(recorded.cloud_init), table_.copy(recorded.build)
  spec.cloud_init.bootcmd = wanted.cloud_init.bootcmd
  return spec
end

--- The gravest class among changes, nil for none.
function M.gravest(changes)
  local gravest
  for _, change in ipairs(changes) do gravest = graver(gravest, change.class) end
  return gravest
end

return M
