--- Health checks: services.*.healthcheck. Pure.
local tables = require "holos.core.table"

local M = {}

local MARKERS = { CMD = true, ["CMD-SHELL"] = true, NONE = true }

--- The canonical form of a test: {"CMD", argument, …}, {"CMD-SHELL", script} or {"NONE"}. Text is a script for the
--- shell; a list without one of Docker's markers is a command line.
---@param value string|string[]
---@return string[]? test
---@return string? message
function M.parse_test(value)
  if type(value) == "string" then return tables.list { "CMD-SHELL", value } end
  local marker = value[1]
  if marker == nil then return nil, "expected a command, got an empty list" end
  if not MARKERS[marker] then return tables.list { "CMD", table.unpack(value) } end
  if marker == "NONE" and #value > 1 then return nil, '"NONE" stands alone' end
  if marker == "CMD-SHELL" and #value ~= 2 then
    return nil, ('"CMD-SHELL" takes one script, got %d'):format(#value - 1)
  end
  if marker == "CMD" and #value < 2 then return nil, '"CMD" needs a command after it' end
  return tables.list { table.unpack(value) }
end

--- Whether a checked healthcheck asks for anything.
function M.is_wanted(healthcheck)
  return healthcheck ~= nil and not healthcheck.disable and healthcheck.test ~= nil and healthcheck.test[1] ~= "NONE"
end

return M
