--- One service of a checked tree to one of the project. Pure.
--
-- What every service has is made here; what few have is laid in by the fillers of each subject, which are looked up by
-- the keys that the service has: most of a hundred keys are in no file.
local lazy = require "holos.core.lazy"
local cloud_init_schema = lazy "holos.compose.schema.cloud_init"
local health = lazy "holos.compose.health"
local life = require "holos.compose.normalize.life"
local machine = require "holos.compose.normalize.machine"
local network = require "holos.compose.normalize.network"
local process = require "holos.compose.normalize.process"
local sizes = require "holos.compose.normalize.sizes"
local storage = require "holos.compose.normalize.storage"
local tables = require "holos.core.table"

local M = {}

local fillers = {}
for _, subject in ipairs { machine, network, process, storage } do
  for key, fill in pairs(subject.fillers) do fillers[key] = fill end
end

function fillers.annotations(made, annotations) made.annotations = annotations end
function fillers.attach(made, attach) made.attach = attach end
function fillers.ready(made, ready) made.ready = ready end

local FETCHES = { never = false, missing = false, if_not_present = false, build = false }

function fillers.pull_policy(made, policy, context)
  made.pull_policy = policy
  local image = made.image
  if FETCHES[policy] == nil and image and image.path and not image.name then
    context.warn({ "services", made.name, "pull_policy" }, "has no effect: the image is a file, and nothing fetches it")
  end
end

function fillers.pull_refresh_after(made, age) made.pull_refresh_after = age end

local function make_dependencies(depends_on)
  local list = tables.list {}
  if not depends_on then return list end
  for name, wanted in tables.sorted_pairs(depends_on) do
    list[#list + 1] = {
      service = name, condition = wanted.condition or "auto", required = wanted.required ~= false,
      restart = wanted.restart or false,
    }
  end
  return list
end

-- The keys of cloud-config that holos passes on without reading them.
local function passed_on(cloud_init)
  local extra = {}
  for name, value in pairs(cloud_init) do
    local field = cloud_init_schema.fields[name]
    if field and field.passed then extra[name] = value end
  end
  return extra
end

--- What services without a word about it have; one for all of them.
function M.no_cloud_init()
  return { ssh_authorized_keys = tables.list {}, packages = tables.list {}, write_files = tables.list {},
    bootcmd = tables.list {}, runcmd = tables.list {}, extra = {} }
end

local function make_cloud_init(name, cloud_init, context)
  if not cloud_init then return context.no_cloud_init end
  local facts = context.facts
  local file = cloud_init.user_data
  return {
    user = cloud_init.user, ssh_authorized_keys = cloud_init.ssh_authorized_keys, packages = cloud_init.packages,
    write_files = cloud_init.write_files, bootcmd = cloud_init.bootcmd, runcmd = cloud_init.runcmd,
    extra = passed_on(cloud_init),
    user_data = file and facts.read(file, { "services", name, "cloud_init", "user_data" }),
  }
end

local function make_healthcheck(check)
  if not check or not health.is_wanted(check) then return nil end
  return {
    test = check.test, interval_ms = check.interval, timeout_ms = check.timeout, retries = check.retries,
    start_period_ms = check.start_period, start_interval_ms = check.start_interval,
  }
end

-- Whether one of the profiles is asked for; "*" asks for all.
local function is_enabled(profiles, wanted)
  if not profiles or #profiles == 0 then return true end
  for _, profile in ipairs(profiles) do
    if profile and (wanted[profile] or wanted["*"]) then return true end
  end
  return false
end

--- One service of the project, in the shape of holos.Service.
---@param context table  {facts = {sniff, read, image}, report, warn, place, profiles = {[name] = true}, default_networks,
---  no_cloud_init}
function M.make(name, service, context)
  local vm = machine.vm(service.vm)
  local made = {
    name = name, replicas = sizes.fill(context, name, service, vm), image = machine.image(name, service, context), vm = vm,
    ports = service.ports, mounts = storage.name_mounts(name, service.volumes),
    depends_on = make_dependencies(service.depends_on), cloud_init = make_cloud_init(name, service.cloud_init, context),
    stop_grace_ms = service.stop_grace_period, healthcheck = make_healthcheck(service.healthcheck),
    labels = service.labels or {}, protect = service.protect, console_login = service.console_login,
    restart = life.restart(service), logging = life.logging(service),
    profiles = service.profiles, is_enabled = is_enabled(service.profiles, context.profiles),
  }
  for key, value in next, service do
    local fill = fillers[key]
    if fill then fill(made, value, context, service) end
  end
  made.networks = made.networks or context.default_networks
  return made
end

return M
