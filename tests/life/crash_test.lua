-- `holos up` is killed at random moments: the next one finishes, there is never a second QEMU on a disk, and `down`
-- leaves none behind.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, depends_on: [db], ports: ["0:80"], stop_grace_period: 2s}
volumes: {data: {size: 64M}}
]]
local MOMENTS = files.environment("HOLOS_TESTS") == "all" and 50 or 15
local LATEST_MS = 250

--- The live processes whose program is `program`, whether anybody recorded them or not.
local function running(program)
  local pids = {}
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and fs.readlink("/proc/" .. pid .. "/exe") == program and proc.identity(pid) then pids[#pids + 1] = pid end
  end
  return pids
end

--- Starts `holos up` and kills it after `after_ms`.
local function cut_up(stack, after_ms)
  local child <close> = stack:spawn { "up" }
  pcall(task.within, after_ms, task.wait, { fd = child:fileno(), dir = "r" })
  local process <close> = proc.open(child.pid, child.start_time)
  if process then process:signal("KILL") end
  io_wait.await(child, "try_wait")
end

--- A launch that was cut before its QEMU was let go ends by itself: its end of the gate is read as the end of a file.
local function await_count(program, most)
  task.within(5000, function()
    while #running(program) > most do task.wait { at_ms = task.now_ms() + 10 } end
  end)
end

test(("up is killed at %d random moments"):format(MOMENTS), function()
  local random = math.random
  local seed = math.randomseed()
  for round = 1, MOMENTS do
    local stack <close> = stack_.new { yaml = YAML }
    stack.qemu = fake_qemu.install {}
    assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
    local after_ms = random(1, LATEST_MS)
    local where = ("seed %d, round %d, killed after %d ms"):format(seed, round, after_ms)
    cut_up(stack, after_ms)
    await_count(stack.qemu, 3)
    stack:expect { "up" }
    equal(#running(stack.qemu), 3, where)
    equal(#stack:pids(), 3, where)
    stack:expect { "down" }
    equal(#running(stack.qemu), 0, where)
  end
end, { timeout_ms = 300000 })
