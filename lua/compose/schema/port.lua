--- services.*.ports[] and services.*.expose[]. Data.
local entries = require "holos.compose.entries"
local ports = require "holos.compose.ports"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local M = {}

local long = schema.record({
  { "target", schema.integer { least = 1, most = 65535 }, required = true, meaning = "Port in the guest." },
  { "published", schema.parsed {
      accepts = { text = true, integer = true }, wanted = 'a port or a range such as "8000-8010"',
      parse = function(value) return tostring(value) end,
    }, meaning = "Port of the host, or a range: each replica takes a free one of it; 0 or absent: any free one." },
  { "host_ip",
    schema.text { wanted = "an IPv4 address", check = function(value) return ports.check_host_ip(value) end },
    default_text = "127.0.0.1", meaning = "Address of the host to publish on." },
  { "protocol", schema.choice { values = { "tcp", "udp" } }, default_text = "tcp", meaning = "tcp or udp." },
  { "mode", schema.choice { values = { "host", "ingress" } }, meaning = "Both mean the same on one host." },
  { "name", rules.line, meaning = "For readers." },
  { "app_protocol", rules.line, meaning = "For readers." },
}, {
  canonical = function(value, at)
    if not value.target then return nil end
    local made, message = ports.from_long(value)
    if not made then return at:report(message) end
    return made
  end,
})

local short = schema.parsed {
  accepts = { text = true, integer = true }, example = "8080:80",
  parse = function(value) return ports.parse(value) end,
}

-- Docker takes the same mapping twice for one, and files that are put together often have one twice.
local function name_of(port)
  if port.host == 0 then return nil end
  local number = (port.host << 33) | ((port.host_to or 0) << 17) | (port.guest << 1) | (port.protocol == "udp" and 1 or 0)
  return port.host_ip == ports.default_host_ip and number or number .. port.host_ip
end

M.list = schema.list {
  hint = 'write a list, whose items begin with "- ": - "8080:80"',
  of = schema.either {
    text = short, integer = short, map = long, hint = 'for example "8080:80"', form = "port",
  },
  canonical = function(list, at) return entries.distinct(entries.flatten(list, at, "ports"), at, "ports", name_of) end,
}

M.exposed = schema.list { of = schema.parsed {
  accepts = { text = true, integer = true }, wanted = 'a port such as 8080 or "8080-8085/tcp"',
  parse = function(value) return ports.parse_exposed(value) end, form = "exposed",
} }

return M
