--- Values that files write otherwise than the project has them: back to the long form of the language. Pure.
--
-- A rule of the schema whose value is none of its own forms any more names one of these with `form`.
local depends = require "holos.compose.depends"
local tables = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

local function octal(mode) return ("0%03o"):format(mode) end

local function range(first, last)
  return last and last ~= first and ("%d-%d"):format(first, last) or ("%d"):format(first)
end

--- One of services.*.ports.
function M.port(port)
  return {
    target = port.guest, published = port.host > 0 and range(port.host, port.host_to) or nil, host_ip = port.host_ip,
    protocol = port.protocol, name = port.name, app_protocol = port.app_protocol,
  }
end

--- One of services.*.expose.
function M.exposed(exposed)
  local ports = range(exposed.port, exposed.to)
  return exposed.protocol == "tcp" and ports or ports .. "/" .. exposed.protocol
end

local function not_empty(map) return next(map) ~= nil and map or nil end

local parts = {}

function parts.bind(mount) return { bind = not_empty { create_host_path = mount.create_host_path or nil } } end

function parts.volume(mount) return { volume = not_empty { nocopy = mount.nocopy, subpath = mount.subpath } } end

function parts.tmpfs(mount)
  return { tmpfs = not_empty { size = mount.size_bytes and units.write_bytes(mount.size_bytes),
    mode = mount.mode and octal(mount.mode), options = mount.options } }
end

--- One of services.*.volumes.
function M.mount(mount)
  local long = parts[mount.kind](mount)
  long.type, long.target, long.driver = mount.kind, mount.target, mount.driver
  long.source = mount.source or not mount.anonymous and mount.volume or nil
  long.read_only = mount.read_only or nil
  return long
end

--- Access rights.
M.octal = octal

--- One of services.*.extra_hosts.
function M.host(host) return ("%s=%s"):format(host.name, host.address) end

--- services.*.extra_hosts.
function M.hosts(list) return tables.map(list, function(host) return M.host(host) end) end

-- Our words to Docker's, where it has one.
local CONDITIONS = {}
for _, word in ipairs(depends.words) do
  local ours = depends.conditions[word]
  CONDITIONS[ours] = CONDITIONS[ours] or word
end

--- The condition of a dependency.
function M.condition(condition) return CONDITIONS[condition] end

local ARCHITECTURES = { x86_64 = "amd64", aarch64 = "arm64", i386 = "386" }

--- services.*.platform.
function M.platform(platform)
  local architecture = ARCHITECTURES[platform.architecture] or platform.architecture
  local text = platform.os .. "/" .. architecture
  return platform.variant and text .. "/" .. platform.variant or text
end

return M
