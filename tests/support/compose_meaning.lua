--- What a canonical document means, in one form for docker-compose's and ours; what is meant to differ is named.

local tables = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

--- Where we want something else than docker-compose 1.29, by name, each with the reason.
M.INTENDED = {
  loopback = "ports are published on 127.0.0.1 unless the file names an address: a VM on a laptop is nobody else's",
  absolute_image = "an image is a file, and its path is absolute like all others",
  unset_variable = "a variable of the guest without a value is not there, as in docker compose v2",
  command_words = "command lines are lists of words",
  waits = "depends_on without a condition waits for health where there is a check",
  mounts = "tmpfs is a mount like others",
  repeated = "what stands in both files is there once, as in docker compose v2",
  extensions = "x- keys of services stay, as in docker compose v2",
  contradiction = "two keys that say the same thing in different words must agree",
  profiles = "services that a profile has chosen stand there without it: the output loads to the same project again",
  disable = "a health check may be switched off by another file, as in docker compose v2",
}

-- -- what both sides share ---------------------------------------------------------------------------------------------------

local function text(value) return tostring(value) end
local function same(value) return value end

local function texts(map)
  local made = {}
  for key, value in pairs(map) do made[key] = text(value) end
  return made
end

-- A list whose order means nothing.
local function set(list, note)
  local made, seen = tables.list {}, {}
  for _, item in ipairs(list) do
    local word = text(item)
    if seen[word] then note "repeated" else made[#made + 1], seen[word] = word, true end
  end
  table.sort(made)
  return made
end

local function duration(value) return assert(units.parse_duration(value)) end
local function size(value) return assert(units.parse_bytes(value)) end
local function mode(value) return type(value) == "string" and tonumber(value, 8) or value end

local function each(list, convert, note)
  local made = {}
  for position, item in ipairs(list) do made[position] = convert(item) end
  return set(made, note)
end

local function port_text(ip, published, target, protocol)
  return ("%s:%s:%s/%s"):format(ip, published or "", target, protocol or "tcp")
end

local function mount_text(kind, source, target, is_read_only)
  return ("%s %s:%s%s"):format(kind, source or "", target, is_read_only and ":ro" or "")
end

local function long_mount(mount)
  local own = mount.tmpfs or {}
  local bytes, rights = own.size and " size=" .. size(own.size), own.mode and (" mode=%o"):format(mode(own.mode))
  return mount_text(mount.type, mount.source, mount.target, mount.read_only) .. (bytes or "") .. (rights or "")
end

local function memory_text(written)
  local target, options = written:match("^([^:]*):?(.*)$")
  return long_mount { type = "tmpfs", target = target,
    tmpfs = { size = options:match "size=(%w+)", mode = options:match "mode=(%d+)" } }
end

local function grant(one)
  return ("%s→%s %s:%s %s"):format(one.source, one.target or "", one.uid or "", one.gid or "", one.mode and mode(one.mode) or "")
end

local function grants(list, note) return each(list, grant, note) end

local function networks(map, note)
  local made = {}
  for name, attachment in pairs(map) do
    attachment = type(attachment) == "table" and attachment or {}
    made[name] = { aliases = set(attachment.aliases or {}, note), address = attachment.ipv4_address }
  end
  return made
end

local function ulimits(map)
  local made = {}
  for name, limit in pairs(map) do made[name] = type(limit) == "table" and limit or { soft = limit, hard = limit } end
  return made
end

local function deploy(value)
  local resources = value.resources or {}
  local limits, reservations = resources.limits or {}, resources.reservations or {}
  return { replicas = value.replicas, cpus = tonumber(limits.cpus), memory = limits.memory and size(limits.memory),
    reserved = reservations.memory and size(reservations.memory) }
end

local function healthcheck(value)
  if value.disable or type(value.test) == "table" and value.test[1] == "NONE" then return "none" end
  local made = { retries = value.retries, test = value.test }
  if type(value.test) == "string" then made.test = { "CMD-SHELL", value.test } end
  for _, key in ipairs { "interval", "timeout", "start_period" } do made[key] = value[key] and duration(value[key]) end
  return made
end

-- Sizes are sizes however they are written.
local function logging(value)
  local options = tables.copy(value.options or {})
  options["max-size"] = options["max-size"] and size(options["max-size"])
  return { driver = value.driver, options = texts(options) }
end

-- ["NAME:ADDRESS"], with "=" or ":", or {NAME: ADDRESS}.
local function hosts(value, note)
  local list = tables.is_list(value) and value or {}
  for name, address in pairs(tables.is_list(value) and {} or value) do list[#list + 1] = name .. "=" .. address end
  return each(list, function(host) return (host:gsub("^([^:=]*)[:=]", "%1=")) end, note)
end

local KEYS = {
  environment = texts, labels = texts, sysctls = texts, expose = set, dns = set, dns_search = set, profiles = set, cap_add = set,
  entrypoint = same, command = same, hostname = text, domainname = text, user = text, working_dir = text,
  stop_signal = text, stop_grace_period = duration, mac_address = string.lower, restart = text, init = same, tty = same,
  privileged = same, mem_limit = size, shm_size = size, scale = same, pids_limit = same, ulimits = ulimits, logging = logging,
  healthcheck = healthcheck, networks = networks, deploy = deploy,
  extra_hosts = hosts,
  configs = grants, secrets = grants,
}

local function is_nothing(value) return value == nil or type(value) == "table" and next(value) == nil end

local function service_of(document, name, special, note)
  local written, made = document.services[name], {}
  for key, value in pairs(written) do
    local convert = KEYS[key]
    if not special[key] then
      assert(convert, name .. " has the key " .. key)
      local converted = convert(value, note)
      if not is_nothing(converted) then made[key] = converted end
    end
  end
  for key, convert in pairs(special) do
    local converted = convert(written[key], written)
    if not is_nothing(converted) then made[key] = converted end
  end
  return made
end

local function top_level(document)
  local made = { volumes = {}, networks = {} }
  for _, kind in ipairs { "configs", "secrets" } do
    made[kind] = {}
    for name, source in pairs(document[kind] or {}) do made[kind][name] = source.file end
  end
  for _, kind in ipairs { "volumes", "networks" } do
    for name, value in pairs(document[kind] or {}) do
      local pools = value.ipam and value.ipam.config or {}
      made[kind][name] = { labels = texts(value.labels or {}), internal = value.internal or false,
        subnet = (pools[1] or {}).subnet }
    end
  end
  return made
end

local function meaning(document, special, note)
  local made = top_level(document)
  made.services = {}
  for name in pairs(document.services) do made.services[name] = service_of(document, name, special, note) end
  return made
end

-- -- ours --------------------------------------------------------------------------------------------------------------------

-- function(note) → converters
local function ours(note)
  local special = {}
  function special.image(path) return path end
  function special.volumes(list) return each(list or {}, long_mount, note) end
  function special.tmpfs() end
  function special.ports(list)
    return each(list or {}, function(port) return port_text(port.host_ip, port.published, port.target, port.protocol) end, note)
  end
  special["x-note"] = function(said)
    if said then note "extensions" end
  end
  function special.depends_on(map)
    local made = {}
    for name, wanted in pairs(map or {}) do
      made[name] = wanted.condition or "service_started"
      if not wanted.condition then note "waits" end
    end
    return made
  end
  return special
end

--- What our document means.
---@param note fun(name: string)  told of every intended difference that is met
function M.ours(document, note) return meaning(document, ours(note), note) end

-- -- docker-compose's --------------------------------------------------------------------------------------------------------

local function short_mount(written)
  local source, target, options = written:match("^([^:]*):([^:]*):?(.*)$")
  if not source then return mount_text("volume", nil, written) end
  return mount_text(source:find("^/") and "bind" or "volume", source, target, options == "ro")
end

-- function(note, directory) → converters; note(name) says which difference was met.
local function docker(note, directory)
  local special = {}
  function special.image(written)
    note "absolute_image"
    return (written:gsub("^%./", directory .. "/"))
  end
  function special.ports(list)
    return each(list or {}, function(port)
      local ip, published, target, protocol
      if type(port) == "table" then published, target, protocol = port.published, port.target, port.protocol
      else
        ip, published, target, protocol = port:match("^([%d.]+):(%d*):(%d+)/?(%w*)$")
        protocol = protocol ~= "" and protocol or nil
      end
      if not ip then note "loopback" end
      return port_text(ip or "127.0.0.1", published, target, protocol)
    end, note)
  end
  function special.volumes(list, service)
    local mounts = each(list or {}, function(mount)
      return type(mount) == "table" and long_mount(mount) or short_mount(mount)
    end, note)
    local memory = service.tmpfs or {}
    if #memory > 0 then note "mounts" end
    return set(tables.extend(mounts, each(memory, memory_text, note)), note)
  end
  function special.tmpfs() end
  special["x-note"] = special.tmpfs
  function special.profiles(list)
    if list and #list > 0 then note "profiles" end
  end
  function special.depends_on(map)
    local made = {}
    for name, wanted in pairs(map or {}) do made[name] = wanted.condition end
    return made
  end
  special["x-was-text"] = function(was_text)
    if was_text then note "command_words" end
  end
  function special.environment(map)
    local made = {}
    for name, value in pairs(map or {}) do
      if type(value) == "userdata" then note "unset_variable" else made[name] = text(value) end
    end
    return made
  end
  return special
end

--- What docker-compose's document means, as far as we want the same.
---@param note fun(name: string)  told of every intended difference that is met
---@param directory string        where the files are
function M.docker(document, note, directory) return meaning(document, docker(note, directory), note) end

return M
