-- `up` is killed while real guests start, at moments that can be seen from outside: the next one goes on with what it finds.
local crash = require "tests.support.crash"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local YAML = [[
name: pair
services:
  db:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    cloud_init: {runcmd: ["echo step >>/root/steps"]}
    healthcheck: {test: "test -e /root/steps", interval: 1s, retries: 100}
  web:
    image: IMAGE
    image_os: plain
    depends_on: {db: {condition: service_healthy}}
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    cloud_init: {runcmd: ["echo step >>/root/steps"]}
]]

local PATIENCE_MS = 240000

local function pid_of(stack, name)
  local row = stack:ps()[name]
  return row and row.pid
end

local function has_said(stack, name, text)
  local log = ("%s/instances/pair/%s/console.log"):format(stack.state, name)
  return (fs.read(log, { max_bytes = 1 << 20 }) or ""):find(text, 1, true)
end

-- In this order: what is seen just before `up` is killed.
local MOMENTS = {
  { "the record is written", function(stack) return fs.stat(stack.state .. "/projects/pair.json") end },
  { "the first machine runs", function(stack) return pid_of(stack, "db-0") end },
  { "its kernel boots", function(stack) return has_said(stack, "db-0", "Linux version") end },
  { "the second machine runs", function(stack) return pid_of(stack, "web-0") end },
  { "the second one's kernel boots", function(stack) return has_said(stack, "web-0", "Linux version") end },
}

local function cut_up(stack, what, is_seen)
  local child <close> = stack:spawn { "up" }
  local process <close> = assert(proc.open(child.pid, child.start_time))
  stack:eventually(what, function() return is_seen(stack) end, PATIENCE_MS)
  process:signal "KILL"
  io_wait.await(child, "try_wait")
  crash.require_no_orphans(stack, what)
end

test(("up is killed at %d moments of a stack's start: the next one finishes it, on the same machines"):format(#MOMENTS), function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack.qemu = tool.find("qemu-system-" .. host.architecture()) or skip "no QEMU here"
  local pids = {}
  for _, moment in ipairs(MOMENTS) do
    cut_up(stack, table.unpack(moment))
    for name, row in pairs(stack:ps()) do
      ok(not pids[name] or row.pid == pids[name], moment[1])
      pids[name] = row.pid
    end
  end
  stack:expect { "up" }
  local rows = stack:ps()
  equal({ rows["db-0"].status, rows["web-0"].status }, { "healthy", "provisioned" })
  equal({ rows["db-0"].pid, rows["web-0"].pid }, { pids["db-0"], pids["web-0"] })
  equal(crash.running(stack), { "pair/db-0", "pair/web-0" })
  for name in pairs(rows) do equal(stack:expect({ "exec", name, "--", "cat", "/root/steps" }).stdout, "step\n", name) end
  stack:expect { "down" }
  equal(crash.running(stack), {})
end, { timeout_ms = 900000 })
