--- What commands come to, told again in a few lines: a state machine of one project with a service db (one instance, on the
--- volume data) and a service web (replicas, needs db). tests/life/model_test.lua holds holos against it.
--
-- Disks are numbers. `expect.VERB(project, …)` changes the project as the command should and gives the exit status; an
-- instance whose process is to be another one loses its `pid`, one with a new disk its `disk`.
local tables = require "holos.core.table"

local M = {}

local GONE, REFUSED, FAILED, USAGE = nil, 3, 1, 64

--- A project that nobody has brought up yet.
function M.new(name)
  return { name = name, file = { replicas = 1, memory = 512, image = "image.qcow2", has_web = true },
    instances = {}, is_recorded = false, volume = GONE, trash = {} }
end

--- Names of instances that the file wants of some services, nil for all.
local function wanted(project, services, replicas)
  local names = {}
  if not services or services.db then names[#names + 1] = "db-0" end
  if project.file.has_web and (not services or services.web) then
    for i = 0, (replicas or project.file.replicas) - 1 do names[#names + 1] = "web-" .. i end
  end
  return names
end

local function service_of(name) return name:match("^%a+") end

-- Takes instances out of the project, into one batch of the trash.
local function throw_away(project, names)
  local batch = { instances = {} }
  for _, name in ipairs(names) do
    batch.instances[name] = project.instances[name]
    project.instances[name] = nil
  end
  if next(batch.instances) then project.trash[#project.trash + 1] = batch end
  return batch
end

local function surplus(project, services, replicas)
  local keep, names = {}, {}
  for _, name in ipairs(wanted(project, nil, replicas)) do keep[name] = true end
  for _, name in ipairs(tables.keys(project.instances)) do
    if not keep[name] and services[service_of(name)] then names[#names + 1] = name end
  end
  return names
end

local function start(instance)
  if not instance.is_running then instance.is_running, instance.pid = true, nil end
end

local function create(project, name)
  project.instances[name] = { memory = project.file.memory, image = project.file.image }
  start(project.instances[name])
end

local function is_asked(project, instance)
  return instance.image ~= project.file.image and instance.kept ~= project.file.image
end

local function recreate(project, name)
  throw_away(project, { name })
  project.trash[#project.trash].is_of_recreate = true
  create(project, name)
end

-- A recorded instance as the file says, but for its disk.
local function update(project, instance)
  if instance.memory ~= project.file.memory then instance.memory, instance.is_running = project.file.memory, false end
  if instance.image == project.file.image then instance.kept = nil end
  start(instance)
end

local function managed(project, services)
  local set = services or { db = true, web = project.file.has_web or nil }
  return { db = set.db, web = project.file.has_web and set.web or nil }
end

M.expect = {}
local expect = M.expect

--- `up [SERVICE]`.
---@param at {services: table<string, boolean>?, answer: "recreate"|"keep"|nil, force: boolean?, remove_orphans: boolean?}
function expect.up(project, at)
  if at.services and at.services.web and not project.file.has_web then return USAGE end
  local names = wanted(project, at.services)
  for _, name in ipairs(names) do
    local instance = project.instances[name]
    if instance and is_asked(project, instance) and not at.answer and not at.force then return REFUSED end
  end
  project.is_recorded, project.volume = true, project.volume or "new"
  local gone = surplus(project, managed(project, at.services))
  if at.remove_orphans and not project.file.has_web then
    for _, name in ipairs(tables.keys(project.instances)) do
      if service_of(name) == "web" then gone[#gone + 1] = name end
    end
  end
  throw_away(project, gone)
  for _, name in ipairs(names) do
    local instance = project.instances[name]
    if not instance then
      create(project, name)
    elseif at.force or at.answer == "recreate" and instance.image ~= project.file.image then
      recreate(project, name)
    else
      if at.answer == "keep" and is_asked(project, instance) then instance.kept = project.file.image end
      update(project, instance)
    end
  end
  return 0
end

--- `scale web=COUNT`: what is recorded is left as it is, but for being started.
function expect.scale(project, count)
  if not project.file.has_web then return USAGE end
  project.is_recorded, project.volume = true, project.volume or "new"
  throw_away(project, surplus(project, { web = true }, count))
  for _, name in ipairs(wanted(project, nil, count)) do
    local instance = project.instances[name]
    if instance then start(instance) else create(project, name) end
  end
  return 0
end

--- The instances that a word names, all without one; nil when there are none of it.
local function chosen(project, service)
  local names = {}
  for _, name in ipairs(tables.keys(project.instances)) do
    if not service or service_of(name) == service then names[#names + 1] = name end
  end
  return (#names > 0 or not service) and names or nil
end

function expect.stop(project, service)
  local names = chosen(project, service)
  if not project.is_recorded or not names then return FAILED end
  for _, name in ipairs(names) do project.instances[name].is_running = false end
  return 0
end

function expect.start(project, service)
  local names = chosen(project, service)
  if not project.is_recorded or not names then return FAILED end
  for _, name in ipairs(names) do start(project.instances[name]) end
  return 0
end

function expect.down(project, service, with_volumes)
  local names = chosen(project, service)
  if not project.is_recorded then return 0 end -- the file in reach has it, and nothing of it is there
  if not names then return FAILED end
  local batch = throw_away(project, names)
  if with_volumes and not next(project.instances) and project.volume then
    if #names == 0 then project.trash[#project.trash + 1] = batch end
    batch.volume, project.volume = project.volume, GONE
  end
  if not next(project.instances) and not project.volume then project.is_recorded = false end
  return 0
end

--- `trash restore`: the newest batch, stopped; refused where something stands in its place.
function expect.restore(project)
  local batch = project.trash[#project.trash]
  if not batch then return FAILED end
  for name in pairs(batch.instances) do
    if project.instances[name] then return REFUSED end
  end
  if batch.volume and project.volume then return REFUSED end
  project.trash[#project.trash] = nil
  for name, instance in pairs(batch.instances) do
    instance.is_running = false
    project.instances[name] = instance
  end
  project.volume, project.is_recorded = project.volume or batch.volume, true
  return 0
end

function expect.empty(project)
  if #project.trash == 0 then return project.is_recorded and 0 or FAILED end
  project.trash = {}
  return 0
end

--- `plan --exit-code`: 10 when `up` would do something, or ask.
function expect.plan(project)
  local copy = tables.copy(project)
  local status = expect.up(copy, {})
  if status ~= 0 or not project.is_recorded then return 10 end
  for name, instance in pairs(copy.instances) do
    local now = project.instances[name]
    if not now or now.memory ~= instance.memory or now.is_running ~= instance.is_running then return 10 end
  end
  for name in pairs(project.instances) do
    if not copy.instances[name] then return 10 end
  end
  return copy.volume ~= project.volume and 10 or 0
end

--- Whether it is certain which batch a restore would take, and that what it puts back can be started without an up.
function M.can_restore(project)
  local batch = project.trash[#project.trash]
  return not batch or not batch.is_of_recreate and (project.volume or batch.volume) ~= nil
end

return M
