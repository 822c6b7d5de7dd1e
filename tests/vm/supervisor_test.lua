-- The supervisor and a real guest: a killed QEMU, checks inside the guest, its own power-off.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local YAML = [[
name: kept
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    restart: on-failure
    stop_grace_period: 20s
    healthcheck: {test: "test -e /root/works", interval: 1s, timeout: 20s, retries: 2}
]]

local PATIENCE_MS = 240000

if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: a guest that boots twice" end

local function reaches(stack, what, pattern)
  stack:eventually(what, function() return stack:ps()["vm-0"].status:find(pattern) end, PATIENCE_MS)
  return stack:ps()["vm-0"]
end

local function guest(stack, script) return stack:expect { "exec", "vm", "--", "sh", "-c", script } end

local function exits(stack)
  local list = {}
  for line in (fs.read(stack.state .. "/events/kept.jsonl") or ""):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.type == "instance.exited" then list[#list + 1] = event.how end
  end
  return list
end

test("unhealthy is shown, a killed machine comes back with its disk, one that switched itself off does not", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up", "-d" }
  reaches(stack, "it is unhealthy", "^unhealthy$")
  guest(stack, "touch /root/works; sync")
  local first = reaches(stack, "it is healthy", "^healthy$")

  local process <close> = assert(proc.open(first.pid, proc.identity(first.pid).start_time))
  process:signal "KILL"
  task.wait { process = process }
  stack:eventually("it runs again", function() return (stack:ps()["vm-0"].pid or first.pid) ~= first.pid end, PATIENCE_MS)
  local second = reaches(stack, "it is healthy again, with its disk", "^healthy$")
  equal(second.ssh_port, first.ssh_port)

  stack:run { "exec", "vm", "--", "poweroff" } -- which takes the connection along
  reaches(stack, "it has switched itself off", "^exited %(powered off%)$")
  equal(exits(stack), { "crashed", "powered off" })
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
end, { timeout_ms = 900000 })
