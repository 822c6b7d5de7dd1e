--- The checks across services, as a list that scripts may extend and change. Pure.
--
-- A check is function(project, report, facts): report(keys, message, hint) adds a finding at the place in the document
-- that `keys` lead to; facts = {stat = nil or function(path) → type | nil, mark = function(keys) → packed position,
-- warn = as report}. Items of lists that were refused before are `false`.
local dependencies = require "holos.compose.rules.dependencies"
local host = require "holos.compose.rules.host"
local names = require "holos.compose.rules.names"
local ports = require "holos.compose.rules.ports"
local storage = require "holos.compose.rules.storage"

local M = {}

--- All checks in their order: {name, module, function's name}. Called by name, so that each can be overridden where it
--- is.
function M.list()
  return {
    { "names that clash", names, "check_clashes" },
    { "length of instance names", names, "check_lengths" },
    { "number of instances", names, "check_count" },
    { "reserved labels", names, "check_labels" },
    { "unknown dependencies", dependencies, "check_unknown" },
    { "dependency cycles", dependencies, "check_cycles" },
    { "health that nothing checks", dependencies, "check_conditions" },
    { "host ports that follow for replicas", ports, "check_range" },
    { "host ports used twice", ports, "check_repeated" },
    { "undeclared volumes", storage, "check_declared" },
    { "volumes with several writers", storage, "check_writers" },
    { "targets mounted twice", storage, "check_targets" },
    { "guests without cloud-init", host, "check_plain" },
    { "image files", host, "check_images" },
    { "names of shared directories", host, "check_source_names" },
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
