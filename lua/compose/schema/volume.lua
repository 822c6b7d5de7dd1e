--- volumes.*: named disks that outlive their instances. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local external = schema.lazy(function() return require "holos.compose.schema.external" end)

local driver = schema.parsed {
  accepts = { text = true }, wanted = '"local"', values = { "local" },
  parse = function(value)
    if value == "local" then return value end
    return nil, ('driver "%s" is not for VMs: volumes are disks of this host'):format(value), "leave the line out"
  end,
}

return schema.record({
  { "size", schema.size { least_bytes = 1 << 20 }, default_text = "10 GiB", unit = "bytes", change = "live", own = true,
    meaning = "Size of the disk, which takes room as it is written to. A larger one makes the disk and its file system grow, "
      .. "also while the machine runs; a smaller one is refused. Without it a volume stays as large as it is." },
  { "name", rules.name, change = "restart", default_text = "the key",
    meaning = "Name under which it is kept, in the project's own volumes. Another name is another volume: the old one stays." },
  { "external", external, class = "later", idle = false, change = "recreate",
    reason = "leave the line out: the project keeps the volume, and only down -v takes it", default_text = "false",
    meaning = "It exists already: up makes none, and down leaves it." },
  { "labels", rules.pairs, change = "live", meaning = "Words of your own, for filters and scripts." },
  { "fs", schema.choice { values = { "ext4", "xfs" } }, default_text = "ext4", own = true, change = "live",
    meaning = "File system that a new volume gets; a volume that is there keeps its own. xfs takes 300 MiB at least, and "
      .. "xfsprogs in the image." },
  { "format", schema.choice { values = { "qcow2" } }, default_text = "qcow2", own = true, change = "recreate",
    meaning = "Format of the disk's file." },
  { "driver", driver, change = "recreate", default_text = "local", meaning = "There is one." },
  { "driver_opts", rules.pairs, class = "later", change = "recreate",
    reason = 'to share a directory of the host, mount it: "./data:/var/lib/data"', meaning = "Options of the driver." },
}, {
  canonical = function(value, at)
    if not value.external then return value end
    for _, key in ipairs { "labels", "driver", "driver_opts" } do
      if value[key] ~= nil then at:report(("an external volume has no %s"):format(key)) end
    end
    return value
  end,
})
