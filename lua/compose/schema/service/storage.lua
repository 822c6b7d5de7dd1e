--- Keys of services that say what is mounted. Data.
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local mounts = schema.lazy(function() return require "holos.compose.schema.mount" end, "list")

local function grant(name)
  return schema.lazy(function() return require "holos.compose.schema.grant" end, name)
end

return { title = "Disks, directories and files",
  { "volumes", mounts, default = tables.list {}, change = "restart",
    meaning = "Mounts: [SOURCE:]TARGET[:ro]. A source that starts with \".\", \"/\" or \"~\" is a directory of the host, "
      .. "any other the name of a volume; without a source it is a disk of the instance's own." },
  { "tmpfs", schema.lazy(function() return require "holos.compose.schema.tmpfs" end),
    change = "restart", meaning = "File systems in memory: TARGET[:size=64m,mode=1777,noexec]." },
  { "configs", grant "configs", change = "restart",
    meaning = "Files from configs at top level: a name, or {source, target, uid, gid, mode}." },
  { "secrets", grant "secrets", change = "restart",
    meaning = "Files from secrets at top level, in memory only: a name, or {source, target, uid, gid, mode}." },
}
