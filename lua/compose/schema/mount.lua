--- services.*.volumes[]. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local volumes = require "holos.compose.volumes"

local M = {}

local IDLE = "a share belongs to one guest, and the host knows no labels of containers"

local bind = schema.record {
  { "create_host_path", schema.boolean {}, change = "restart",
    default_text = "false", meaning = "Make the directory when it is not there. Docker does so unasked; here a source that "
      .. "is not there is an error, as it is mostly a spelling mistake." },
  { "propagation", rules.line, class = "ignored", reason = "a guest has mounts of its own" },
  { "recursive", schema.choice { values = { "enabled", "disabled", "writable", "readonly" } }, class = "ignored",
    reason = "a share has everything below its directory" },
  { "selinux", schema.choice { values = { "z", "Z" } }, class = "ignored", reason = IDLE },
}

local volume = schema.record {
  { "nocopy", schema.boolean {}, change = "restart",
    meaning = "Do not fill a new volume with what the image has at the target." },
  { "subpath", schema.parsed { accepts = { text = true }, parse = function(text) return volumes.subpath(text) end },
    change = "restart", meaning = "Directory in the volume to mount." },
  { "labels", rules.pairs, change = "live", meaning = "For readers; labels of the volume stand at top level." },
}

local function parse_options(text)
  local tmpfs = require "holos.compose.tmpfs" -- few files have one
  return tmpfs.options(text)
end

local memory = schema.record {
  { "size", schema.size { least_bytes = 4096 }, unit = "bytes", change = "restart",
    default_text = "half of the guest's memory", meaning = "How much it may hold." },
  { "mode", rules.mode, change = "restart", default_text = "01777", meaning = "Access rights in octal." },
  { "options", schema.parsed { accepts = { text = true }, parse = parse_options }, own = true, change = "restart",
    meaning = "Further options of mount: noexec,nosuid." },
}

local REFUSED_TYPES = {
  image = "the content of an image cannot be mounted; put it into a volume or a directory",
  npipe = "named pipes are of Windows", cluster = "cluster volumes are of Swarm",
}

local kind = schema.parsed {
  accepts = { text = true }, wanted = '"bind", "volume" or "tmpfs"', values = { "bind", "volume", "tmpfs" },
  parse = function(value)
    if value == "bind" or value == "volume" or value == "tmpfs" then return value end
    if REFUSED_TYPES[value] then return nil, ('type "%s": %s'):format(value, REFUSED_TYPES[value]) end
    return nil, ('expected "bind", "volume" or "tmpfs", got "%s"'):format(value)
  end,
}

local function target_rule()
  return schema.text { wanted = "an absolute path in the guest" }
end

local long = schema.record({
  { "type", kind, required = true, meaning = "bind: a directory of the host; volume: a disk; tmpfs: memory." },
  { "source", schema.text {}, meaning = "Directory of the host, or name of a volume; a volume without one belongs to its "
      .. "instance alone." },
  { "target", target_rule(), required = true, meaning = "Absolute path in the guest." },
  { "read_only", schema.boolean {}, default = false, meaning = "The guest cannot change it." },
  { "driver", schema.choice { values = { "9p", "virtiofs" } }, own = true,
    meaning = "How a directory is shared; absent: what the guest and the host can do best." },
  { "consistency", rules.line, class = "ignored", reason = "a share is always consistent" },
  { "bind", bind, meaning = "For directories." },
  { "volume", volume, meaning = "For volumes." },
  { "tmpfs", memory, meaning = "For memory." },
  { "image", schema.any {}, class = "ignored", reason = REFUSED_TYPES.image },
}, {
  canonical = function(value, at)
    if not (value.type and value.target) then return nil end
    local mount, message, hint = volumes.from_long(value)
    if not mount then return at:report(message, hint) end
    return mount
  end,
})

-- Tells of options without a meaning.
local function finish(mount, at)
  for _, option in ipairs(mount.idle or {}) do
    at:warn(('the option "%s" has no effect: %s'):format(option, IDLE))
  end
  mount.idle = nil
  return mount
end

local function example(text, parse)
  return schema.parsed { accepts = { text = true }, example = text, parse = parse }
end

M.list = schema.list { of = schema.either {
  text = example("./www:/srv/www:ro", function(value) return volumes.parse(value) end), map = long,
  hint = 'for example "./www:/srv/www:ro" or "data:/var/lib/data"', canonical = finish, form = "mount",
}, hint = 'write a list, whose items begin with "- ": - data:/var/lib/data' }

return M
