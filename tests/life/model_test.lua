-- Random commands on three projects of one state directory; after each one, what is there is what tests/support/model says:
-- which VMs run and that those which nobody touched are the same processes, every disk by a mark in its directory, records,
-- volumes, trash, exit status. HOLOS_TEST_SEED repeats a run, HOLOS_TEST_VERBS sets how many.
local crash = require "tests.support.crash"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local model = require "tests.support.model"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local tables = require "holos.core.table"
local task = require "holos.core.task"

local expect = model.expect
local VERBS = tonumber(files.environment("HOLOS_TEST_VERBS")) or crash.IS_FULL and 2000 or 60
local SEED = tonumber(files.environment("HOLOS_TEST_SEED")) or os.time()
local HISTORY = 12 -- so many commands of the same project are shown with what went wrong
local PROJECTS = { "ant", "bee", "cat" }
local FILE_MODE = tonumber("600", 8)
local random = math.random

local function pick(list) return list[random(#list)] end

-- -- the world ------------------------------------------------------------------------------------------------------------

local function text_of(project)
  local file = project.file
  local service = ("image: ../%s, image_os: plain, stop_grace_period: 1s, vm: {memory_mb: %d}"):format(file.image, file.memory)
  local lines = { "name: " .. project.name, "services:", ("  db: {%s, volumes: ['data:/data']}"):format(service),
    file.has_web and ("  web: {%s, replicas: %d, depends_on: [db], ports: ['0:80']}"):format(service, file.replicas) or "",
    "volumes: {data: {size: 64M}}" }
  return table.concat(lines, "\n") .. "\n"
end

local function write_file(world, project)
  files.write(("%s/%s/holos.yaml"):format(world.stack.directory, project.name), text_of(project))
end

local function new_world()
  local stack = stack_.new { yaml = "# each project has a directory of its own\n", in_memory = true }
  stack.qemu = fake_qemu.install {}
  local world = { stack = stack, projects = {}, marks = 0 }
  for _, image in ipairs { "image.qcow2", "other.qcow2" } do
    assert(qcow2.create(stack.directory .. "/" .. image, { size_bytes = 1 << 20 }))
  end
  for i, name in ipairs(PROJECTS) do
    world.projects[i] = model.new(name)
    world.projects[i].history = {}
    write_file(world, world.projects[i])
  end
  return setmetatable(world, { __close = function()
    for _, name in ipairs(PROJECTS) do pcall(stack.run, stack, { "down", "-p", name, "--volumes", "--purge" }) end
    stack:close()
  end })
end

local function holos(world, project, words)
  return world.stack:run { "-f", project.name .. "/holos.yaml", table.unpack(words) }
end

-- -- the verbs: fn(world, project) → the words, the status they should end with -------------------------------------------

local verbs = {}

function verbs.up(_, project)
  local services = pick { {}, {}, { "db" }, { "web" } }
  local set = services[1] and { db = true, web = services[1] == "web" or nil } or nil
  local at = { services = set, answer = pick { false, false, "recreate", "keep" } or nil, remove_orphans = random(4) == 1 }
  local words = { "up", table.unpack(services) }
  if at.answer then words[#words + 1] = "--" .. at.answer end
  if at.remove_orphans then words[#words + 1] = "--remove-orphans" end
  return words, expect.up(project, at)
end

function verbs.force(_, project) return { "up", "--force-recreate" }, expect.up(project, { force = true }) end

function verbs.scale(_, project)
  local count = random(0, 3)
  return { "scale", "web=" .. count }, expect.scale(project, count)
end

local function service() return pick { false, false, "web", "db" } or nil end

function verbs.stop(_, project)
  local name = service()
  return { "stop", name }, expect.stop(project, name)
end

function verbs.start(_, project)
  if not project.volume then return nil end -- db needs it; only an up makes it
  local name = service()
  return { "start", name }, expect.start(project, name)
end

function verbs.down(_, project)
  local name, with_volumes = service(), random(3) == 1
  return { "down", with_volumes and "--volumes" or "--timeout=5s", name }, expect.down(project, name, with_volumes)
end

function verbs.restore(_, project)
  if not model.can_restore(project) then return nil end
  return { "trash", "restore", project.name }, expect.restore(project)
end

function verbs.empty(_, project) return { "trash", "empty", "--yes", project.name }, expect.empty(project) end

function verbs.plan(_, project) return { "plan", "--exit-code" }, expect.plan(project) end

function verbs.edit(world, project)
  local file = project.file
  local key = pick { "replicas", "memory", "image", "has_web" }
  if key == "replicas" then file.replicas = random(0, 3) end
  if key == "memory" then file.memory = pick { 256, 512, 768 } end
  if key == "image" then file.image = pick { "image.qcow2", "other.qcow2" } end
  if key == "has_web" then file.has_web = random(3) > 1 end
  write_file(world, project)
  return { "validate" }, 0
end

--- A QEMU dies: nothing brings it back but a command.
function verbs.kill(_, project)
  local running = tables.filter(tables.keys(project.instances), function(name) return project.instances[name].is_running end)
  if #running == 0 then return nil end
  local instance = project.instances[pick(running)]
  local process <close> = proc.open(instance.pid, proc.identity(instance.pid).start_time)
  process:signal("KILL")
  task.within(5000, task.wait, { process = process })
  instance.is_running = false
  return { "ps" }, 0
end

--- The file is broken, and down goes by what is recorded.
function verbs.broken(world, project)
  files.write(("%s/%s/holos.yaml"):format(world.stack.directory, project.name), "services: [\n")
  local status = project.is_recorded and expect.down(project) or 1
  equal(world.stack:run({ "down", "-p", project.name }).status, status, "down without a file")
  write_file(world, project)
  return { "validate" }, 0
end

-- Repeated ones come more often.
local DECK = { "up", "up", "up", "up", "edit", "edit", "edit", "scale", "scale", "stop", "stop", "start", "start", "down",
  "restore", "restore", "empty", "plan", "plan", "kill", "kill", "force", "broken" }

-- -- what is there ----------------------------------------------------------------------------------------------------------

local function processes(world)
  local found = {}
  for _, pid in ipairs(world.stack:pids()) do
    local words = fs.read("/proc/" .. pid .. "/cmdline", { max_bytes = 1 << 20 }) or ""
    found[words:match("guest=([^,%z]+)") or "?"] = pid
  end
  return found
end

local function mark_of(directory) return math.tointeger(tonumber(files.read(directory .. "/mark") or "")) end

-- A new disk has no mark yet; it gets one that no disk had before.
local function compare_disk(world, project, name, instance, where)
  local directory = ("%s/instances/%s/%s"):format(world.stack.state, project.name, name)
  equal(mark_of(directory), instance.disk, ("%s: the disk of %s"):format(where, name))
  equal(qcow2.info(directory .. "/root.qcow2").backing:match("[^/]+$"), instance.image, where .. ": base of " .. name)
  if instance.disk then return end
  world.marks = world.marks + 1
  instance.disk = world.marks
  assert(fs.write_atomic(directory .. "/mark", tostring(world.marks), { mode = FILE_MODE, sync = false }))
end

local function compare_process(project, name, instance, found, where)
  local label = project.name .. "/" .. name
  equal(found[label] ~= nil, instance.is_running or false, where .. ": whether it runs, " .. label)
  if instance.is_running then
    if instance.pid then equal(found[label], instance.pid, where .. ": the same process, " .. label)
    else ok(found[label] ~= instance.last_pid, where .. ": another process, " .. label) end
    instance.pid, instance.last_pid = found[label], found[label]
  end
  found[label] = nil
end

local function found_in_trash(world, project)
  local marks, volumes = {}, 0
  for _, file in ipairs(files.below(world.stack.state .. "/trash/" .. project.name, "/[^/]+$")) do
    if file:find("/mark$") then marks[#marks + 1] = mark_of(file:match("^(.*)/")) end
    if file:find("/volumes/data%.qcow2$") then volumes = volumes + 1 end
  end
  table.sort(marks)
  return marks, volumes
end

local function expected_trash(project)
  local marks, volumes = {}, 0
  for _, batch in ipairs(project.trash) do
    for _, instance in pairs(batch.instances) do marks[#marks + 1] = instance.disk end
    if batch.volume then volumes = volumes + 1 end
  end
  table.sort(marks)
  return marks, volumes
end

local function compare_record(world, project, where)
  local text = fs.read(("%s/projects/%s.json"):format(world.stack.state, project.name))
  equal(text ~= nil, project.is_recorded, where .. ": whether there is a record")
  local record = text and assert(json.decode(text, {})) or { instances = {} }
  equal(tables.keys(record.instances), tables.keys(project.instances), where .. ": instances of the record")
  for name, entry in pairs(record.instances) do
    equal(entry.spec.vm.memory_mib, project.instances[name].memory, where .. ": memory of " .. name)
  end
  equal(fs.stat(("%s/volumes/%s/data.qcow2"):format(world.stack.state, project.name)) ~= nil, project.volume ~= nil,
    where .. ": whether there is a volume")
end

local function compare(world, where)
  local found = processes(world)
  for _, project in ipairs(world.projects) do
    compare_record(world, project, where)
    for name, instance in pairs(project.instances) do
      compare_process(project, name, instance, found, where)
      compare_disk(world, project, name, instance, where)
    end
    equal({ found_in_trash(world, project) }, { expected_trash(project) }, where .. ": the trash of " .. project.name)
  end
  equal(found, {}, where .. ": nothing else runs")
  crash.require_no_orphans(world.stack, where)
end

-- -- the test ---------------------------------------------------------------------------------------------------------------

-- The stand-in for QEMU has no sshd, so its guests are never told the names of others: that this is to be done is no change here.
local function planned(result)
  if result.stderr:find "refused: " or result.stderr:find "This needs a decision: " then return result.status end
  for row in result.stdout:gmatch("[^\n]+") do
    if row:find("^  [~+-] ") and not row:find("  live   hosts ", 1, true) then return result.status end
  end
  return result.status == 10 and 0 or result.status
end

local function step(world, number)
  local project = pick(world.projects)
  local verb = pick(DECK)
  local words, status = verbs[verb](world, project)
  if not words then return step(world, number) end
  local history = project.history
  history[#history + 1] = ("%d %s (%s)"):format(number, table.concat(words, " "), verb)
  local where = ("seed %d, %s: %s"):format(SEED, project.name, table.concat(history, ", ", math.max(1, #history - HISTORY)))
  local result = holos(world, project, words)
  local got = verb == "plan" and planned(result) or result.status
  ok(got == status, ("%s: status %s, want %d\n%s%s"):format(where, result.status or result.signal, status, result.stdout,
    result.stderr))
  compare(world, where)
end

test(("%d random commands on three projects do what the model says"):format(VERBS), function()
  math.randomseed(SEED)
  local world <close> = new_world()
  for number = 1, VERBS do step(world, number) end
  io.stdout:write(("        %d commands, seed %d\n"):format(VERBS, SEED))
  io.stdout:flush()
end, { timeout_ms = 4 * 3600000 })
