--- Instance specs: what each VM of a project is to be, from the project, its record and facts about the host. Pure.
--- A spec is plain data and is kept in the record, so that start, stop and restart need no compose file.
local lazy = require "holos.core.lazy"
local guest = require "holos.plan.guest"
local hook = lazy "holos.plan.hook"
local hosts_ = require "holos.plan.hosts"
local identity = require "holos.plan.identity"
local machine = require "holos.plan.machine"
local network = require "holos.plan.network"
local ports = require "holos.plan.ports"
local seed = require "holos.plan.seed"
local table_ = require "holos.core.table"
local volumes = require "holos.compose.volumes"

local M = {}

--- Counts the layout of argv: a VM keeps the generation that it was created with.
M.GENERATION = 1

-- The recorded instances by service and number: a changed container_name renames no disk that is there.
local function recorded_names(record)
  local names = {}
  for name, entry in pairs(record.instances) do names[("%s/%d"):format(entry.spec.service, entry.spec.index)] = name end
  return names
end

--- The instances of a project in start order. A new one is called after its service ("db-0") or its container_name; one
--- that is recorded keeps its name.
---@return {name: string, service: string, index: integer}[]
function M.list(project, record)
  local instances, recorded = {}, recorded_names(record)
  for _, service_name in ipairs(project.order) do
    local service = project.services[service_name]
    for index = 0, service.is_enabled == false and -1 or service.replicas - 1 do
      local numbered = ("%s-%d"):format(service_name, index)
      instances[#instances + 1] = { service = service_name, index = index,
        name = recorded[("%s/%d"):format(service_name, index)] or service.container_name or numbered }
    end
  end
  return instances
end

--- The login user where the file names none: the image's own where that is known, root of plain guests, who have no other;
--- the seed's default is ubuntu.
---@param image {os: string, user: string?}
function M.default_user(image) return image.user or (image.os == "plain" and "root" or "ubuntu") end

-- Without an image nobody knows what runs: nothing of cloud-init is expected.
local function os_of(service) return service.image and service.image.os or "plain" end

-- A volume that is there keeps its file system, whatever the file says by now. ext4 goes without saying.
local function fs_of(declared, known)
  local fs = known and known.made and (known.fs or "ext4") or declared.fs
  return fs ~= "ext4" and fs or nil
end

-- A disk that is not the project's own, as a spec keeps it.
local function set_disk(mount, found)
  mount.disk = { path = found.path, kind = found.kind, format = found.format }
  if found.fs then mount.fs = found.fs ~= "ext4" and found.fs or nil end
end

local function set_volume(mount, context)
  local declared, found = (context.project.volumes or {})[mount.volume] or {}, (context.facts.disks or {})[mount.volume]
  if found then
    mount.volume, mount.fs = declared.name, declared.fs ~= "ext4" and declared.fs or nil
    set_disk(mount, found)
  elseif not mount.anonymous then
    mount.volume = declared.name or mount.volume
    local known = context.record.volumes[mount.volume]
    mount.fs, mount.is_copied = fs_of(declared, known), known and known.is_copied
  end
  mount.serial = identity.volume_serial(context.facts.sha256, mount.volume)
end

local function mounts_of(context, service)
  local mounts = table_.list {}
  for position, mount in ipairs(service.mounts) do
    local copy = table_.copy(mount)
    copy.nocopy = mount.nocopy or nil -- as specs that know no such thing
    if mount.kind == "volume" then
      set_volume(copy, context)
    elseif mount.kind == "bind" then
      copy.tag = "share" .. (position - 1)
      copy.driver = volumes.driver(mount, service.image)
    end
    mounts[position] = copy
  end
  return mounts
end

--- The instance-id of a guest. It changes when the first part of the seed does, or when that is to run again: cloud-init
--- then runs it.
---@param runs integer?   how often it was asked to run again
---@param first string?   the first part, where it is known
function M.id(sha256, spec, runs, first)
  local text = spec.uuid .. "\n" .. (first or seed.first_hash_input(spec))
  return "i-" .. sha256(runs and ("%s\n%d"):format(text, runs) or text):sub(1, 16)
end

-- The instances of a service have one first part.
local function instance_id(context, spec, known)
  local first = context.first_parts[spec.service] or seed.first_hash_input(spec)
  context.first_parts[spec.service] = first
  return M.id(context.facts.sha256, spec, known and known.provision_runs, first)
end

-- The id of the names that a guest is told; the same for all that are in the same networks.
local function hosts_id(context, nics)
  local key = table.concat(table_.map(nics, function(nic) return nic.network or nic.kind end), " ")
  context.hosts_ids[key] = context.hosts_ids[key]
    or hosts_.id(context.facts.sha256, hosts_.seen_by(nics, context.hosts))
  return context.hosts_ids[key]
end

-- One that is still to be fetched has a name and no path.
local function image_of(service, facts)
  local image = service.image
  if not image then return { os = os_of(service) }, 0 end
  local base = image.path and facts.images[image.path] or { size_bytes = 0 }
  return { path = image.path, format = image.format, os = image.os, size_bytes = image.path and base.size_bytes,
    mtime_ns = base.mtime_ns, inode = base.inode, name = image.name and (image.shown or image.name), digest = image.digest,
    family = image.family }, base.size_bytes
end

--- The spec of one instance.
---@param context table  {project, record, facts, leases, instances, hosts, accel = {auto=…, kvm=…, tcg=…},
---                       first_parts = {} by service and hosts_ids = {} by networks, filled here; renewed}
---@param instance table  one of M.list
function M.spec(context, service, instance)
  local project, facts, name = context.project, context.facts, instance.name
  local known = context.record.instances[name]
  local recorded = known and known.spec
  local pinned = not context.renewed[service.name] and recorded or nil
  local image, base_bytes = image_of(service, facts)
  local spec = {
    generation = pinned and pinned.generation or M.GENERATION,
    project = project.name, service = service.name, index = instance.index, name = name,
    uuid = recorded and recorded.uuid or identity.uuid(facts.sha256, project.name, name),
    user = service.cloud_init.user or M.default_user(service.image or image), image = image,
    disk_bytes = machine.disk_bytes(service.vm.disk_bytes, base_bytes),
    vm = machine.vm(context, service, pinned), boot = machine.boot(service), cdroms = machine.cdroms(service),
    rtc = service.rtc, nics = network.nics(context, service, name), ports = ports.of_instance(service, instance.index),
    mounts = mounts_of(context, service), cloud_init = service.cloud_init,
    healthcheck = service.healthcheck, stop_grace_ms = service.stop_grace_ms, labels = service.labels,
    console_login = service.console_login, protect = service.protect, depends_on = service.depends_on,
    ready = service.ready, restart = service.restart, logging = service.logging,
    post_start = service.post_start and hook.list(service.post_start),
    pre_stop = service.pre_stop and hook.list(service.pre_stop),
  }
  local build = (facts.builds or {})[service.name]
  if build then spec.build = { digest = build.digest, context = build.context, steps = build.steps, listed = build.listed } end
  guest.fill(spec, service, instance.index, facts.digests)
  spec.hosts_id, spec.instance_id = hosts_id(context, spec.nics), instance_id(context, spec, known)
  return spec
end

local function name_findings(instances, record, findings)
  local seen = {}
  for _, instance in ipairs(instances) do
    local other, known = seen[instance.name], record.instances[instance.name]
    if known and known.spec.service ~= instance.service then
      findings[#findings + 1] = { message = ("%s is an instance of service %s, with its disk; it cannot become one of %s"):format(
        instance.name, known.spec.service, instance.service),
        hint = ("use another name, or take it down first: holos down %s"):format(instance.name) }
    end
    if other then
      findings[#findings + 1] = { message = ("%s and %s are both called %s"):format(other, instance.service, instance.name),
        hint = "change the container_name" }
    end
    seen[instance.name] = instance.service
  end
end

local function mac_findings(specs, findings)
  local holders = {}
  for _, spec in ipairs(specs) do
    for _, nic in ipairs(spec.nics) do
      local mac = nic.mac:lower()
      if holders[mac] then
        findings[#findings + 1] = { message = ("%s and %s both have a card with the MAC address %s"):format(holders[mac],
          spec.name, nic.mac), hint = "give one of them another mac_address" }
      end
      holders[mac] = spec.name
    end
  end
end

local function all_specs(context)
  local specs = {}
  for position, instance in ipairs(context.instances) do
    specs[position] = M.spec(context, context.project.services[instance.service], instance)
  end
  return specs
end

-- A disk keeps the name that it was made with.
local function rename_warnings(project, instances, warnings)
  for _, instance in ipairs(instances) do
    local wanted = project.services[instance.service].container_name
    if wanted and instance.name ~= wanted then
      warnings[#warnings + 1] = ("%s keeps its name; to have it made anew as %s: holos down %s, then up"):format(instance.name,
        wanted, instance.name)
    end
  end
end

local function app_warnings(project, context)
  local warnings = {}
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    table_.extend(warnings, seed.warnings(service))
    table_.extend(warnings, machine.image_warnings(service, context.accel[service.vm.accel], context.facts.cpu_flags))
  end
  return warnings
end

--- All specs of a project in start order, with the leases they rest on.
---@param renewed table<string, boolean>?  services whose machines get the hardware of today
---@return table? result  {specs, leases, hosts, warnings}
---@return table? findings  {message, hint}[] when the host cannot run it
function M.specs(project, record, facts, renewed)
  local findings, warnings = {}, {}
  local context = { project = project, record = record, facts = facts, instances = M.list(project, record),
    renewed = renewed or {}, first_parts = {}, hosts_ids = {}, accel = machine.accelerators(project, facts, findings, warnings) }
  name_findings(context.instances, record, findings)
  rename_warnings(project, context.instances, warnings)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    if service.is_enabled ~= false then
      table_.extend(findings, machine.findings(service, facts))
    end
  end
  local leases, problems, notices = network.leases(project, context.instances, record, facts)
  context.leases = leases
  table_.extend(findings, problems)
  if #findings > 0 then return nil, findings end
  context.hosts = hosts_.of_project(project, context.instances, leases)
  local specs = all_specs(context)
  mac_findings(specs, findings)
  if #findings > 0 then return nil, findings end
  table_.extend(table_.extend(warnings, notices), app_warnings(project, context))
  return { specs = specs, leases = leases, hosts = context.hosts, warnings = warnings }
end

return M
