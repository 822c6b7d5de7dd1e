--- What services are told: `environment` over `env_file`, and `labels` over `label_file`. Pure: files are read by a
--- function that is handed in, and only those of services that are enabled.
local json = require "holos.core.json"

local M = {}

---@class holos.VariableFacts
---@field file fun(entry: {path: string, required: boolean, format: string?}, keys: table): holos.EnvFile?  the variables
---  of a file; what is wrong with it is reported by the function
---@field variable fun(name: string): string?  of the project's environment

local function take(values, entries, keys, key, facts)
  for position, entry in ipairs(entries or {}) do
    local parsed = entry and facts.file(entry, { keys[1], keys[2], key, position })
    for name, value in pairs(parsed and parsed.values or {}) do values[name] = value end
  end
end

--- The environment of a service: its files in their order, then its own words. A name without a value takes the one of the
--- project's environment, and is absent when there is none.
---@param service table  of the checked tree
---@param keys table     {"services", name}
---@return table<string, string>
function M.environment(service, keys, facts)
  local values = {}
  take(values, service.env_file, keys, "env_file", facts)
  for name, value in pairs(service.environment or {}) do
    if value == json.null then value = facts.variable(name) end
    values[name] = value
  end
  return values
end

--- The labels of a service: its files in their order, then its own words.
---@return table<string, string>
function M.labels(service, keys, facts)
  local values, entries = {}, {}
  for position, path in ipairs(service.label_file or {}) do entries[position] = path and { path = path, required = true } end
  take(values, entries, keys, "label_file", facts)
  for name, value in pairs(service.labels or {}) do values[name] = value end
  return values
end

local HOOKS = { "post_start", "pre_stop" }

-- The variables of commands that run at a start and before a stop.
local function fill_hooks(service, facts)
  for _, key in ipairs(HOOKS) do
    for _, hook in ipairs(service[key] or {}) do
      if hook.environment then hook.environment = M.environment({ environment = hook.environment }, {}, facts) end
    end
  end
end

--- Lays both into the services of a project that are enabled.
---@param tree table     checked, with absolute paths
---@param project table
---@param facts holos.VariableFacts
function M.fill(tree, project, facts)
  for _, name in ipairs(project.order) do
    local wanted, service = tree.services[name], project.services[name]
    if wanted.environment or wanted.env_file then
      service.environment = M.environment(wanted, { "services", name }, facts)
    end
    fill_hooks(service, facts)
    if wanted.label_file then service.labels = M.labels(wanted, { "services", name }, facts) end
  end
end

return M
