--- Checks of depends_on. Pure.
local lazy = require "holos.core.lazy"
local dag = require "holos.core.dag"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"

local M = {}

local function each_dependency(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for _, dependency in ipairs(service.depends_on) do
      visit({ "services", name, "depends_on", dependency.service }, dependency, service)
    end
  end
end

-- A service that is there and left out: who needs it has to ask for it.
local function report_disabled(keys, dependency, service, report)
  report(keys, ('service "%s" is left out: none of its profiles is asked for'):format(dependency.service),
    ("ask for one: --profile %s"):format(service.profiles[1]))
end

--- Every dependency is a service of this file that is not left out, but for those that are not required.
function M.check_unknown(project, report)
  each_dependency(project, function(keys, dependency)
    local service = project.services[dependency.service]
    if service and service.is_enabled or not dependency.required then return end
    if service then return report_disabled(keys, dependency, service, report) end
    local close = text.nearest(dependency.service, tables.keys(project.services))
    report(keys, ('there is no service "%s"'):format(dependency.service),
      close and ('did you mean "%s"?'):format(close))
  end)
end

-- Whether every service comes after those it needs: the common case, told without a search.
local function is_in_order(project)
  local passed, sorted = {}, true
  for _, name in ipairs(project.order) do
    for _, dependency in ipairs(project.services[name].depends_on) do
      sorted = sorted and (passed[dependency.service] or not project.services[dependency.service])
    end
    passed[name] = true
  end
  return sorted
end

--- No service waits for itself, however long the way.
function M.check_cycles(project, report)
  if is_in_order(project) then return end
  local names = project.order
  local order, chain, cycle = dag.order(names, function(name)
    return tables.map(project.services[name].depends_on, function(dependency) return dependency.service end)
  end)
  if order then return end
  report({ "services", cycle[1], "depends_on", cycle[2] }, "services wait for each other: " .. chain,
    "take one of these dependencies out")
end

--- Who waits for health needs somebody who checks it.
function M.check_conditions(project, report)
  each_dependency(project, function(keys, dependency)
    local other = project.services[dependency.service]
    if dependency.condition ~= "healthy" or not other or other.healthcheck then return end
    report(keys, ('service "%s" has no healthcheck to wait for'):format(dependency.service),
      "give it one, or write condition: service_started")
  end)
end

return M
