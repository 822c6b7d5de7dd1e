--- Rules that several parts of the compose schema share. Pure.
local ports = require "holos.compose.ports"
local schema = require "holos.core.schema"

local M = {}

--- RFC 1123 label, lower case: service, project and instance names become host names and file names.
M.label = schema.text {
  pattern = "[a-z0-9][a-z0-9-]*", most = 63,
  wanted = "a name of lower-case letters, digits and hyphens",
  check = function(value)
    if value:sub(-1) == "-" then return ('"%s" ends in a hyphen'):format(value) end
  end,
}

--- Any text on one line.
M.line = schema.text {
  wanted = "text on one line",
  check = function(value)
    if value:find("[\r\n]") then return "has more than one line" end
  end,
}

M.lines = schema.list { of = M.line }

--- A path of the host: relative to the project directory, absolute, or below ~.
M.host_path = schema.text {
  wanted = "a path",
  check = function(value)
    if value:find("%c") then return "the path has a control character" end
    if value:find("^~[^/]") then return "the home of another user; write the whole path" end
  end,
}

--- Text, number or truth, as text.
M.word = schema.parsed {
  accepts = { text = true, integer = true, number = true, boolean = true },
  wanted = "text",
  parse = function(value)
    return type(value) == "number" and ("%.14g"):format(value) or tostring(value)
  end,
}

--- {K: V} or ["K=V"] → {K = "V"}.
M.pairs = schema.either {
  map = schema.map { of = M.word, empty = function() return "" end },
  list = schema.list {
    of = M.line,
    canonical = function(list, at)
      local map, marks = {}, {}
      for position, item in ipairs(list) do
        if item then
          local key, value = item:match("^([^=]*)=?(.*)$")
          map[key], marks[key] = value, at.marks[list] and at.marks[list][position]
        end
      end
      at.marks[map] = marks
      return map
    end,
  },
}

local service_name = schema.text { wanted = "the name of a service" }

--- extends: NAME or {service, file} → {service, file}.
M.extends = schema.either {
  text = service_name,
  map = schema.record {
    { "service", service_name, required = true, meaning = "The service that this one is laid over." },
    { "file", M.host_path, meaning = "The file it is in; absent: this one." },
  },
  canonical = function(value) return type(value) == "string" and { service = value } or value end,
  hint = "extends: NAME, or extends: {file: FILE, service: NAME}",
}

--- A published port in long form.
M.long_port = schema.record({
  { "target", schema.integer { least = 1, most = 65535 }, required = true, meaning = "Port in the guest." },
  { "published", schema.integer { least = 0, most = 65535 }, meaning = "Port on the host; 0 or absent: any free one." },
  { "host_ip",
    schema.text { wanted = "an IPv4 address", check = function(value) return ports.check_host_ip(value) end },
    meaning = "Address of the host to publish on." },
  { "protocol", schema.choice { values = { "tcp", "udp" } }, meaning = "tcp or udp." },
  { "mode", schema.choice { values = { "host", "ingress" } }, meaning = "Both mean the same on one host." },
  { "name", M.line, meaning = "For readers." },
  { "app_protocol", M.line, meaning = "For readers." },
}, { canonical = function(long) return ports.from_long(long) end })

return M
