-- What a supervisor does when its scope ends, on the stand-in for QEMU, whose guest is a real sshd.
local fs = require "sys.fs"
local json = require "sys.json"
local leave = require "holos.supervise.leave"
local pair = require "tests.support.pair"
local ssh_guest = require "tests.support.ssh_guest"
local stack_ = require "tests.support.stack"
local state_ = require "holos.run.state"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"
local world = require "holos.run.world"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 4s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 8s, depends_on: [db],
    pre_stop: [{command: [sh, -c, 'echo bye >>MARKS; exit 3']}]}
]]

-- A supervised project of which only what leave needs is there.
local function project_of(stack)
  local project = { world = world, state = state_.locate(world, { state_dir = stack.state }), name = "pair", events = {},
    keepers = {}, held = {}, over = task.event() }
  function project:hold(names) for _, name in ipairs(names) do table.insert(self.held, name) end end
  function project:emit(event) table.insert(self.events, event) end
  return project
end

local BOTH_RUN = { ["db-0"] = "running", ["web-0"] = "running" }

-- Without commands in guests, which would want one.
local function without_hooks() return (YAML:gsub("    pre_stop.-\n", "    labels: {}}\n")) end

test("all are powered off, dependents first; a pre_stop that fails keeps nobody; the record wants them to run", function()
  local marks = tmpdir() .. "/marks"
  local stack <close> = stack_.on_fake((YAML:gsub("MARKS", marks)))
  ssh_guest.with(stack, {}, function()
    stack:expect { "up" }
    supervised.kill(supervised.supervisor(stack))
    local project = project_of(stack)
    leave.stop_all(project)
    equal(#stack:pids(), 0)
    equal({ fs.read(marks), pair.desired(stack), project.held }, { "bye\n", BOTH_RUN, { "db-0", "web-0" } })
    local stopped = supervised.events(stack, "instance.stopped")
    equal({ stopped[1].instance, stopped[1].how, stopped[2].instance, stopped[2].how },
      { "web-0", "powered off", "db-0", "powered off" })
    equal({ #project.events, project.events[1].type }, { 1, "supervisor.trouble" })
    ok(project.events[1].message:find("exit 3", 1, true), project.events[1].message)
    stack:expect { "down" }
  end)
end)

test("who is in no scope of ours is asked for nothing by the scope's signal", function()
  local stack <close> = stack_.on_fake(without_hooks())
  stack:expect { "up", "-d" }
  local supervisor = supervised.supervisor(stack)
  local process <close> = assert(require("sys.proc").open(supervisor, require("sys.proc").identity(supervisor).start_time))
  process:signal "URG"
  local client <close> = supervised.client(stack)
  ok(client.request { op = "status" }.ok) -- it has read the signal before it answers
  equal({ #stack:pids(), stack:supervisors()[1], #supervised.events(stack, "supervisor.leaving") }, { 2, supervisor, 0 })
end)

test("a project whose record is gone is left without a word", function()
  local stack <close> = stack_.on_fake(without_hooks())
  stack:expect { "up", "-d" }
  local project = project_of(stack)
  project.name = "none"
  leave.stop_all(project)
  equal({ #project.held, #project.events, #stack:pids() }, { 0, 0, 2 })
end)

test("a record that cannot be read is told of, and its machines are powered off in their order all the same", function()
  local stack <close> = stack_.on_fake(without_hooks())
  stack:expect { "up", "-d" }
  supervised.kill(supervised.supervisor(stack))
  assert(fs.write_atomic(stack.state .. "/projects/pair.json", "{", { mode = 384 }))
  local project = project_of(stack)
  leave.stop_all(project)
  equal(#stack:pids(), 0)
  local stopped = supervised.events(stack, "instance.stopped")
  equal({ stopped[1].instance, stopped[1].how, stopped[2].instance, stopped[2].how },
    { "web-0", "powered off", "db-0", "powered off" })
  equal({ #project.events, project.events[1].type }, { 1, "supervisor.trouble" })
  ok(project.events[1].message:find("the record is damaged", 1, true), project.events[1].message)
end)

test("where neither record nor runtime can be read, what a keeper knows is tried, and others are stopped", function()
  local stack <close> = stack_.on_fake(without_hooks())
  stack:expect { "up", "-d" }
  supervised.kill(supervised.supervisor(stack))
  local file = stack.state .. "/instances/pair/web-0/runtime.json"
  local runtime = assert(fs.read(file))
  local record = assert(json.decode(assert(fs.read(stack.state .. "/projects/pair.json")), {}))
  assert(fs.write_atomic(stack.state .. "/projects/pair.json", "{", { mode = 384 }))
  assert(fs.write_atomic(file, "{", { mode = 384 }))
  local project = project_of(stack)
  project.keepers["web-0"] = { entry = require("holos.supervise.entry").of(record.instances["web-0"]) }
  leave.stop_all(project)
  equal(project.held, { "db-0", "web-0" })
  local told = {}
  for i, event in ipairs(project.events) do told[i] = event.message:match("record is damaged") or event.instance end
  equal(told, { "record is damaged", "web-0", "web-0" })
  assert(fs.write_atomic(file, runtime, { mode = 384 }))
  equal(#stack:pids(), 1)
  project.keepers = {}
  leave.stop_all(project)
  equal(#stack:pids(), 0)
end)
