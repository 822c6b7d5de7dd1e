--- Published ports of one instance. Pure.
local table_ = require "holos.core.table"

local M = {}

--- Each replica takes the next host port; 0 stays 0: any free one.
---@param service table  of a project
---@param index integer  of the instance, from 0
function M.of_instance(service, index)
  local ports = table_.list {}
  for position, port in ipairs(service.ports) do
    local copy = table_.copy(port)
    if port.host > 0 then copy.host = port.host + index end
    ports[position] = copy
  end
  return ports
end

return M
