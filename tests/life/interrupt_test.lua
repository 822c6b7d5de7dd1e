-- Ctrl-C and SIGTERM while `up` waits: it detaches, what runs stays and is recorded.
local fd = require "sys.fd"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, stop_grace_period: 1s}
]]

local function has(text, wanted) ok(text:find(wanted, 1, true), ("%q is not in:\n%s"):format(wanted, text)) end

for signal, status in pairs { INT = 130, TERM = 143 } do
  test(("up that waits ends with %d on SIG%s and leaves its VMs running"):format(status, signal), function()
    local stack <close> = stack_.on_fake(YAML, { "report=none" })
    local said <close>, writer = fd.pipe()
    local child <close> = stack:spawn({ "up" }, { stderr = writer })
    writer:close()
    local function launched(name)
      local text = fs.read(("%s/instances/pair/%s/runtime.json"):format(stack.state, name), { max_bytes = 65536 })
      return text and text:find('"guest": 22', 1, true) ~= nil
    end
    task.within(20000, function()
      while not (launched "web-0" and launched "web-1") do task.wait { at_ms = task.now_ms() + 10 } end
    end)
    local process <close> = assert(proc.open(child.pid, child.start_time))
    process:signal(signal)
    equal(task.within(10000, io_wait.await, child, "try_wait"), { exit = status })
    has(task.within(10000, io_wait.await, said, "try_read", 65536),
      "\ninterrupted: web-0, web-1 run on (holos up goes on with it)\n")
    equal(#stack:pids(), 2)
    local rows = stack:ps()
    equal({ rows["web-0"].status, rows["web-1"].status }, { "booting", "booting" })
    ok(rows["web-0"].ssh_port, "the port that QEMU picked is known")
  end)
end

test("stop and Ctrl-C: what has stopped and what still runs is said", function()
  local stack <close> = stack_.on_fake(YAML, { "web-1: powerdown=ignore", "web-1: sigterm=ignore" })
  stack:expect { "up" }
  local said <close>, writer = fd.pipe()
  local child <close> = stack:spawn({ "stop", "--timeout", "1m" }, { stderr = writer })
  writer:close()
  stack:eventually("web-0 has stopped", function() return #stack:pids() == 1 end)
  local process <close> = assert(proc.open(child.pid, child.start_time))
  process:signal "INT"
  equal(task.within(10000, io_wait.await, child, "try_wait"), { exit = 130 })
  has(task.within(10000, io_wait.await, said, "try_read", 65536),
    "\ninterrupted: web-1 still runs, web-0 does not (holos stop goes on with it)\n")
end)

test("events --follow and Ctrl-C: nothing is said, that is how it ends", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  local shown <close>, stdout = fd.pipe()
  local said <close>, stderr = fd.pipe()
  local child <close> = stack:spawn({ "events", "--follow" }, { stdout = stdout, stderr = stderr })
  stdout:close()
  stderr:close()
  task.within(10000, io_wait.await, shown, "try_read", 65536)
  local process <close> = assert(proc.open(child.pid, child.start_time))
  process:signal "INT"
  equal(task.within(10000, io_wait.await, child, "try_wait"), { exit = 130 })
  equal(io_wait.await(said, "try_read", 65536), "")
end)
