--- Sections of QEMU's command line that say what a machine starts from: firmware, kernel, CD-ROMs, clock. Pure.
local cause = require "holos.plan.qemu.cause"

local M = {}

local ROOT_DISK_INDEX = 1

--- A file that QEMU opens by name: no option of 7.2 takes a kernel as a descriptor, but /proc/self/fd leads to one, so
--- that no directory on the way has to be open to QEMU.
local function named_descriptor(b, path)
  b.landlock[#b.landlock + 1] = { path = path, access = "read" }
  return "/proc/self/fd/" .. b:descriptor { role = "read", path = path }
end

local function file_node(b, why, node, what)
  local file = b:fdset(what, why)
  local flags = what.role == "read" and ",read-only=on,auto-read-only=off" or ""
  b:option(why, "-blockdev", ("driver=file,node-name=%s-file,filename=%s%s"):format(node, file, flags))
end

-- Firmware that the file names: a whole one, without variables that are kept.
local function named_firmware(b, file)
  local why = cause.key "boot.firmware"
  file_node(b, why, "firmware", { role = "read", path = file })
  b:option(why, "-blockdev", "driver=raw,node-name=firmware,file=firmware-file,read-only=on")
  b:option(why, "-machine", "pflash0=firmware")
end

--- The host's UEFI with variables of the instance's own, or the firmware that the file names.
function M.firmware(b)
  if b.spec.boot and b.spec.boot.firmware then return named_firmware(b, b.spec.boot.firmware) end
  if not b.spec.vm.uefi then return end
  local why = cause.key { "boot.firmware", "vm.uefi" }
  local code = b:fdset({ role = "read", path = b.host.firmware.code }, why)
  local vars = b:fdset({ role = "write", name = "uefi-vars.fd" }, why)
  b:option(why, "-blockdev", ("driver=file,node-name=uefi-code-file,filename=%s,read-only=on,auto-read-only=off"):format(code))
  b:option(why, "-blockdev", "driver=raw,node-name=uefi-code,file=uefi-code-file,read-only=on")
  b:option(why, "-blockdev", ("driver=file,node-name=uefi-vars-file,filename=%s"):format(vars))
  b:option(why, "-blockdev", "driver=raw,node-name=uefi-vars,file=uefi-vars-file")
  b:option(why, "-machine", "pflash0=uefi-code,pflash1=uefi-vars")
end

--- Direct kernel boot.
function M.kernel(b)
  local boot = b.spec.boot
  if not boot or not boot.kernel then return end
  b:option(cause.key "boot.kernel", "-kernel", named_descriptor(b, boot.kernel))
  if boot.initrd then b:option(cause.key "boot.initrd", "-initrd", named_descriptor(b, boot.initrd)) end
  if boot.cmdline then b:option(cause.key "boot.cmdline", "-append", boot.cmdline) end
end

--- The root disk's place among what is started from: after all CD-ROMs that have a number.
---@param cdroms {boot_index: integer?}[]?
function M.root_index(cdroms)
  local index = ROOT_DISK_INDEX
  for _, cdrom in ipairs(cdroms or {}) do
    if cdrom.boot_index then index = math.max(index, cdrom.boot_index + 1) end
  end
  return index
end

--- CD-ROMs on virtio-scsi: guests that see our disks have its driver, and Debian's cloud kernel has none for AHCI.
--- Those without a number are started from when the disk cannot be.
function M.cdroms(b)
  local cdroms = b.spec.cdroms or {}
  if #cdroms == 0 then return end
  local last = M.root_index(cdroms)
  b:option(cause.items("cdrom", { 1 }), "-device", "virtio-scsi-pci,id=scsi")
  for position, cdrom in ipairs(cdroms) do
    local node, index, why = "cdrom" .. (position - 1), cdrom.boot_index, cause.items("cdrom", { position })
    if not index then last, index = last + 1, last + 1 end
    file_node(b, why, node, { role = "read", path = cdrom.path })
    b:option(why, "-blockdev", ("driver=raw,node-name=%s,file=%s-file,read-only=on"):format(node, node))
    b:option(why, "-device", ("scsi-cd,id=%s-drive,bus=scsi.0,drive=%s,bootindex=%d"):format(node, node, index))
  end
end

--- The clock that the guest finds at its start; UTC unless something is asked for.
function M.clock(b)
  if b.spec.rtc then b:option(cause.key "rtc", "-rtc", "base=" .. b.spec.rtc) end
end

return M
