--- The machine of a service: image, vm, boot, CD-ROMs, clock, platform. Pure.
local image = require "holos.compose.image"
local tables = require "holos.core.table"

local M = {}

--- What the root disk starts from; nil when it is blank.
function M.image(service, facts)
  if not service.image then return nil end
  local format = service.image_format or image.format_of(service.image) or facts.sniff(service.image) or "qcow2"
  return { path = service.image, format = format, os = service.image_os }
end

--- `vm` without the sizes, which holos.compose.normalize.sizes lays in.
function M.vm(vm)
  return {
    machine = vm.machine, cpu_model = vm.cpu_model, accel = vm.accel, uefi = vm.uefi, extra_args = vm.extra_args,
    allow_paths = vm.allow_paths, run_as_root = vm.run_as_root, watchdog = vm.watchdog or nil,
    vcpu = 1, memory_mib = nil, disk_bytes = nil, -- room for the sizes: a table that grows is made anew
  }
end

local fillers = {}

function fillers.boot(made, boot, context, service)
  made.boot = { kernel = boot.kernel, initrd = boot.initrd, cmdline = boot.cmdline, firmware = boot.firmware }
  if boot.firmware == "bios" and service.vm.uefi then
    context.report({ "services", made.name, "boot", "firmware" }, "says bios, and vm.uefi is true", "keep one of them")
  end
end

function fillers.cdrom(made, cdroms)
  made.cdroms = tables.extend(made.cdroms or tables.list {}, tables.filter(cdroms, function(cdrom) return cdrom end))
end

-- First in the order of everything that is started from.
function fillers.iso(made, path)
  made.cdroms = made.cdroms or tables.list {}
  table.insert(made.cdroms, 1, { path = path, boot_index = 0, is_iso = true })
end

function fillers.rtc(made, rtc) made.rtc = rtc end

function fillers.platform(made, platform)
  made.platform = { os = platform.os, architecture = platform.architecture }
end

--- By key of the service: function(made, value, context, service).
M.fillers = fillers

return M
