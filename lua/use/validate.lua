--- validate: what a project is, and every effect on the host that it will have. Effects: reads only.
local lazy = require "holos.core.lazy"
local base = require "holos.run.base"
local err = require "holos.core.err"
local machine = lazy "holos.plan.machine"
local neighbours = lazy "holos.plan.neighbours"
local network = lazy "holos.plan.network"
local ports = lazy "holos.plan.ports"
local record = lazy "holos.run.record"
local table_ = require "holos.core.table"

local M = {}

--- Raises all problems with images that only reading them shows: hostile, of another format.
---@param images table<string, table>  by path, as run/base gives them
function M.require_images(project, images)
  local findings = {}
  for _, name in ipairs(project.order) do
    local wanted = project.services[name].image
    local key, image = ("services.%s.image"):format(name), wanted and images[wanted.path]
    if image and image.error then
      local file, line, column = (project.marks[key] or ""):match("^(.*):(%d+):(%d+)$")
      findings[#findings + 1] = { path = key, message = image.error, file = file, line = line, column = column }
    end
  end
  if #findings > 0 then err.findings(findings) end
end

local function host_words(port)
  if port.host_to then return ("%d-%d"):format(port.host, port.host_to) end
  return port.host == 0 and "any" or port.host
end

local function files_read(project, service, add)
  if service.image then add("reads", service.image.path, "the base image") end
  for _, file in ipairs(machine.host_files(service)) do add("reads", file.path, ("%s of %s"):format(file.what, service.name)) end
  for _, kind in ipairs { "configs", "secrets" } do
    for _, grant in ipairs(service[kind] or {}) do
      local source = ((project[kind] or {})[grant.key] or {}).source or {}
      local what = source.kind == "file" and source.path or source.kind == "environment" and "$" .. source.variable
      if what then add("reads", what, ("%s %s, for %s"):format(kind:sub(1, -2), grant.key, service.name)) end
    end
  end
end

local function service_effects(project, service, add)
  files_read(project, service, add)
  for _, mount in ipairs(service.mounts) do
    if mount.kind == "bind" then
      add("shares", mount.source, ("%s in %s, %s"):format(mount.target, service.name,
        mount.read_only and "read-only" or "read and write"))
    end
  end
  for index = 0, service.replicas - 1 do
    for _, port in ipairs(ports.of_instance(service, index)) do
      add("listens", ("%s:%s/%s"):format(port.host_ip, host_words(port), port.protocol),
        ("port %d of %s-%d"):format(port.guest, service.name, index))
    end
  end
  if #service.vm.extra_args > 0 then
    add("passes", table.concat(service.vm.extra_args, " "), "extra_args of " .. service.name .. ", as they are")
  end
end

--- What the project does on the host, line by line.
---@return {verb: string, what: string, why: string}[]
function M.effects(project)
  local effects = table_.list {}
  local function add(verb, what, why) effects[#effects + 1] = { verb = verb, what = tostring(what), why = why } end
  for _, name in ipairs(project.order) do service_effects(project, project.services[name], add) end
  for _, volume in table_.sorted_pairs(project.volumes) do add("keeps", "volume " .. volume.name, "survives down") end
  for _, name in ipairs(project.order) do
    if network.reaches_host(project, project.services[name]) then
      add("lets in", network.HOST_GATEWAY, "guests reach services on the host's loopback by this address")
      break
    end
  end
  return effects
end

-- The instances that a project would have, with their ports.
local function instances_of(project)
  local instances = {}
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for index = 0, service.replicas - 1 do
      instances[#instances + 1] = { name = ("%s-%d"):format(name, index), ports = ports.of_instance(service, index) }
    end
  end
  return instances
end

--- Ports that other projects want too.
---@return string[] warnings
function M.port_warnings(context)
  local records = record.all(context.world, context.state)
  records[context.name] = nil
  if not next(records) then return {} end
  return neighbours.warnings(neighbours.claims(records, context.name, {}), instances_of(context.project))
end

--- Raises when images cannot be used; adds what is to be said of this host to the project's warnings.
function M.run(context)
  M.require_images(context.project, base.of_project(context.world, context.project))
  table_.extend(context.project.warnings, M.port_warnings(context))
end

return M
