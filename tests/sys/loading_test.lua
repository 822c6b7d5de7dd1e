--- What commands load and compute, counted: times differ from machine to machine, these do not. `make bench` has the times.

local files = require "tests.support.files"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"

-- Runs a command in this process; writes the names of the loaded modules and the number of executed VM instructions.
-- Hooks are of one coroutine; the command runs in one of its own.
local COUNTING = [[
local STEP, count = 100, 0
local function hook() count = count + STEP end
local create = coroutine.create
function coroutine.create(fn)
  local thread = create(fn)
  debug.sethook(thread, hook, "", STEP)
  return thread
end
local main = require "holos.main"
debug.sethook(hook, "", STEP)
local status = main { [0] = "holos", table.unpack(arg) }
debug.sethook()
io.stderr:write(count, "\n")
for name in pairs(package.loaded) do
  if name:find("^holos%.") and name ~= "holos.command.lua" and not name:find("^holos%.script%.") then
    io.stderr:write(name, "\n")
  end
end
return status
]]

local function environment()
  return { "HOLOS_STATE_DIR=" .. tmpdir(), "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") }
end

local function counted(...)
  local script = tmpdir() .. "/counting.lua"
  files.write(script, COUNTING)
  local result = run_tool({ host.executable(), "lua", script, ... },
    { env = environment() })
  equal(result.status, 0)
  local instructions, names = result.stderr:match("^(%d+)\n(.*)$")
  local modules, count = {}, 0
  for name in names:gmatch("[^\n]+") do modules[name], count = true, count + 1 end
  return { modules = modules, count = count, instructions = math.tointeger(tonumber(instructions)) }
end

local function project(services)
  local directory = tmpdir()
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  local lines = { "name: many", "services:" }
  for i = 1, services do
    lines[#lines + 1] = ("  s%d: {image: ./image.qcow2, image_os: plain, vm: {vcpu: 2, memory_mb: 256}, labels: {a: b}}"):format(i)
  end
  files.write(directory .. "/holos.yaml", table.concat(lines, "\n") .. "\n")
  return directory .. "/holos.yaml"
end

local function none_of(loaded, names)
  for name in names:gmatch("%S+") do
    ok(not loaded.modules["holos." .. name], name .. " is loaded, and nothing in the file needs it")
  end
end

test("version loads the command line and little else", function()
  local loaded = counted("version", "--short")
  ok(loaded.count <= 13, loaded.count .. " modules")
  none_of(loaded, "compose core.schema core.json core.task core.text plan.network use.project")
end)

test("validate of a plain file loads nothing for files that are included, extended, merged or have variables", function()
  local loaded = counted("validate", "-q", "-f", project(1))
  ok(loaded.count <= 75, loaded.count .. " modules")
  none_of(loaded, [[
    compose.merge compose.extends compose.include compose.relocate compose.unicity compose.template compose.env_file
    compose.aliases compose.ports compose.volumes compose.schema.network compose.schema.cloud_init compose.interpolate
    compose.reference compose.json_schema compose.syntax core.schema.words core.schema.fields plan.lease plan.effects
    plan.qemu core.task.sync
  ]])
end)

test("a service costs validate the same, however many there are", function()
  local few, many = counted("validate", "-q", "-f", project(50)), counted("validate", "-q", "-f", project(150))
  local each = (many.instructions - few.instructions) / 100
  ok(each <= 2400, ("%d instructions for each further service"):format(each))
  ok(many.instructions <= 3.2 * few.instructions, ("%d for 150 services, %d for 50"):format(many.instructions, few.instructions))
end)

test("a command that takes a project's name from its files checks nothing else in them", function()
  local loaded = counted("ps", "-f", project(1))
  ok(loaded.count <= 68, loaded.count .. " modules")
  none_of(loaded, "compose.normalize compose.rules compose.paths compose.schema.project compose.schema.service compose.variables")
end)

test("a command that changes something reads the record once: when it holds the lock", function()
  local state, script = tmpdir(), tmpdir() .. "/reads.lua"
  files.write(script, [[
local fs, count = require "sys.fs", 0
local read = fs.read
function fs.read(path, options)
  if path:find "/projects/" then count = count + 1 end
  return read(path, options)
end
local status = require "holos.main" { [0] = "holos", table.unpack(arg) }
print(count)
return status
]])
  assert(require("sys.fs").mkdir_all(state .. "/projects", tonumber("700", 8)))
  files.write(state .. "/projects/many.json", [[{"schema": {"major": 1, "minor": 4}, "name": "many", "directory": "/many",
    "instances": {}, "volumes": {}, "leases": {}, "hosts": []}]])
  local result = run_tool({ host.executable(), "lua", script, "stop", "-p", "many" },
    { env = { "HOLOS_STATE_DIR=" .. state, environment()[2] } })
  equal({ result.status, result.stdout }, { 0, "1\n" }, result.stderr)
end)

test("no module holds much as soon as it is loaded", function()
  local script = tmpdir() .. "/sizes.lua"
  files.write(script, [[
collectgarbage "stop"
local load, below_kib = require, 0 -- what was loaded by the module that is being loaded
function require(name)
  if package.loaded[name] then return load(name) end
  local before_kib, around_kib = collectgarbage "count", below_kib
  below_kib = 0
  local result = load(name)
  local grown_kib = collectgarbage "count" - before_kib
  if grown_kib - below_kib > 512 then print(("%s: %.0f KiB"):format(name, grown_kib - below_kib)) end
  below_kib = around_kib + grown_kib
  return result
end
for i = 1, #arg do require(arg[i]) end
]])
  local names = {}
  for _, path in ipairs(files.below(files.directory .. "/../lua", "%.lua$")) do
    names[#names + 1] = "holos." .. path:match("/%.%./lua/(.*)%.lua$"):gsub("/", ".")
  end
  local result = run_tool({ host.executable(), "lua", script, table.unpack(names) }, { env = environment() })
  equal({ result.status, result.stdout }, { 0, "" }, result.stderr)
end)

test("commands that look at records load nothing of compose files but where they may be", function()
  for _, command in ipairs { { "ls" }, { "ps" }, { "trash", "ls" } } do
    local loaded = counted(table.unpack(command))
    ok(loaded.count <= 54, ("%s: %d modules"):format(table.concat(command, " "), loaded.count))
    none_of(loaded, "compose compose.gather compose.normalize core.schema.check run.execute plan.seed plan.qemu")
  end
end)
