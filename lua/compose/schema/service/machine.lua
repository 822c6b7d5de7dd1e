--- Keys of services that say what machine it is. Data.
local reference = require "holos.image.reference"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local vm = require "holos.compose.schema.vm"

local cloud_init = schema.lazy(function() return require "holos.compose.schema.cloud_init" end)

local function boot(name)
  return schema.lazy(function() return require "holos.compose.schema.boot" end, name)
end

local function device(name)
  return schema.lazy(function() return require "holos.compose.schema.device" end, name)
end

-- Without an image the root disk is blank, which is of use where something else is started.
local function needs_image(service)
  local boot_ = service.boot
  return not (service.build or service.dockerfile or service.iso or service.cdrom or boot_ and boot_.kernel)
end

local function check_image(text)
  local named, message, hint = reference.parse(text)
  if not named then return message, hint end
end

local instances = schema.integer { least = 0, most = 253 }
local size = schema.size { least_bytes = 64 << 20 }
local cpu_number = schema.integer { least = 0 }
local NO_CGROUPS = "the host's scheduler shares the CPUs out"

return { title = "The machine",
  { "image", schema.text { wanted = "the name or the path of a disk image", check = check_image },
    required = needs_image, change = "recreate", hint = "name a system, image: debian:12, or a local file, image: ./debian.qcow2",
    meaning = "Disk image the root disk starts from: the name of one in the image store (debian:12), its digest (sha256:…), or "
      .. "the path of a qcow2 or raw file. It is never written to. Container images are refused by name." },
  { "image_format", schema.choice { values = { "qcow2", "raw" } }, change = "recreate", own = true,
    default_text = "from the extension, or the first bytes", meaning = "Format of an image that is named by its path." },
  { "image_os", schema.choice { values = { "systemd", "openrc", "plain" } }, change = "recreate", own = true,
    default_text = "what is known of the image, else systemd",
    meaning = "What runs in the guest: cloud-init on systemd or OpenRC, or plain: a guest without cloud-init." },
  { "platform", boot "platform", change = "recreate", default_text = "this host's",
    meaning = "linux/amd64 or linux/arm64: what the image is for." },
  { "replicas", instances, default_text = "1", change = "live", own = true,
    meaning = "Number of instances, called web-0, web-1, …; adding or removing some never touches the others. 0: none, and "
      .. "nobody waits for them." },
  { "scale", instances, change = "live", same_as = "replicas", meaning = "The same as replicas." },
  { "vm", vm, default = {}, own = true, meaning = "The machine." },
  { "cpus", rules.cpus, change = "restart", same_as = "vm.vcpu",
    meaning = "Virtual CPUs, rounded up, where vm.vcpu does not say it. A fraction of their time is not enforced yet." },
  { "cpu_count", schema.integer { least = 1, most = 288 }, change = "restart", same_as = "vm.vcpu",
    meaning = "The same as vm.vcpu." },
  { "memory", size, unit = "bytes", change = "restart", own = true, same_as = "vm.memory_mb",
    meaning = "The same as vm.memory: 2G." },
  { "mem_limit", size, unit = "bytes", change = "restart", same_as = "vm.memory_mb", meaning = "The same as vm.memory." },
  { "mem_reservation", schema.size { least_bytes = 1 << 20 }, unit = "bytes", change = "restart",
    same_as = "vm.memory_mb",
    meaning = "Memory of each instance where no limit is named; a machine has all of its memory to itself." },
  { "storage_opt", schema.record {
      { "size", schema.size { least_bytes = 1 << 20 }, unit = "bytes", change = "restart",
        same_as = "vm.disk_size", meaning = "The same as vm.disk_size." },
    }, change = "restart", same_as = "vm.disk_size", meaning = "The root disk." },
  { "boot", boot "boot", change = "restart", own = true,
    meaning = "Start a Linux kernel of this host directly, or choose the firmware." },
  { "cdrom", boot "cdrom", change = "restart", own = true,
    meaning = "ISO images in CD-ROM drives: a path, {path, boot_index}, or a list of them." },
  { "iso", rules.host_path, change = "restart", own = true,
    meaning = "An ISO image that the machine starts from, before its root disk; after it where that has no image yet." },
  { "rtc", boot "rtc", change = "restart", own = true, default_text = "utc",
    meaning = "What the machine's clock shows at its start: utc, localtime, or a time." },
  { "devices", device "devices", class = "later", change = "restart",
    reason = "QEMU options can be given in vm.extra_args", meaning = "Devices of the host for the guest." },
  { "gpus", device "gpus", class = "later", change = "restart",
    reason = "QEMU options can be given in vm.extra_args", meaning = "GPUs of the host for the guest." },
  { "cpuset", schema.text { pattern = "[%d,-]+", wanted = 'CPUs of the host such as "0-3,5"' }, class = "later",
    change = "restart", meaning = "CPUs of the host to run on." },
  { "cpu_shares", cpu_number, class = "later", reason = NO_CGROUPS, change = "live", meaning = "Share of CPU time." },
  { "cpu_quota", cpu_number, class = "later", reason = NO_CGROUPS, change = "live", meaning = "CPU time in a period." },
  { "cpu_period", cpu_number, class = "later", reason = NO_CGROUPS, change = "live", meaning = "Length of a period." },
  { "cpu_percent", schema.integer { least = 0, most = 100 }, class = "later", reason = NO_CGROUPS, change = "live",
    meaning = "Share of all CPUs." },
  { "oom_score_adj", schema.integer { least = -1000, most = 1000 }, class = "later", change = "live",
    meaning = "How soon the host kills the machine when memory runs out." },
  { "blkio_config", schema.lazy(function() return require "holos.compose.schema.logging" end, "blkio"), class = "later",
    change = "live", meaning = "Limits of disk access." },
  { "read_only", schema.boolean {}, class = "later", idle = false, change = "restart",
    meaning = "A root disk that forgets at every stop." },
  { "cloud_init", cloud_init, own = true, meaning = "What is done in the guest at its first start." },
}
