--- services.*.boot, cdrom, iso, rtc and platform: what a machine starts from, and as what. Data.
local machine = require "holos.compose.machine"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local short_path = require "holos.compose.schema.short_path"

local M = {}

M.boot = schema.record({
  { "kernel", rules.host_path, change = "restart",
    meaning = "Linux kernel of this host that is started directly, without boot loader." },
  { "initrd", rules.host_path, change = "restart", meaning = "Initial RAM disk for that kernel." },
  { "cmdline", rules.line, change = "restart", meaning = "Command line of that kernel." },
  { "firmware", schema.parsed {
      accepts = { text = true }, wanted = '"bios", "uefi" or the path of a firmware image',
      parse = function(value) return machine.parse_firmware(value) end,
    }, change = "restart", default_text = "as vm.uefi says", meaning = "bios, uefi, or the path of a firmware image." },
}, {
  canonical = function(value, at)
    for _, key in ipairs { "initrd", "cmdline" } do
      if value[key] and not value.kernel then
        at:enter(value, key)
        at:report(("%s goes with a kernel, and there is none"):format(key))
        at:leave()
      end
    end
    return value
  end,
})

local cdrom = schema.record {
  { "path", rules.host_path, required = true, meaning = "ISO image." },
  { "boot_index", schema.integer { least = 0, most = 100 },
    meaning = "Place in the order that firmware starts from: the smallest first, the root disk after all that have one." },
}

M.cdrom = rules.one_or_more(schema.either { text = short_path.rule {}, map = cdrom })

M.rtc = schema.parsed {
  accepts = { text = true }, wanted = 'utc, localtime or a time such as "2026-01-31T12:00:00"',
  parse = function(value) return machine.parse_rtc(value) end,
}

M.platform = schema.parsed {
  accepts = { text = true }, wanted = "a platform such as linux/amd64",
  parse = function(value) return machine.parse_platform(value) end, form = "platform",
}

return M
