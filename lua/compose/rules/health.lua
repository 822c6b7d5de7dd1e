--- Checks of health checks. Pure.
local health = require "holos.compose.health"

local M = {}

local function is_published(service, guest)
  for _, port in ipairs(service.ports) do
    if port and port.protocol == "tcp" and port.guest == guest then return true end
  end
  return false
end

--- The host can only ask ports that it reaches.
function M.check_ports(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local port = service.healthcheck and health.port(service.healthcheck.test)
    if port and not is_published(service, port) then
      report({ "services", name, "healthcheck", "test" }, ("the host cannot ask port %d: it is not published"):format(port),
        ('ports: ["0:%d"] publishes it on a free port of 127.0.0.1'):format(port))
    end
  end
end

return M
