--- volumes.*: named disks that outlive their instances. Data.
local schema = require "holos.core.schema"

return schema.record {
  { "size", schema.size { least_bytes = 1 << 20 }, default = 10 << 30, unit = "bytes", change = "live",
    meaning = "Size of the disk, which grows sparsely. Only new volumes take it." },
  { "name", class = "later" },
  { "external", class = "later" },
  { "labels", class = "later" },
  { "format", class = "later" },
  { "fs", class = "later" },
  { "driver", class = "later", reason = "volumes are local disks" },
  { "driver_opts", class = "later" },
}
