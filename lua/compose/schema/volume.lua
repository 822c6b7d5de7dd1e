--- volumes.*: named disks that outlive their instances. Data.
local lazy = require "holos.core.lazy"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local driver_options = lazy "holos.compose.driver_options"

local external = schema.lazy(function() return require "holos.compose.schema.external" end)

local driver = schema.parsed {
  accepts = { text = true }, wanted = '"local"', values = { "local" },
  parse = function(value)
    if value == "local" then return value end
    return nil, ('driver "%s" is not for VMs: volumes are disks of this host'):format(value), "leave the line out"
  end,
}

local OF_OWN = { "size", "labels", "fs", "device", "format", "driver", "driver_opts" }

-- Whoever names a volume of others has nothing to say on it.
local function check_external(value, at)
  for _, key in ipairs(OF_OWN) do
    if value[key] ~= nil then at:report(("an external volume has no %s"):format(key)) end
  end
end

local LEAST_XFS = 300 << 20

-- What a disk of the host has, nobody can say otherwise.
local function check_device(value, at)
  if value.format == "raw" and not value.device then
    at:report("format: raw is for a disk that device names", "leave the line out: volumes that holos keeps are qcow2")
  elseif value.format == "qcow2" and value.device then
    at:report("a device is raw", "leave the line out; holos volumes import takes the content of a qcow2 file in")
  end
  if value.device and value.size then at:report("a device is as large as it is", "leave out size") end
  if value.device and value.driver_opts then at:report("device and driver_opts exclude each other; keep one") end
end

local function report_at(value, at, key, message, hint)
  at:enter(value, key)
  at:report(message, hint)
  at:leave()
end

local function check_options(value, at)
  local meaning, message, hint = driver_options.read(value.driver_opts)
  if not meaning then return report_at(value, at, "driver_opts", message, hint) end
  if not (meaning.share or meaning.device) then return end
  for _, key in ipairs { "size", "format" } do
    if value[key] then at:report(("%s is for disks that holos keeps, and driver_opts name another place"):format(key)) end
  end
  if meaning.fs and value.fs and value.fs ~= meaning.fs then
    at:report(("fs is %s and the type of driver_opts is %s"):format(value.fs, meaning.fs))
  end
end

return schema.record({
  { "size", schema.size { least_bytes = 1 << 20 }, default_text = "10 GiB", unit = "bytes", change = "live", own = true,
    meaning = "Size of the disk, which takes room as it is written to. A larger one makes the disk and its file system grow, "
      .. "also while the machine runs; a smaller one changes nothing. Without it a volume stays as large as it is." },
  { "name", rules.name, change = "restart", default_text = "the key",
    meaning = "Name under which it is kept, in the project's own volumes. Another name is another volume: the old one stays." },
  { "external", external, change = "restart", default_text = "false",
    meaning = "It exists already: up makes none, and down -v leaves it. It is one of the project's own, or of another project, "
      .. "whose volume `data` is called `PROJECT_data` here." },
  { "labels", rules.pairs, change = "live", meaning = "Words of your own, for filters and scripts." },
  { "fs", schema.choice { values = { "ext4", "xfs" } }, default_text = "ext4", own = true, change = "live",
    meaning = "File system that a new volume gets; a volume that is there keeps its own. xfs takes 300 MiB at least, and "
      .. "xfsprogs in the image." },
  { "device", rules.host_path, own = true, change = "restart",
    meaning = "A disk of the host: a block device, best by a name of /dev/disk/by-id, or a file that is the disk, byte for byte. "
      .. "It is never made and never removed, and formatted only where all of it is zeros." },
  { "format", schema.choice { values = { "qcow2", "raw" } }, default_text = "qcow2; raw with device", own = true,
    change = "restart", meaning = "Format of the disk: qcow2 in holos' own files, raw in what `device` names." },
  { "driver", driver, change = "recreate", default_text = "local", meaning = "There is one." },
  { "driver_opts", rules.pairs, change = "restart",
    meaning = "As of Docker's local driver. {type: none, o: bind, device: DIRECTORY} shares a directory; {type: ext4, device: "
      .. "DISK}, or xfs, is a disk of the host." },
}, {
  canonical = function(value, at)
    if value.external then
      check_external(value, at)
      return value
    end
    check_device(value, at)
    if value.driver_opts then check_options(value, at) end
    if value.fs == "xfs" and value.size and value.size < LEAST_XFS then
      at:report("xfs takes 300 MiB at least", "write a larger size, or fs: ext4")
    end
    return value
  end,
})
