--- The checks across services, as a list that scripts may extend and change. Pure.
--
-- A check is function(project, report, facts): report(keys, message, hint) adds a finding at the place in the document
-- that `keys` lead to; facts = {stat = nil or function(path) → type | nil, image_bytes = nil or function(path, format) →
-- size | nil, written = function(service, "disk") → the keys that say its size | nil, variable = nil or function(name) →
-- text | nil, list = nil or function(directory) → names, mark = function(keys) → packed position,
-- path = function(keys) → text, warn = as report, is_written = function(kind, name) → whether top level has it, right or
-- wrong}. Items of lists that were refused before are `false`.
local lazy = require "holos.core.lazy"
local access = lazy "holos.compose.rules.access"
local dependencies = lazy "holos.compose.rules.dependencies"
local grants = lazy "holos.compose.rules.grants"
local health = lazy "holos.compose.rules.health"
local host = require "holos.compose.rules.host"
local names = require "holos.compose.rules.names"
local networks = lazy "holos.compose.rules.networks"
local ports = lazy "holos.compose.rules.ports"
local process = lazy "holos.compose.rules.process"
local sources = lazy "holos.compose.rules.sources"
local storage = lazy "holos.compose.rules.storage"

local M = {}

--- All checks in their order: {name, module, function's name, parts of services …}. Called by name, so that each can be
--- overridden where it is. A check that names parts is about them, and is left out where there are none; they are keys of
--- services, or of PARTS.
function M.list()
  return {
    { "names that clash", names, "check_clashes" },
    { "length of instance names", names, "check_lengths" },
    { "number of instances", names, "check_count" },
    { "names of single instances", names, "check_container_names", "container_name" },
    { "reserved labels", names, "check_labels" },
    { "unknown dependencies", dependencies, "check_unknown", "depends_on" },
    { "dependency cycles", dependencies, "check_cycles", "depends_on" },
    { "health that nothing checks", dependencies, "check_conditions", "depends_on" },
    { "checks of ports that are not published", health, "check_ports", "healthcheck" },
    { "host ports that follow for replicas", ports, "check_range", "ports" },
    { "host ports used twice", ports, "check_repeated", "ports" },
    { "pools of host ports", ports, "check_pools", "ports" },
    { "undeclared networks", networks, "check_declared", "attachments" },
    { "fixed addresses", networks, "check_addresses", "attachments" },
    { "subnets that overlap", networks, "check_subnets", "subnets" },
    { "subnets that are too small", networks, "check_room", "subnets" },
    { "Ethernet addresses used twice", networks, "check_cards", "attachments", "mac" },
    { "names of network cards", networks, "check_card_names", "attachments" },
    { "aliases that are names of others", networks, "check_aliases", "attachments" },
    { "guests without a way in", access, "check_way_in", "network_mode" },
    { "the host closed to guests", access, "check_host_access", "host_access" },
    { "undeclared volumes", storage, "check_declared", "mounts" },
    { "volumes kept under one name", storage, "check_names", "volumes" },
    { "disks of the host", storage, "check_devices", "volumes" },
    { "volumes with several writers", storage, "check_writers", "mounts" },
    { "targets mounted twice", storage, "check_targets", "mounts" },
    { "undeclared configs and secrets", grants, "check_declared", "configs", "secrets" },
    { "targets of configs and secrets", grants, "check_targets", "configs", "secrets" },
    { "places for configs and secrets", grants, "check_places", "configs", "secrets" },
    { "sources of configs and secrets", grants, "check_sources", "configs", "secrets" },
    { "settings of a program that is not there", process, "check_program", "app" },
    { "commands without a program", process, "check_hooks", "post_start", "pre_stop" },
    { "guests without cloud-init", host, "check_plain" },
    { "image files", host, "check_images" },
    { "disks smaller than their images", host, "check_disks" },
    { "names of shared directories", sources, "check_source_names", "mounts" },
    { "kernels, firmware and CD-ROMs", sources, "check_files", "boot", "cdroms" },
    { "numbers of the order to start from", sources, "check_boot_order", "cdroms" },
    { "shared directories", sources, "check_sources", "mounts" },
  }
end

-- A service is in the default network without a word.
local function is_unsaid(attachments)
  local first = attachments[1]
  return #attachments == 0 or #attachments == 1 and first.network == "default" and #first.aliases == 0
    and not (first.address or first.mac or first.interface_name)
end

-- Parts that are no keys of services.
local PARTS = {}

function PARTS.volumes(project) return next(project.volumes) ~= nil end

function PARTS.subnets(project)
  for _, network in pairs(project.networks) do
    if network.subnet then return true end
  end
  return false
end

function PARTS.attachments(project)
  for _, name in ipairs(project.order) do
    if not is_unsaid(project.services[name].networks) then return true end
  end
  return false
end

local function any_has(project, part)
  if PARTS[part] then return PARTS[part](project) end
  local order, services = project.order, project.services
  for position = 1, #order do
    local value = services[order[position]][part]
    if value ~= nil and (type(value) ~= "table" or next(value) ~= nil) then return true end
  end
  return false
end

local function is_wanted(check, project, known)
  for position = 4, #check do
    local part = check[position]
    if known[part] == nil then known[part] = any_has(project, part) end
    if known[part] then return true end
  end
  return check[4] == nil
end

--- Runs all checks.
function M.run(project, report, facts)
  local known = {}
  for _, check in ipairs(M.list()) do
    local module, name = check[2], check[3]
    if is_wanted(check, project, known) then module[name](project, report, facts) end
  end
end

return M
