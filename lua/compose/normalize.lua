--- A checked tree to the project that the rest of holos works with. Pure.
--
-- Nothing is decided here but names: defaults are in the schema, and the checks across services are in compose.rules.
local dag = require "holos.core.dag"
local health = require "holos.compose.health"
local image = require "holos.compose.image"
local path = require "holos.core.path"
local schema = require "holos.compose.schema.cloud_init"
local tables = require "holos.core.table"

local M = {}

--- Whether a text can name a project; the file's own name is held against the same rule by the schema.
function M.is_name(text)
  return #text <= 63 and text:find("^[a-z0-9][a-z0-9-]*$") ~= nil and text:sub(-1) ~= "-"
end

--- The project name that a directory suggests; "" when nothing of it can stand in one.
function M.derived_name(directory)
  local name = path.base(directory):lower():gsub("[ _.]", "-"):gsub("[^a-z0-9-]", "")
  return (name:gsub("^%-+", ""):sub(1, 63):gsub("%-+$", ""))
end

local function make_image(service, facts)
  if not service.image then return nil end
  local format = service.image_format or image.format_of(service.image) or facts.sniff(service.image) or "qcow2"
  return { path = service.image, format = format, os = service.image_os }
end

local function make_vm(vm)
  return {
    vcpu = vm.vcpu, memory_mib = vm.memory_mb, disk_bytes = vm.disk_size, machine = vm.machine,
    cpu_model = vm.cpu_model, accel = vm.accel, uefi = vm.uefi, extra_args = vm.extra_args,
    allow_paths = vm.allow_paths, run_as_root = vm.run_as_root,
  }
end

local function make_dependencies(depends_on)
  local list = tables.list {}
  if next(depends_on) == nil then return list end
  for name, dependency in tables.sorted_pairs(depends_on) do
    list[#list + 1] = { service = name, condition = dependency and dependency.condition or "auto" }
  end
  return list
end

-- The keys of cloud-config that holos passes on without reading them.
local function passed_on(cloud_init)
  local extra = {}
  for name, value in pairs(cloud_init) do
    local field = schema.fields[name]
    if field and field.passed then extra[name] = value end
  end
  return extra
end

-- What services without the key have; one for all of them.
local function no_cloud_init()
  return { ssh_authorized_keys = tables.list {}, packages = tables.list {}, write_files = tables.list {},
    bootcmd = tables.list {}, runcmd = tables.list {}, extra = {} }
end

local function make_cloud_init(name, cloud_init, facts)
  if not cloud_init then return facts.no_cloud_init end
  local file = cloud_init.user_data
  return {
    user = cloud_init.user, ssh_authorized_keys = cloud_init.ssh_authorized_keys, packages = cloud_init.packages,
    write_files = cloud_init.write_files, bootcmd = cloud_init.bootcmd, runcmd = cloud_init.runcmd,
    extra = passed_on(cloud_init),
    user_data = file and facts.read(file, { "services", name, "cloud_init", "user_data" }),
  }
end

local function make_healthcheck(check)
  if not health.is_wanted(check) then return nil end
  return {
    test = check.test, interval_ms = check.interval, timeout_ms = check.timeout, retries = check.retries,
    start_period_ms = check.start_period,
  }
end

--- One service of the project, in the shape of holos.Service.
---@param facts table  {sniff = function(path) → format | nil, read = function(path, keys) → text | nil, no_cloud_init =
---                    what is given to services without it}
function M.service(name, service, facts)
  return {
    name = name, replicas = service.replicas, image = make_image(service, facts), vm = make_vm(service.vm),
    ports = service.ports, mounts = service.volumes, depends_on = make_dependencies(service.depends_on),
    cloud_init = make_cloud_init(name, service.cloud_init, facts), stop_grace_ms = service.stop_grace_period,
    healthcheck = make_healthcheck(service.healthcheck), labels = service.labels, protect = service.protect,
    console_login = service.console_login,
  }
end

local function dependency_names(service)
  local names = {}
  for position, dependency in ipairs(service.depends_on) do names[position] = dependency.service end
  return names
end

-- Dependencies first, then by name. Where there is a cycle the order is by name, and a rule reports the cycle.
local function make_order(services)
  local names = tables.keys(services)
  local needs = {}
  for _, name in ipairs(names) do needs[name] = dependency_names(services[name]) end
  return tables.list(dag.order(names, function(name) return needs[name] end) or names)
end

local function make_volumes(declared, marks)
  local made = {}
  for name, volume in pairs(declared) do
    made[name] = { name = name, size_bytes = volume and volume.size, mark = marks[('volumes["%s"]'):format(name)] }
  end
  return made
end

--- The project, in the shape of holos.Project.
---@param tree table     checked, with absolute paths
---@param context table  {name, directory, files, marks, facts}
function M.project(tree, context)
  local services = {}
  context.facts.no_cloud_init = no_cloud_init()
  for name, service in pairs(tree.services) do services[name] = M.service(name, service, context.facts) end
  return {
    name = context.name, directory = context.directory, files = context.files, services = services,
    order = make_order(services), volumes = make_volumes(tree.volumes, context.marks), marks = context.marks,
  }
end

return M
