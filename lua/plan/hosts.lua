--- The names that guests of a project know each other by. They are kept once for a project, in its record, and a spec
--- holds their id only: 50 specs with 50 names each would be most of a record. Pure.
local table_ = require "holos.core.table"

local M = {}

---@class holos.Host  {address: string, names: string[]}

--- All names of one instance: its own, and that of its service for all replicas.
---@return holos.Host
function M.of_instance(name, service_name, address)
  return { address = address, names = table_.list { name, service_name } }
end

--- Every instance of a project, in start order.
---@param addresses table<string, string>  by instance
---@return holos.Host[]
function M.of_project(project, addresses)
  local hosts = table_.list {}
  for _, service_name in ipairs(project.order) do
    for index = 0, project.services[service_name].replicas - 1 do
      local name = service_name .. "-" .. index
      hosts[#hosts + 1] = M.of_instance(name, service_name, addresses[name])
    end
  end
  return hosts
end

--- A line of /etc/hosts.
---@param host holos.Host
function M.line(host) return host.address .. " " .. table.concat(host.names, " ") end

--- Tells whether names or addresses changed. The number in front is for people.
---@param hosts holos.Host[]
function M.id(sha256, hosts)
  return ("%d-%s"):format(#hosts, sha256(table.concat(table_.map(hosts, M.line), "\n")):sub(1, 16))
end

return M
