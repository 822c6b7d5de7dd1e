--- Checks of names and numbers of instances. Pure.

local M = {}

local LABEL_BYTES = 63      -- RFC 1123: a host name's label
local MOST_INSTANCES = 253  -- a /24 network less its own, the host's and the broadcast address

--- A service called "web-1" beside two replicas of "web": two machines would answer to one name.
function M.check_clashes(project, report)
  for _, name in ipairs(project.order) do
    local stem, number = name:match("^(.+)%-(%d+)$")
    local other = stem and project.services[stem]
    local index = other and tostring(math.tointeger(tonumber(number))) == number and math.tointeger(tonumber(number))
    if index and index < other.replicas then
      report({ "services", name }, ('the name is that of instance %d of service "%s"'):format(index, stem))
    end
  end
end

local function any_container_name(project)
  for _, service in pairs(project.services) do
    if service.container_name then return true end
  end
  return false
end

-- The names that stand for machines on command lines and in guests, and whose they are: of services and of instances.
local function name_owners(project)
  local owners = {}
  for _, name in ipairs(project.order) do
    owners[name] = name
    for index = 0, project.services[name].replicas - 1 do owners[("%s-%d"):format(name, index)] = name end
  end
  return owners
end

--- A container_name is that of one instance, and of no other.
function M.check_container_names(project, report)
  if not any_container_name(project) then return end
  local owners = name_owners(project)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local given, keys = service.container_name, { "services", name, "container_name" }
    if given and service.replicas > 1 then
      report(keys, ("%d instances cannot have one name"):format(service.replicas), "leave it out, or keep one instance")
    elseif given and owners[given] and owners[given] ~= name then
      report(keys, given == owners[given] and ('"%s" is the name of a service'):format(given)
        or ('"%s" is the name of an instance of service %s'):format(given, owners[given]))
    end
    if given then owners[given] = name end
  end
end

--- Instance names are host names.
function M.check_lengths(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local instance = ("%s-%d"):format(name, service.replicas - 1)
    if #name <= LABEL_BYTES and #instance > LABEL_BYTES then
      report({ "services", name }, ('the instance name "%s" is longer than %d bytes'):format(instance, LABEL_BYTES))
    end
  end
end

--- Every instance has an address on the project's network.
function M.check_count(project, report)
  local count = 0
  for _, name in ipairs(project.order) do count = count + project.services[name].replicas end
  if count > MOST_INSTANCES then
    report({ "services" }, ("%d instances in all; one project has room for %d"):format(count, MOST_INSTANCES))
  end
end

--- Labels below "holos." are ours.
function M.check_labels(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for label in pairs(service.labels) do
      if label:sub(1, 6) == "holos." then
        report({ "services", name, "labels", label }, 'labels that start with "holos." are reserved')
      end
    end
  end
end

return M
