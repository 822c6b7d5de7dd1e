--- Networks of a project, and what a service is in them. Pure.
local lazy = require "holos.core.lazy"
local machine = lazy "holos.compose.machine"
local tables = require "holos.core.table"

local M = {}

--- The network that services are in when they name none.
M.DEFAULT = "default"

local function first_card_first(a, b)
  if a.priority ~= b.priority then return a.priority > b.priority end
  return a.network < b.network
end

local function attachments(networks)
  local list = tables.list {}
  for key, wanted in pairs(networks) do
    list[#list + 1] = {
      network = key, aliases = wanted.aliases or tables.list {}, address = wanted.ipv4_address, mac = wanted.mac_address,
      priority = wanted.priority or 0, interface_name = wanted.interface_name,
    }
  end
  table.sort(list, first_card_first)
  return list
end

--- What a service without a word about it is in.
function M.default()
  return tables.list { { network = M.DEFAULT, aliases = tables.list {}, priority = 0 } }
end

local fillers = {}

function fillers.networks(made, networks)
  if made.network_mode == nil and next(networks) ~= nil then made.networks = attachments(networks) end
end

function fillers.network_mode(made, mode, context, service)
  if service.networks then
    context.report({ "services", made.name, "network_mode" }, "cannot be together with networks:", "keep one of them")
  end
  if mode == "none" then made.network_mode, made.networks = "none", tables.list {} end
end

function fillers.hostname(made, text)
  local domain
  made.hostname, domain = machine.split_hostname(text)
  if domain ~= "" then made.domainname = made.domainname or domain end
end

function fillers.domainname(made, text) made.domainname = text end
function fillers.container_name(made, text) made.container_name = text end
function fillers.mac_address(made, mac) made.mac = mac end
function fillers.dns(made, list) made.dns = list end
function fillers.dns_search(made, list) made.dns_search = list end
function fillers.dns_opt(made, list) made.dns_options = list end
function fillers.extra_hosts(made, list) made.extra_hosts = list end
function fillers.host_access(made, word) made.host_access = word end
function fillers.expose(made, list) made.expose = list end

--- By key of the service: function(made, value, context, service).
M.fillers = fillers

-- {name = …} is an old way to write `external: true` with a name.
local function external_name(value)
  return type(value) == "table" and value.name or nil
end

local function make(key, wanted, project_name)
  local pool = wanted.ipam and wanted.ipam.config and wanted.ipam.config[1] or {}
  return {
    key = key, name = wanted.name or external_name(wanted.external) or ("%s_%s"):format(project_name, key),
    driver = wanted.driver or "mcast", internal = wanted.internal or false, subnet = pool.subnet,
    aux = pool.aux_addresses or {}, labels = wanted.labels or {}, external = wanted.external and true or false,
  }
end

local function is_used(services, key)
  for _, service in pairs(services) do
    for _, attachment in ipairs(service.networks) do
      if attachment.network == key then return true end
    end
  end
  return false
end

--- The networks of a project by key.
---@param declared table?  `networks` of the checked tree
---@param services table   of the project
function M.all(declared, services, project_name)
  local networks = {}
  for key, wanted in pairs(declared or {}) do networks[key] = make(key, wanted, project_name) end
  if not networks[M.DEFAULT] and is_used(services, M.DEFAULT) then
    networks[M.DEFAULT] = make(M.DEFAULT, {}, project_name)
  end
  return networks
end

return M
