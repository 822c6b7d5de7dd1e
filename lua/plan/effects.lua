--- Every effect that a project will have on its host, line by line, each with the place in the file that makes it. Pure.
local lazy = require "holos.core.lazy"
local disks = require "holos.plan.qemu.disks"
local hook = lazy "holos.plan.hook"
local identity = require "holos.plan.identity"
local instance = require "holos.plan.instance"
local machine = require "holos.plan.machine"
local network = require "holos.plan.network"
local ports = require "holos.plan.ports"
local table_ = require "holos.core.table"
local units = require "holos.core.units"
local volumes = require "holos.compose.volumes"

local M = {}

---@class holos.Effect
---@field verb string    what is done: reads, shares, makes, creates, keeps, listens, joins, lets in, passes, opens, runs, ignores
---@field what string    to what: a path, an address, a disk
---@field why string
---@field where string?  "holos.yaml:7:3"
---@field users string[]?  services or instances that it is for

---@class holos.EffectFacts
---@field reads {path: string, why: string}[]   what was read to load the project
---@field scripts string[]                      scripts of users beside the file
---@field images table<string, table>           of run/base
---@field leases table<string, table>           of plan/network
---@field record table                          the project's, or a new one
---@field volumes table<string, table>          that are there, by the names they are kept under
---@field builds table<string, holos.Build>    of services that are built
---@field uid integer
---@field sha256 fun(text: string): string
---@field directory string                      where instances are kept
---@field exists fun(path: string): boolean
---@field scope {unit: string?, text: string?}?  of systemd, that processes go to

-- Names in a sentence; all of them are in `users`.
local MOST_SHOWN = 5

local List = {}
List.__index = List

-- What several services do alike is one line; `who` of them are counted up.
function List:add(verb, what, why, where, who)
  local key = ("%s\0%s\0%s"):format(verb, what, why)
  local known = self.by_key[key]
  if not known then
    known = { verb = verb, what = tostring(what), why = why, where = where, users = table_.list {} }
    self.by_key[key], self.effects[#self.effects + 1] = known, known
  end
  local named = ("%s\0%s"):format(key, who)
  if who and not self.named[named] then
    self.named[named] = true
    table.insert(known.users, who)
  end
end

local function where_of(project, service, key, ...)
  return project.marks[("services.%s.%s"):format(service.name, key:format(...))]
end

local function key_of(service, file)
  local first = service.cdroms and service.cdroms[1]
  return file.what == "cdrom" and first.is_iso and first.path == file.path and "iso" or file.what
end

local function add_image(list, project, service)
  local image, where = service.image, where_of(project, service, "image")
  local name = image and (image.shown or image.name)
  if image and image.path then
    list:add("reads", image.path, name and ("%s, base image of"):format(name) or "base image of", where, service.name)
  elseif image then
    list:add("fetches", name, ("from %s, base image of"):format(image.host or "nowhere"), where, service.name)
  end
end

local function add_reads(list, project, facts)
  for _, read in ipairs(facts.reads) do list:add("reads", read.path, read.why) end
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    add_image(list, project, service)
    for _, one in ipairs(service.build and facts.builds[name].effects or {}) do
      list:add(one.verb, one.what, one.why, where_of(project, service, "build"), name)
    end
    for _, file in ipairs(machine.host_files(service)) do
      list:add("reads", file.path, file.what .. " of", where_of(project, service, "%s", key_of(service, file)), name)
    end
    for _, kind in ipairs { "configs", "secrets" } do
      for _, grant in ipairs(service[kind] or {}) do
        local source = ((project[kind] or {})[grant.key] or {}).source or {}
        local what = source.kind == "file" and source.path or source.kind == "environment" and "$" .. source.variable
        local why = ("%s %s, for"):format(kind:sub(1, -2), grant.key)
        if what then list:add("reads", what, why, project.marks[("%s.%s"):format(kind, grant.key)], name) end
      end
    end
  end
end

local function add_shares(list, project, facts)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      local where = where_of(project, service, "volumes[%d]", position)
      if mount.kind == "bind" then
        local is_made = mount.create_host_path and not facts.exists(mount.source)
        if is_made then list:add("makes", mount.source, "directory, as it is not there, for", where, name) end
        list:add("shares", mount.source, ("%s, as %s in"):format(mount.read_only and "read-only" or "read and write",
          mount.target), where, name)
      end
    end
  end
end

-- Disks of an instance that are not there yet: {bytes, what}.
local function disks_of(service, facts, is_new)
  local made = {}
  local base = service.image and service.image.path and facts.images[service.image.path]
  if is_new then
    made[1] = { what = "root disk", bytes = machine.disk_bytes(service.vm.disk_bytes, base and base.size_bytes or 0) }
  end
  for _, mount in ipairs(service.mounts) do
    if mount.anonymous and is_new then
      made[#made + 1] = { bytes = mount.size_bytes or disks.ANONYMOUS_BYTES, what = "volume at " .. mount.target }
    end
  end
  return made
end

--- The disks that are still to be made, all of them sparse.
---@param facts holos.EffectFacts
---@return {what: string, bytes: integer, service: string?, instance: string?, volume: string?}[]
function M.new_disks(project, facts)
  local list = table_.list {}
  for _, item in ipairs(instance.list(project, facts.record)) do
    local known = facts.record.instances[item.name]
    for _, disk in ipairs(disks_of(project.services[item.service], facts, not (known and known.disk_made))) do
      list[#list + 1] = { what = disk.what, bytes = disk.bytes, service = item.service, instance = item.name }
    end
  end
  for key, volume in table_.sorted_pairs(project.volumes) do
    local name = volume.name or key
    local is_made = not facts.volumes[name] and not volume.device and not volume.external
    if is_made then list[#list + 1] = { what = "volume " .. name, bytes = volume.size_bytes, volume = key } end
  end
  return list
end

local function survives(text, name, facts)
  return ("%s; in guests %s"):format(text, identity.volume_path(identity.volume_serial(facts.sha256, name)))
end

local function add_disks(list, project, facts)
  list:add("keeps", facts.directory, "disks, logs and sockets of its instances")
  for _, disk in ipairs(M.new_disks(project, facts)) do
    if disk.volume then
      local volume = project.volumes[disk.volume]
      list:add("creates", ("%s, %s"):format(disk.what, units.format_bytes(disk.bytes)),
        survives("sparse; survives down", volume.name or disk.volume, facts), volume.mark)
    else
      list:add("creates", ("%s, %s"):format(disk.what, units.format_bytes(disk.bytes)), "sparse, for",
        project.marks["services." .. disk.service], disk.instance)
    end
  end
  for key, volume in table_.sorted_pairs(project.volumes) do
    local name = volume.name or key
    if volume.device then
      list:add("uses", volume.device, survives("formatted only where all of it is zeros", name, facts), volume.mark)
    elseif volume.external then
      list:add("uses", "volume " .. name, survives("it is that of others, or survives down -v", name, facts), volume.mark)
    elseif facts.volumes[name] then
      list:add("keeps", "volume " .. name, survives("it is there and survives down", name, facts), volume.mark)
    end
  end
end

local function host_words(port)
  if port.host_to then return ("%d-%d"):format(port.host, port.host_to) end
  return port.host == 0 and "any" or port.host
end

--- Whether a published port can be reached from other machines.
function M.is_open(port) return not port.host_ip:find("^127%.") end

local function add_ports(list, project, facts)
  for _, item in ipairs(instance.list(project, facts.record)) do
    local service = project.services[item.service]
    if service.network_mode ~= "none" then
      list:add("listens", "127.0.0.1:any/tcp", "SSH, for exec and health checks, of", nil, item.name)
    end
    for position, port in ipairs(ports.of_instance(service, item.index)) do
      local why = M.is_open(port) and "port %d, open to the network, of" or "port %d of"
      list:add("listens", ("%s:%s/%s"):format(port.host_ip, host_words(port), port.protocol),
        why:format(port.guest), where_of(project, service, "ports[%d]", position), item.name)
    end
  end
end

local function add_networks(list, project, facts)
  for key, lease in table_.sorted_pairs(facts.leases) do
    list:add("joins", ("%s:%d on loopback"):format(lease.group, lease.port), ("network %s, %s%s"):format(key, lease.subnet,
      lease.internal and ", internal" or ""), (project.marks(("networks.%s"):format(key))))
  end
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    if network.reaches_host(project, service) then
      list:add("lets in", network.HOST_GATEWAY, "there guests reach services on the host's loopback:", nil, name)
    end
  end
end

local function add_rights(list, project, facts)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local vm = service.vm
    if #vm.extra_args > 0 then
      local where = where_of(project, service, "vm.extra_args")
      list:add("passes", table.concat(vm.extra_args, " "), "to QEMU as it is, for", where, name)
      if #vm.allow_paths == 0 then
        list:add("opens", "all paths", "extra_args may name any, so Landlock is off for", where, name)
      end
    end
    for _, path in ipairs(vm.allow_paths) do
      list:add("opens", path, "for reading and writing, to QEMU of", where_of(project, service, "vm.allow_paths"), name)
    end
    if vm.run_as_root and facts.uid == 0 then
      list:add("runs", "QEMU as root", "it keeps all rights, for", where_of(project, service, "vm.run_as_root"), name)
    end
  end
end

local function add_processes(list, project, facts)
  local instances = instance.list(project, facts.record)
  for _, item in ipairs(instances) do
    local service = project.services[item.service]
    local drops = facts.uid == 0 and not service.vm.run_as_root
    list:add("runs", "QEMU", drops and "a process each, without root's rights, for" or "a process each, for", nil, item.name)
    for _, mount in ipairs(service.mounts) do
      local is_virtiofs = mount.kind == "bind" and volumes.driver(mount, service.image) == "virtiofs"
      if is_virtiofs then list:add("runs", "virtiofsd", "one for each shared directory, for", nil, item.name) end
    end
  end
  if #instances > 0 then
    list:add("runs", "holos supervise " .. project.name, "looks after them, and ends with the last of them")
    local scope = facts.scope
    if scope and scope.unit then list:add("joins", scope.unit, scope.text) end
  end
end

local HOOKS = { post_start = "in the guest after each start (post_start), for",
  pre_stop = "in the guest before it is stopped (pre_stop), for" }

local function add_hooks(list, project)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for key, why in table_.sorted_pairs(HOOKS) do
      for position, command in ipairs(service[key] or {}) do
        list:add("runs", hook.title(command), why, where_of(project, service, "%s[%d]", key, position), name)
      end
    end
  end
end

local function add_scripts(list, facts)
  for _, script in ipairs(facts.scripts) do list:add("ignores", script, "scripts of projects are not run by this version") end
end

-- The services that do it end the sentence.
local function finished(effect)
  local users = effect.users
  if #users == 0 then
    effect.users = nil
    return effect
  end
  local more = #users > MOST_SHOWN and (" and %d more"):format(#users - MOST_SHOWN) or ""
  effect.why = ("%s %s%s"):format(effect.why, table.concat(users, " ", 1, math.min(#users, MOST_SHOWN)), more)
  return effect
end

--- What a project does on its host.
---@param facts holos.EffectFacts
---@return holos.Effect[]
function M.of(project, facts)
  local list = setmetatable({ effects = table_.list {}, by_key = {}, named = {} }, List)
  for _, add in ipairs { add_reads, add_shares, add_disks, add_ports, add_networks, add_processes, add_rights, add_hooks } do
    add(list, project, facts)
  end
  add_scripts(list, facts)
  return table_.map(list.effects, finished)
end

return M
