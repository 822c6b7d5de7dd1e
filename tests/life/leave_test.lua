-- What a supervisor does when its scope ends, on the stand-in for QEMU, whose guest is a real sshd.
local fs = require "sys.fs"
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
    held = {}, over = task.event() }
  function project:hold(names) for _, name in ipairs(names) do table.insert(self.held, name) end end
  function project:emit(event) table.insert(self.events, event) end
  return project
end

local BOTH_RUN = { ["db-0"] = "running", ["web-0"] = "running" }

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
  local stack <close> = stack_.on_fake((YAML:gsub("    pre_stop.-\n", "    labels: {}}\n")))
  stack:expect { "up", "-d" }
  local supervisor = supervised.supervisor(stack)
  local process <close> = assert(require("sys.proc").open(supervisor, require("sys.proc").identity(supervisor).start_time))
  process:signal "URG"
  local client <close> = supervised.client(stack)
  ok(client.request { op = "status" }.ok) -- it has read the signal before it answers
  equal({ #stack:pids(), stack:supervisors()[1], #supervised.events(stack, "supervisor.leaving") }, { 2, supervisor, 0 })
end)

test("a project whose record is gone or cannot be read is left without a word, or with one", function()
  local stack <close> = stack_.on_fake((YAML:gsub("    pre_stop.-\n", "    labels: {}}\n")))
  stack:expect { "up", "-d" }
  local project = project_of(stack)
  project.name = "none"
  leave.stop_all(project)
  equal({ #project.held, #stack:pids() }, { 0, 2 })
end)
