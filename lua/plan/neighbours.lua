--- Host ports that machines of other projects, and of services that are no longer in the file, have or will want. Pure.
local ports = require "holos.plan.ports"
local table_ = require "holos.core.table"

local M = {}

---@class holos.Claim
---@field protocol string
---@field host_ip string
---@field host integer
---@field owner string  "web-0 of project shop"

local function add(index, claim)
  local key = ("%s/%d"):format(claim.protocol, claim.host)
  index[key] = index[key] or {}
  table.insert(index[key], claim)
end

-- Ports that the file fixes, and those that were leased where it leaves them open.
local function add_instance(index, entry, owner)
  local leased = entry.leased or {}
  for _, port in ipairs(entry.spec.ports or {}) do
    local is_open = port.host == 0 or port.host_to
    local number = is_open and leased[("%s:%d"):format(port.protocol, port.guest)] or not is_open and port.host
    if number then add(index, { protocol = port.protocol, host_ip = port.host_ip, host = number, owner = owner }) end
  end
  if leased.ssh then add(index, { protocol = "tcp", host_ip = "127.0.0.1", host = leased.ssh, owner = owner .. " (its SSH)" }) end
end

--- All claims of records on ports of the host.
---@param records table<string, table>  by project; may hold the own one
---@param own string                    the project that asks
---@param wanted table<string, any>     names of its instances that the file has: those are no neighbours
---@return table claims
function M.claims(records, own, wanted)
  local index = {}
  for _, project in ipairs(table_.keys(records)) do
    for _, name in ipairs(table_.keys(records[project].instances)) do
      local is_own = project == own
      if not (is_own and wanted[name]) then
        add_instance(index, records[project].instances[name],
          is_own and name .. ", which is no longer in the file" or ("%s of project %s"):format(name, project))
      end
    end
  end
  return index
end

--- Who else has or wants a port; nil when nobody does.
---@param port {protocol: string, host_ip: string, host: integer}
---@return string? owner
function M.owner(claims, port)
  for _, claim in ipairs(claims[("%s/%d"):format(port.protocol, port.host)] or {}) do
    if ports.any_overlaps({ claim }, port) then return claim.owner end
  end
end

--- Fixed ports of instances that somebody else wants too: while he has them, they cannot be launched.
---@param instances {name: string, ports: table[]}[]
---@return string[] warnings
function M.warnings(claims, instances)
  local warnings = {}
  for _, instance in ipairs(instances) do
    for _, port in ipairs(instance.ports) do
      local owner = port.host > 0 and not port.host_to and M.owner(claims, port)
      if owner then
        warnings[#warnings + 1] = ("%s: host port %s:%d/%s is also that of %s: only one of them can run"):format(
          instance.name, port.host_ip, port.host, port.protocol, owner)
      end
    end
  end
  return warnings
end

return M
