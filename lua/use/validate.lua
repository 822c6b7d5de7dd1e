--- validate: what a project is, every effect on the host that it will have, and whether the host has enough for it.
--- Effects: reads only.
local lazy = require "holos.core.lazy"
local base = require "holos.run.base"
local build = lazy "holos.run.build"
local capacity = lazy "holos.plan.capacity"
local effects = lazy "holos.plan.effects"
local err = require "holos.core.err"
local instance = lazy "holos.plan.instance"
local memory = lazy "holos.run.memory"
local neighbours = lazy "holos.plan.neighbours"
local network = lazy "holos.plan.network"
local observe = lazy "holos.run.observe"
local path = lazy "holos.core.path"
local ports = lazy "holos.plan.ports"
local record_ = lazy "holos.run.record"
local scope = lazy "holos.run.scope"
local summary = lazy "holos.plan.summary"
local table_ = require "holos.core.table"

local M = {}

local function image_findings(project, images)
  local findings = {}
  for _, name in ipairs(project.order) do
    local wanted = project.services[name].image
    local key, image = ("services.%s.image"):format(name), wanted and wanted.path and images[wanted.path]
    if image and image.error then
      local file, line, column = (project.marks[key] or ""):match("^(.*):(%d+):(%d+)$")
      findings[#findings + 1] = { path = key, message = image.error, hint = image.hint, file = file, line = line, column = column }
    end
  end
  return findings
end

--- Raises all problems with images that only reading them shows: hostile, of another format.
---@param images table<string, table>  by path, as run/base gives them
function M.require_images(project, images)
  local findings = image_findings(project, images)
  if #findings > 0 then err.findings(findings) end
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

local function any_port(project)
  for _, name in ipairs(project.order) do
    if #project.services[name].ports > 0 then return true end
  end
  return false
end

--- Ports that other projects want too.
---@return string[] warnings
function M.port_warnings(context)
  if not any_port(context.project) then return {} end
  local records = record_.all(context.world, context.state)
  records[context.name] = nil
  if not next(records) then return {} end
  return neighbours.warnings(neighbours.claims(records, context.name, {}), instances_of(context.project))
end

-- What services are built from, where any is.
local function builds_of(context)
  for _, service in pairs(context.project.services) do
    if service.build then return build.of_project(context.world, context.project, build.survey) end
  end
  return {}, {}
end

--- Raises when images cannot be used or what Dockerfiles copy is not there; adds what is to be said of this host to the
--- project's warnings.
---@return table<string, table> images  by path
---@return table<string, holos.Build> builds  by service, as of run/build.survey
function M.run(context)
  local images = base.of_project(context.world, context.project)
  local builds, missing = builds_of(context)
  local findings = table_.extend(image_findings(context.project, images), missing)
  if #findings > 0 then err.findings(findings) end
  table_.extend(context.project.warnings, M.port_warnings(context))
  return images, builds
end

-- A record that cannot be read is a reason to look at the file, not one to fail.
local function record_of(context, warnings)
  local ok, known = pcall(record_.load, context.world, context.state, context.name)
  if not ok and not err.is(known) then error(known, 0) end
  if not ok then warnings[#warnings + 1] = known.message end
  return ok and known or record_.new(context.name, context.project.directory, context.project.files)
end

local function leases_of(context, record, warnings)
  local world = context.world
  local records = record_.all(world, context.state)
  records[context.name] = nil
  local leases, findings, notices = network.leases(context.project, instance.list(context.project, record), record,
    { sha256 = world.hash.sha256, routes = world.net.routes() or {}, records = records })
  table_.extend(warnings, notices)
  for _, finding in ipairs(findings) do warnings[#warnings + 1] = finding.message end
  return leases
end

local function running_of(context, record)
  local running = {}
  for name in pairs(record.instances) do
    local ok, is_running = pcall(observe.is_running, context.world, context.state, record.name, name)
    running[name] = ok and is_running or nil
  end
  return running
end

--- Scripts that lie where a project's scripts lie.
local function scripts_of(context)
  local directory, found = context.project.directory, table_.list {}
  if context.world.fs.stat(directory .. "/holos.lua") then found[1] = directory .. "/holos.lua" end
  for _, entry in ipairs(context.world.fs.list(directory .. "/hooks") or {}) do
    if entry.name:find("%.lua$") then found[#found + 1] = ("%s/hooks/%s"):format(directory, entry.name) end
  end
  table.sort(found)
  return found
end

-- The free space where state will be: in the nearest directory that is there.
local function free_bytes(context)
  local fs, directory = context.world.fs, context.state.root
  while not fs.stat(directory) and path.parent(directory) ~= directory do directory = path.parent(directory) end
  return (fs.space(directory) or {}).free_bytes
end

-- The systemd scope that what runs would be in.
local function scope_of(context, warnings)
  local foreseen = scope.foreseen(context.world, context.name)
  warnings[#warnings + 1] = foreseen and foreseen.warning
  return foreseen
end

--- Everything that a project is and does here.
---@param images table<string, table>  as of `run`
---@return table result  as plan/summary wants it, with {warnings}
---@param builds table<string, holos.Build>  the same
function M.describe(context, images, builds)
  local world, state, project, warnings = context.world, context.state, context.project, table_.list {}
  local record = record_of(context, warnings)
  local facts = { images = images, builds = builds, record = record, reads = context.reads, scripts = scripts_of(context),
    leases = leases_of(context, record, warnings), volumes = observe.volumes(world, state, context.name),
    uid = world.host.uid(), sha256 = world.hash.sha256, scope = scope_of(context, warnings),
    directory = state:instances(context.name), exists = function(file) return world.fs.stat(file) ~= nil end }
  local wanted = capacity.of(project, instance.list(project, record), effects.new_disks(project, facts),
    { running = running_of(context, record), memory = memory.look(world), free_bytes = free_bytes(context),
      directory = state.root, cpu_count = world.host.cpu_count() })
  return { project = project.name, directory = project.directory, services = summary.services(project),
    effects = effects.of(project, facts), capacity = wanted, warnings = warnings }
end

return M
