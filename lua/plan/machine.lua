--- The machine of an instance: CPU, memory, disk, firmware, kernel, CD-ROMs, clock. Pure.
local accel = require "holos.plan.accel"
local lazy = require "holos.core.lazy"
local quirks_ = lazy "holos.plan.quirks"
local table_ = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

local DEFAULT_MEMORY_MIB = 512
local DEFAULT_DISK_BYTES = 20 << 30
local SECTOR_BYTES = 512
local READABLE_BY_OTHERS = 4

--- The memory of a service: what the file says, else as much as most guests need, or its image is known to need.
function M.memory_mib(service)
  return service.vm.memory_mib or math.max(DEFAULT_MEMORY_MIB, service.image and service.image.least_memory_mib or 0)
end

--- What is to be said of a memory that an image is not known to start with; nil when there is nothing.
---@return string?
function M.memory_warning(service)
  local least, given = service.image and service.image.least_memory_mib, service.vm.memory_mib
  if not least or not given or given >= least then return nil end
  return ("%s: %s is said to want %s of memory, and gets %s"):format(service.name, service.image.shown or service.image.name,
    units.format_bytes(least << 20), units.format_bytes(given << 20))
end

--- What is to be said of a machine and what its image is known to want.
---@param cpu_flags table<string, boolean>?  of the host's processor
---@return string[]
function M.image_warnings(service, picked, cpu_flags)
  local list = { M.memory_warning(service) }
  if service.is_enabled == false or not (service.image and service.image.quirks) then return list end
  return table_.extend(list, quirks_.warnings(service, picked, cpu_flags))
end

--- Root disks are at least as large as their base and sparse; whole sectors.
function M.disk_bytes(wanted, base_bytes)
  local bytes = wanted or math.max(base_bytes, DEFAULT_DISK_BYTES)
  return (bytes + SECTOR_BYTES - 1) // SECTOR_BYTES * SECTOR_BYTES
end

--- Hardware is recorded at creation and kept across upgrades of QEMU, unless the file asks for other hardware.
local function machine_of(wanted, recorded, machines)
  if recorded and recorded.vm.machine_wanted == wanted then return recorded.vm.machine end
  return machines[wanted] or wanted
end

--- Whether the firmware is the host's UEFI, with variables of its own.
local function is_uefi(service)
  local firmware = service.boot and service.boot.firmware
  if firmware then return firmware == "uefi" end
  return service.vm.uefi
end

--- Accelerators for each word that vm.accel can be, resolved once; findings and warnings for those in use.
function M.accelerators(project, facts, findings, warnings)
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

--- `vm` of a spec.
---@param context table   {facts, accel = {auto=…, kvm=…, tcg=…}}
---@param recorded table?  the spec that the record holds
function M.vm(context, service, recorded)
  local vm, facts = service.vm, context.facts
  local chosen = context.accel[vm.accel]
  local model = accel.cpu_model(vm.cpu_model, chosen)
  if recorded and recorded.vm.accel == chosen and recorded.vm.cpu_model_wanted == vm.cpu_model then
    model = recorded.vm.cpu_model
  end
  return {
    vcpu = vm.vcpu, cpu_quota = vm.cpu_quota, memory_mib = M.memory_mib(service), accel = chosen,
    uefi = is_uefi(service), machine = machine_of(vm.machine, recorded, facts.qemu.machines), machine_wanted = vm.machine,
    cpu_model = model, cpu_model_wanted = vm.cpu_model,
    extra_args = vm.extra_args, allow_paths = vm.allow_paths, run_as_root = vm.run_as_root,
    watchdog = vm.watchdog, vga = M.has_quirk(service, "needs_vga"),
  }
end

--- Whether something odd is known of a service's image; nil when not.
function M.has_quirk(service, name)
  local quirks = service.image and service.image.quirks
  return quirks and quirks[name] or nil
end

--- `boot` of a spec: what is started instead of what the disk holds; nil where the disk decides.
---@return {kernel: string?, initrd: string?, cmdline: string?, firmware: string?}?
function M.boot(service)
  local wanted = service.boot
  if not wanted then return nil end
  local firmware = wanted.firmware
  if firmware == "bios" or firmware == "uefi" then firmware = nil end
  local boot = { kernel = wanted.kernel, initrd = wanted.initrd, cmdline = wanted.cmdline, firmware = firmware }
  return next(boot) and boot or nil
end

--- `cdroms` of a spec. What installs a system on a blank disk is started from as long as the disk is blank: were it the
--- first, each start would install again.
function M.cdroms(service)
  local list = table_.map(service.cdroms or {}, function(cdrom)
    local installs = cdrom.is_iso and not service.image
    return { path = cdrom.path, boot_index = not installs and cdrom.boot_index or nil }
  end)
  return #list > 0 and list or nil
end

--- Files of the host that a machine needs beside its image.
---@return {path: string, what: string, by_name: boolean?}[]  by_name: QEMU opens it itself
function M.host_files(service)
  local files, boot = {}, M.boot(service) or {}
  for _, what in ipairs { "kernel", "initrd", "firmware" } do
    if boot[what] then files[#files + 1] = { path = boot[what], what = "boot." .. what, by_name = what ~= "firmware" } end
  end
  for _, cdrom in ipairs(service.cdroms or {}) do files[#files + 1] = { path = cdrom.path, what = "cdrom" } end
  return files
end

--- The paths of a project's kernels, initial RAM disks, firmware and CD-ROMs; facts are gathered about each.
---@return string[]
function M.files(project)
  local seen = {}
  for _, service in pairs(project.services) do
    for _, file in ipairs(service.is_enabled ~= false and M.host_files(service) or {}) do seen[file.path] = true end
  end
  return table_.keys(seen)
end

local function file_problem(file, stat, facts, service)
  if not stat or stat.error then return stat and stat.error or ("%s: was not looked at"):format(file.path) end
  if stat.type ~= "file" then return ("%s: is a %s, not a file"):format(file.path, stat.type) end
  local drops_rights = facts.uid == 0 and not service.vm.run_as_root
  if file.by_name and drops_rights and stat.mode & READABLE_BY_OTHERS == 0 then
    return ("%s: not everybody may read it, and QEMU runs without root's rights"):format(file.path),
      ("chmod o+r %s, or name a copy"):format(file.path)
  end
end

local function platform_problem(service, facts)
  local wanted = service.platform and service.platform.architecture
  if wanted and facts.architecture and wanted ~= facts.architecture then
    return ("%s: platform asks for %s, and this host is %s: other architectures are not available yet"):format(service.name,
      wanted, facts.architecture)
  end
end

--- What a service's machine asks for that this host cannot give.
---@return {message: string, hint: string?}[]
function M.findings(service, facts)
  local findings = {}
  if is_uefi(service) and not facts.firmware then
    findings[1] = { message = service.name .. ": vm.uefi is true, but there is no UEFI firmware on this host",
      hint = "sudo apt install ovmf, or name it with HOLOS_OVMF_CODE and HOLOS_OVMF_VARS" }
  end
  for _, file in ipairs(M.host_files(service)) do
    local message, hint = file_problem(file, (facts.files or {})[file.path], facts, service)
    if message then
      findings[#findings + 1] = { message = ("%s: %s: %s"):format(service.name, file.what, message), hint = hint }
    end
  end
  local message = platform_problem(service, facts)
  if message then findings[#findings + 1] = { message = message } end
  return findings
end

return M
