--- The checks across services, as a list that scripts may extend and change. Pure.
--
-- A check is function(project, report, facts): report(keys, message, hint) adds a finding at the place in the document
-- that `keys` lead to; facts = {stat = nil or function(path) → type | nil, image_bytes = nil or function(path, format) →
-- size | nil, written = function(service, "disk") → the keys that say its size | nil, variable = nil or function(name) →
-- text | nil, mark = function(keys) → packed position, path = function(keys) → text, warn = as report,
-- is_written = function(kind, name) → whether top level has it, right or wrong}. Items of lists that were refused
-- before are `false`.
local dependencies = require "holos.compose.rules.dependencies"
local grants = require "holos.compose.rules.grants"
local host = require "holos.compose.rules.host"
local names = require "holos.compose.rules.names"
local networks = require "holos.compose.rules.networks"
local ports = require "holos.compose.rules.ports"
local process = require "holos.compose.rules.process"
local storage = require "holos.compose.rules.storage"

local M = {}

--- All checks in their order: {name, module, function's name}. Called by name, so that each can be overridden where it
--- is.
function M.list()
  return {
    { "names that clash", names, "check_clashes" },
    { "length of instance names", names, "check_lengths" },
    { "number of instances", names, "check_count" },
    { "names of single instances", names, "check_container_names" },
    { "reserved labels", names, "check_labels" },
    { "unknown dependencies", dependencies, "check_unknown" },
    { "dependency cycles", dependencies, "check_cycles" },
    { "health that nothing checks", dependencies, "check_conditions" },
    { "host ports that follow for replicas", ports, "check_range" },
    { "host ports used twice", ports, "check_repeated" },
    { "pools of host ports", ports, "check_pools" },
    { "undeclared networks", networks, "check_declared" },
    { "fixed addresses", networks, "check_addresses" },
    { "subnets that overlap", networks, "check_subnets" },
    { "subnets that are too small", networks, "check_room" },
    { "Ethernet addresses used twice", networks, "check_cards" },
    { "aliases that are names of others", networks, "check_aliases" },
    { "undeclared volumes", storage, "check_declared" },
    { "volumes with several writers", storage, "check_writers" },
    { "targets mounted twice", storage, "check_targets" },
    { "undeclared configs and secrets", grants, "check_declared" },
    { "targets of configs and secrets", grants, "check_targets" },
    { "sources of configs and secrets", grants, "check_sources" },
    { "settings of a program that is not there", process, "check_program" },
    { "guests without cloud-init", host, "check_plain" },
    { "image files", host, "check_images" },
    { "disks smaller than their images", host, "check_disks" },
    { "names of shared directories", host, "check_source_names" },
    { "kernels, firmware and CD-ROMs", host, "check_files" },
    { "shared directories", host, "check_sources" },
  }
end

--- Runs all checks.
function M.run(project, report, facts)
  for _, check in ipairs(M.list()) do
    local module, name = check[2], check[3]
    module[name](project, report, facts)
  end
end

return M
