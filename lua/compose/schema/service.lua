--- services.*: one kind of machine, in any number. Data.
local cloud_init = require "holos.compose.schema.cloud_init"
local container_keys = require "holos.compose.schema.container_keys"
local depends = require "holos.compose.depends"
local healthcheck = require "holos.compose.schema.healthcheck"
local image = require "holos.compose.image"
local ports = require "holos.compose.ports"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local vm = require "holos.compose.schema.vm"
local volumes = require "holos.compose.volumes"

local port = schema.either {
  text = schema.parsed { accepts = { text = true }, parse = function(value) return ports.parse(value) end },
  integer = schema.parsed { accepts = { integer = true }, parse = function(value) return ports.parse(value) end },
  map = rules.long_port,
  hint = 'for example "8080:80"',
}

local long_mount = schema.record({
  { "type", schema.choice { values = { "bind", "volume" } }, required = true,
    meaning = "bind: a directory; volume: a disk." },
  { "source", schema.text {}, required = true, meaning = "Directory of the host, or name of a volume." },
  { "target", schema.text {}, required = true, meaning = "Absolute path in the guest." },
  { "read_only", schema.boolean {}, default = false, meaning = "The guest cannot change it." },
  { "driver", schema.choice { values = { "9p", "virtiofs" } },
    meaning = "How a directory is shared; absent: what the guest and the host can do best." },
  { "consistency", class = "ignored", reason = "a share is always consistent" },
  { "bind", class = "later" },
  { "volume", class = "later" },
  { "tmpfs", class = "later" },
  { "image", class = "later" },
}, {
  canonical = function(long, at)
    if not (long.type and long.source and long.target) then return nil end
    local mount, message, hint = volumes.from_long(long)
    if not mount then return at:report(message, hint) end
    return mount
  end,
})

local mount = schema.either {
  text = schema.parsed { accepts = { text = true }, parse = function(value) return volumes.parse(value) end },
  map = long_mount,
  hint = 'for example "./www:/srv/www:ro" or "data:/var/lib/data"',
}

local dependency = schema.record {
  { "condition", schema.parsed {
      accepts = { text = true }, wanted = "a condition",
      parse = function(value) return depends.parse_condition(value) end,
    }, default = "auto", meaning = "What to wait for; absent: healthy where there is a check, else started." },
  { "restart", schema.choice {
      values = { false }, wanted = "false (restarting with a dependency is not available yet)",
    }, meaning = "Only false for now." },
  { "required", schema.choice { values = { true }, wanted = "true (optional dependencies are not available yet)" },
    meaning = "Only true for now." },
}

local depends_on = schema.either {
  list = schema.list {
    of = rules.label,
    canonical = function(list, at)
      return depends.from_list(list, at.marks, function(position, name)
        at:enter(list, position)
        at:report(('"%s" is here twice'):format(name))
        at:leave()
      end)
    end,
  },
  map = schema.map { of = dependency, empty = function() return {} end },
}

local fields = {
  { "image", schema.text { wanted = "the path of a disk image", check = function(value) return image.check(value) end },
    required = true, change = "recreate", hint = "name a local qcow2 or raw file: image: ./debian.qcow2",
    meaning = "Disk image the root disk starts from: the path of a qcow2 or raw file. It is never written to." },
  { "image_format", schema.choice { values = { "qcow2", "raw" } }, change = "recreate",
    meaning = "Format of the image; absent: from the file's extension, or its first bytes." },
  { "image_os", schema.choice { values = { "systemd", "openrc", "plain" } }, default = "systemd", change = "recreate",
    meaning = "What runs in the guest: cloud-init on systemd or OpenRC, or plain: a guest without cloud-init." },
  { "replicas", schema.integer { least = 1, most = 253 }, default = 1, change = "live",
    meaning = "Number of instances, called web-0, web-1, …; adding or removing some never touches the others." },
  { "vm", vm, default = {}, meaning = "The machine." },
  { "ports", schema.list { of = port }, default = {}, change = "restart",
    meaning = "Published ports: [[IP:]HOST:]GUEST[/udp]. Replicas take the following host ports, one each." },
  { "volumes", schema.list { of = mount }, default = {}, change = "restart",
    meaning = "Mounts: SOURCE:TARGET[:ro]. A source that starts with \".\", \"/\" or \"~\" is a directory of the host, "
      .. "any other the name of a volume." },
  { "extends", rules.extends, meaning = "The service that this one is laid over." },
  { "depends_on", depends_on, default = {}, change = "live", meaning = "Services that must be there first." },
  { "cloud_init", cloud_init, meaning = "What is done in the guest at its first start." },
  { "stop_grace_period", schema.duration {}, default = 30000, unit = "ms", change = "live",
    meaning = "Time a guest has to power off before it is switched off." },
  { "healthcheck", healthcheck, meaning = "Tells whether the guest does its work." },
  { "labels", rules.pairs, default = {}, change = "live", meaning = "Words of your own, for filters and scripts." },
  { "protect", schema.boolean {}, default = false, change = "live",
    meaning = "Refuse everything that would take the disks of these instances away." },
  { "console_login", schema.choice { values = { "none", "autologin" } }, default = "none", change = "restart",
    meaning = "Who may log in on the console socket: nobody without a password, or everybody." },
}
for _, key in ipairs(container_keys) do fields[#fields + 1] = key end

return schema.record(fields)
