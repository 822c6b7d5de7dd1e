--- The machine of a service: image, vm, boot, CD-ROMs, clock, platform. Pure.
local reference = require "holos.image.reference"
local tables = require "holos.core.table"

local M = {}

local NO_FORMAT_OF_ADDRESS <const> = "leave it out; a raw disk whose address does not end in .raw has to be fetched, and taken in "
  .. "by holos images import FILE NAME --image-format raw"

-- One of the image store: what it is known to be is handed in, and does not depend on whether it is there already.
local function named_image(name, service, context)
  if service.image_format then
    context.report({ "services", name, "image_format" }, "an image of the store has its format; this is for paths",
      service.image:find("://", 1, true) and NO_FORMAT_OF_ADDRESS or "leave it out")
  end
  local known, message, hint = context.facts.image(service.image)
  if message then context.report({ "services", name, "image" }, message, hint) end
  local image = tables.copy(known or {})
  image.name = service.image
  image.os = service.image_os or image.os or "systemd"
  return image
end

--- What the root disk starts from; nil when it is blank.
---@return {path: string?, format: string?, os: string, name: string?, digest: string?, user: string?, family: string?,
---  share_driver: string?, least_memory_mib: integer?, quirks: table?, host: string?}?
function M.image(name, service, context)
  local named, facts = service.image, context.facts
  if not named then return nil end
  if not reference.is_path(named) then return named_image(name, service, context) end
  local format = service.image_format or reference.format_of(named) or facts.sniff(named) or "qcow2"
  return { path = named, format = format, os = service.image_os or "systemd" }
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
