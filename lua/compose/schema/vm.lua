--- services.*.vm: the machine itself. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local WATCHDOGS = { pause = true, reset = true, poweroff = true }

local watchdog = schema.parsed {
  accepts = { boolean = true, text = true }, wanted = "true, false or what a watchdog does",
  values = { "pause", "reset", "poweroff" },
  parse = function(value)
    if type(value) == "boolean" then return value and "pause" end
    if WATCHDOGS[value] then return value end
    return nil, ('expected true, false, "pause", "reset" or "poweroff", got "%s"'):format(value)
  end,
}

return schema.record {
  { "vcpu", schema.integer { least = 1, most = 288 }, default_text = "1", change = "restart", -- QEMU 7.2: q35 has at most 288
    meaning = "Virtual CPUs of each instance. One is faster than two where there is no KVM." },
  { "memory_mb", schema.integer { least = 64, most = 16777216, hint = "it counts MiB; with a unit it is written memory: 2G" },
    unit = "MiB", change = "restart", default_text = "512 MiB, or what the image needs",
    meaning = "Memory of each instance." },
  { "memory", schema.size { least_bytes = 64 << 20 }, unit = "bytes", change = "restart", same_as = "vm.memory_mb",
    meaning = "The same with a unit: 2G." },
  { "disk_size", schema.size { least_bytes = 1 << 20 }, change = "restart", unit = "bytes",
    default_text = "20 GiB, or the image's size when that is larger",
    meaning = "Size of the root disk, which grows sparsely. A larger size grows the disk at the next start; a smaller one "
      .. "needs a new disk." },
  { "disk", schema.size { least_bytes = 1 << 20 }, unit = "bytes", change = "restart", same_as = "vm.disk_size",
    meaning = "The same as disk_size." },
  { "machine", schema.text { pattern = "[%w][%w._-]*", wanted = "a machine type of QEMU such as \"q35\"" },
    default = "q35", change = "restart",
    meaning = "Machine type. The exact version is recorded when an instance is made, and kept." },
  { "cpu_model", schema.text { pattern = "[%w][%w._+,=-]*", wanted = "a CPU model of QEMU such as \"host\"" },
    change = "restart", default_text = "\"host\" with KVM, \"max\" without", meaning = "CPU model." },
  { "accel", schema.choice { values = { "auto", "kvm", "tcg" } }, default = "auto", change = "restart",
    meaning = "How the CPU is run: kvm, tcg (software, slow), or auto: KVM where it is usable." },
  { "uefi", schema.boolean {}, default = false, change = "restart",
    meaning = "Start by UEFI firmware instead of BIOS." },
  { "extra_args", schema.list { of = schema.text {}, words_hint = 'each word is an item: ["-device", "virtio-gpu-pci"]' },
    default = {}, change = "restart",
    meaning = "Arguments put at the end of QEMU's command line as they are." },
  { "allow_paths", schema.list { of = rules.host_path }, default = {}, change = "restart",
    meaning = "Further host paths that QEMU may open, for what extra_args names." },
  { "run_as_root", schema.boolean {}, default = false, change = "restart",
    meaning = "Keep QEMU's root rights when root starts it. For devices that need them." },
  { "watchdog", watchdog, default_text = "false", change = "restart",
    meaning = "A watchdog device (i6300esb) that the guest feeds by itself. What happens to a guest that has not fed it for a "
      .. "minute: pause (or true) leaves it to restart, as after a panic; reset starts its system again; poweroff ends the "
      .. "machine." },
}
