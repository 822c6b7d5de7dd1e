-- Ctrl-C and SIGTERM while `up` waits: it detaches, what runs stays and is recorded.
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

for signal, status in pairs { INT = 130, TERM = 143 } do
  test(("up that waits ends with %d on SIG%s and leaves its VMs running"):format(status, signal), function()
    local stack <close> = stack_.on_fake(YAML, { "report=none" })
    local child <close> = stack:spawn { "up" }
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
    equal(#stack:pids(), 2)
    local rows = stack:ps()
    equal({ rows["web-0"].status, rows["web-1"].status }, { "booting", "booting" })
    ok(rows["web-0"].ssh_port, "the port that QEMU picked is known")
  end)
end
