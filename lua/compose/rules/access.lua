--- Checks of what guests reach of the host, and the host of guests. Pure.
local tables = require "holos.core.table"

local M = {}

-- Calls visit(service, keys) for every service; `keys` lead to it.
local function each_service(project, visit)
  for _, name in ipairs(project.order) do visit(project.services[name], { "services", name }) end
end

local function below(keys, key)
  local longer = tables.copy(keys)
  longer[#longer + 1] = key
  return longer
end

--- A guest without a network card has no way in.
function M.check_way_in(project, report)
  each_service(project, function(service, keys)
    if service.network_mode ~= "none" then return end
    local hint = "leave out network_mode: none, or put it into a network that is internal"
    if service.healthcheck then report(below(keys, "healthcheck"), "network_mode: none leaves no way in for checks", hint) end
    for _, key in ipairs { "post_start", "pre_stop" } do
      if service[key] then report(below(keys, key), "network_mode: none leaves no way in for commands", hint) end
    end
    if #service.ports > 0 then report(below(keys, "ports"), "with network_mode: none no port can be published", hint) end
  end)
end

local function is_internal(project, service)
  for _, attachment in ipairs(service.networks) do
    if not (project.networks[attachment.network] or {}).internal then return false end
  end
  return #service.networks > 0
end

--- Who has a way out has one to the host, too: QEMU's user network connects from there.
function M.check_host_access(project, report)
  each_service(project, function(service, keys)
    if service.network_mode == "none" or not service.host_access then return end
    local internal, at = is_internal(project, service), below(keys, "host_access")
    if service.host_access == "deny" and not internal then
      report(at, "a guest with a way out reaches the host's loopback, by 10.0.2.2 and even by 127.0.0.1",
        "make all its networks internal, which closes both, or write allow")
    elseif service.host_access == "allow" and internal then
      report(at, "in internal networks only, a guest does not reach the host",
        "add a network that is not internal, or leave it out")
    end
  end)
end

return M
