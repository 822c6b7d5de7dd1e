--- Instance specs: what each VM of a project is to be, from the project, its record and facts about the host. Pure.
--- A spec is plain data and is kept in the record, so that start, stop and restart need no compose file.
local accel = require "holos.plan.accel"
local hosts_ = require "holos.plan.hosts"
local identity = require "holos.plan.identity"
local lease = require "holos.plan.lease"
local ports = require "holos.plan.ports"
local seed = require "holos.plan.seed"
local table_ = require "holos.core.table"
local volumes = require "holos.compose.volumes"

local M = {}

--- Counts the layout of argv: a VM keeps the generation that it was created with.
M.GENERATION = 1

local DEFAULT_MEMORY_MIB = 512
local DEFAULT_DISK_BYTES = 20 << 30
local SECTOR_BYTES = 512

--- Instance names of a project in start order: "db-0", "web-0", "web-1".
function M.names(project)
  local names = {}
  for _, service_name in ipairs(project.order) do
    for index = 0, project.services[service_name].replicas - 1 do names[#names + 1] = service_name .. "-" .. index end
  end
  return names
end

--- The login user where the file names none: plain guests have root only, the seed's default is ubuntu.
function M.default_user(os) return os == "plain" and "root" or "ubuntu" end

--- Root disks are at least as large as their base and sparse; whole sectors.
function M.disk_bytes(wanted, base_bytes)
  local bytes = wanted or math.max(base_bytes, DEFAULT_DISK_BYTES)
  return (bytes + SECTOR_BYTES - 1) // SECTOR_BYTES * SECTOR_BYTES
end

local function mounts_of(service, facts)
  local mounts = table_.list {}
  for position, mount in ipairs(service.mounts) do
    local copy = table_.copy(mount)
    if mount.kind == "volume" then
      copy.serial = identity.volume_serial(facts.sha256, mount.volume)
    else
      copy.tag = "share" .. (position - 1)
      copy.driver = volumes.driver(mount, service.image.os)
    end
    mounts[position] = copy
  end
  return mounts
end

local function nics_of(context, name)
  local facts, project = context.facts, context.project
  local network = context.network
  return table_.list {
    { kind = "user", mac = identity.mac(facts.sha256, project.name, name, 0) },
    { kind = "mcast", network = "default", mac = identity.mac(facts.sha256, project.name, name, 1),
      address = context.addresses[name], prefix = 24, group = network.group, port = network.port },
  }
end

--- Hardware is recorded at creation and kept across upgrades of QEMU, unless the file asks for other hardware.
local function machine_of(wanted, recorded, machines)
  if recorded and recorded.vm.machine_wanted == wanted then return recorded.vm.machine end
  return machines[wanted] or wanted
end

local function vm_of(context, service, recorded)
  local vm, facts = service.vm, context.facts
  local chosen = context.accel[vm.accel]
  local model = accel.cpu_model(vm.cpu_model, chosen)
  if recorded and recorded.vm.accel == chosen and recorded.vm.cpu_model_wanted == vm.cpu_model then
    model = recorded.vm.cpu_model
  end
  return {
    vcpu = vm.vcpu, memory_mib = vm.memory_mib or DEFAULT_MEMORY_MIB, accel = chosen, uefi = vm.uefi,
    machine = machine_of(vm.machine, recorded, facts.qemu.machines), machine_wanted = vm.machine,
    cpu_model = model, cpu_model_wanted = vm.cpu_model,
    extra_args = vm.extra_args, allow_paths = vm.allow_paths, run_as_root = vm.run_as_root,
  }
end

--- An instance-id changes when, and only when, the first part of the seed changes: cloud-init then runs it again. The
--- instances of a service have one first part.
local function instance_id(context, spec)
  local first = context.first_parts[spec.service] or seed.first_hash_input(spec)
  context.first_parts[spec.service] = first
  return "i-" .. context.facts.sha256(spec.uuid .. "\n" .. first):sub(1, 16)
end

--- The spec of one instance.
---@param context table  {project, record, facts, network, addresses, hosts_id, accel = {auto=…, kvm=…, tcg=…},
---                       first_parts = {} by service, filled here}
function M.spec(context, service, index)
  local project, facts = context.project, context.facts
  local name = service.name .. "-" .. index
  local known = context.record.instances[name]
  local recorded = known and known.spec
  local base = facts.images[service.image.path]
  local spec = {
    generation = recorded and recorded.generation or M.GENERATION,
    project = project.name, service = service.name, index = index, name = name, hostname = name,
    uuid = recorded and recorded.uuid or identity.uuid(facts.sha256, project.name, name),
    user = service.cloud_init.user or M.default_user(service.image.os),
    image = { path = service.image.path, format = service.image.format, os = service.image.os,
      size_bytes = base.size_bytes, mtime_ns = base.mtime_ns, inode = base.inode },
    disk_bytes = M.disk_bytes(service.vm.disk_bytes, base.size_bytes),
    vm = vm_of(context, service, recorded), nics = nics_of(context, name), ports = ports.of_instance(service, index),
    mounts = mounts_of(service, facts), hosts_id = context.hosts_id, cloud_init = service.cloud_init,
    healthcheck = service.healthcheck, stop_grace_ms = service.stop_grace_ms, labels = service.labels,
    console_login = service.console_login, protect = service.protect, depends_on = service.depends_on,
  }
  spec.instance_id = instance_id(context, spec)
  return spec
end

--- Accelerators for each word that vm.accel can be, resolved once; findings and warnings for those in use.
local function accelerators(project, facts, findings, warnings)
  local chosen = {}
  for _, name in ipairs(project.order) do
    local wanted = project.services[name].vm.accel
    if chosen[wanted] == nil then
      local picked, text, hint = accel.resolve(wanted, facts.kvm)
      chosen[wanted] = picked or false
      if not picked then findings[#findings + 1] = { message = text, hint = hint } end
      if picked and text then warnings[#warnings + 1] = text end
    end
  end
  return chosen
end

--- All specs of a project in start order, with the leases they rest on.
---@return table? result  {specs, network, addresses, hosts, warnings}
---@return table? findings  {message, hint}[] when the host cannot run it
function M.specs(project, record, facts)
  local findings, warnings = {}, {}
  local accel_by_word = accelerators(project, facts, findings, warnings)
  for _, name in ipairs(project.order) do
    if project.services[name].vm.uefi and not facts.firmware then
      findings[#findings + 1] = { message = name .. ": vm.uefi is true, but there is no UEFI firmware on this host",
        hint = "sudo apt install ovmf, or name it with HOLOS_OVMF_CODE and HOLOS_OVMF_VARS" }
    end
  end
  local network, notice = lease.network(project, record, facts)
  if not network then return nil, { { message = notice } } end
  if notice then warnings[#warnings + 1] = ("%s; %s is used"):format(notice, network.subnet) end
  local addresses, message = lease.addresses(M.names(project), record.leases.addresses, network.subnet)
  if not addresses then findings[#findings + 1] = { message = message } end
  if #findings > 0 then return nil, findings end
  local hosts = hosts_.of_project(project, addresses)
  local context = { project = project, record = record, facts = facts, network = network, addresses = addresses,
    hosts_id = hosts_.id(facts.sha256, hosts), accel = accel_by_word, first_parts = {} }
  local specs = {}
  for _, service_name in ipairs(project.order) do
    local service = project.services[service_name]
    for index = 0, service.replicas - 1 do specs[#specs + 1] = M.spec(context, service, index) end
  end
  return { specs = specs, network = network, addresses = addresses, hosts = hosts, warnings = warnings }
end

return M
