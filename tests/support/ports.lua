--- Ports of the host that nobody has.
local net = require "sys.net"

local M = {}

-- Below those that kernels give to who names none.
local LEAST, MOST = 20000, 32000

--- A TCP port that is free now.
function M.free()
  local port = math.random(LEAST, MOST)
  local fd = net.reserve_port("tcp", "127.0.0.1", port)
  if not fd then return M.free() end
  fd:close()
  return port
end

return M
