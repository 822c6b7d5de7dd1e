--- Health checks: services.*.healthcheck. Pure.
local tables = require "holos.core.table"

local M = {}

local MARKERS = { CMD = true, ["CMD-SHELL"] = true, NONE = true }
-- Checks that holos makes itself, through a published port: "tcp:5432", "http:8080/health".
local PORT_FORMS = { ["^tcp:(%d+)$"] = "TCP", ["^http:(%d+)$"] = "HTTP", ["^http:(%d+)(/%S*)$"] = "HTTP" }

local function parse_port(marker, port, path, more)
  local number = math.tointeger(tonumber(port))
  if not number or number < 1 or number > 65535 then return nil, ('"%s" needs a port of the guest'):format(marker) end
  if more or marker == "TCP" and path then return nil, ('"%s" has too many words'):format(marker) end
  if marker == "TCP" then return tables.list { "TCP", tostring(number) } end
  if path and not path:find("^/%S*$") then return nil, 'a path of "HTTP" begins with a slash and has no blanks' end
  return tables.list { "HTTP", tostring(number), path or "/" }
end

local function parse_text(text)
  for pattern, marker in pairs(PORT_FORMS) do
    local port, path = text:match(pattern)
    if port then return parse_port(marker, port, path) end
  end
  return tables.list { "CMD-SHELL", text }
end

--- The canonical form of a test: {"CMD", argument, …}, {"CMD-SHELL", script}, {"NONE"}, or of a check from the host
--- {"TCP", port} and {"HTTP", port, path}. Text is a script for the shell, or one of the host's short forms; a list
--- without a marker is a command line.
---@param value string|string[]
---@return string[]? test
---@return string? message
function M.parse_test(value)
  if type(value) == "string" then return parse_text(value) end
  local marker = value[1]
  if marker == nil then return nil, "expected a command, got an empty list" end
  if marker == "TCP" or marker == "HTTP" then return parse_port(marker, value[2], value[3], value[4]) end
  if not MARKERS[marker] then return tables.list { "CMD", table.unpack(value) } end
  if marker == "NONE" and #value > 1 then return nil, '"NONE" stands alone' end
  if marker == "CMD-SHELL" and #value ~= 2 then
    return nil, ('"CMD-SHELL" takes one script, got %d'):format(#value - 1)
  end
  if marker == "CMD" and #value < 2 then return nil, '"CMD" needs a command after it' end
  return tables.list { table.unpack(value) }
end

--- The port of the guest that a check from the host asks; nil for one that runs in the guest.
---@return integer?
function M.port(test)
  return (test[1] == "TCP" or test[1] == "HTTP") and math.tointeger(tonumber(test[2])) or nil
end

--- Whether a checked healthcheck asks for anything.
function M.is_wanted(healthcheck)
  return healthcheck ~= nil and not healthcheck.disable and healthcheck.test ~= nil and healthcheck.test[1] ~= "NONE"
end

return M
