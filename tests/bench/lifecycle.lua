--- What up, down, ps and the supervisor take on the stand-in for QEMU, and beside it what they are to take at most.
local fs = require "sys.fs"
local measure = require "tests.bench.measure"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local M = {}

local ROUNDS, LOOKS = 7, 15
local IDLE_MS, SETTLED_MS = 60000, 2000
local HUNG = 3

local function row(what, figure, least, aim)
  print(("%-52s %12s %12s   %s"):format(what, figure, least or "-", aim or "-"))
end

local function ms(value) return ("%.1f ms"):format(value) end

local function times(what, took, wall_aim, cpu_aim)
  row(what .. ": wall", ms(took.wall_ms), ms(took.least.wall_ms), wall_aim)
  row(what .. ": CPU", ms(took.cpu_ms), ms(took.least.cpu_ms), cpu_aim)
end

local function stack_of(count, settings, options)
  local stack = stack_.on_fake(("name: bench\nservices:\n  vm: {image: ./image.qcow2, image_os: plain, replicas: %d}\n")
    :format(count), settings, options)
  stack:run { "plan" } -- the first command of a state asks QEMU what it can do; that is no part of an `up`
  return stack
end

local function run(stack, words) return measure.run(stack.directory, words, stack:environment()) end

-- Every round has a state of its own, and nothing is deleted meanwhile: some file systems remember what was.
local function up_and_down(count, where, options)
  local downs, stacks = {}, {}
  local _ended <close> = setmetatable({}, { __close = function()
    for _, stack in ipairs(stacks) do stack:close() end
  end })
  local ups = measure.rounds(ROUNDS, function(round)
    local stack = stack_of(count, { "shutdown_ms=50" }, options)
    stacks[round] = stack
    local took = run(stack, { "up" })
    downs[round] = run(stack, { "down" })
    return took
  end)
  times(("up of %d VMs%s"):format(count, where), ups, "150 ms", "60 ms")
  times(("down of %d VMs that exit in 50 ms%s"):format(count, where), measure.summary(downs), "150 ms")
end

local function stopped(pids)
  local list = {}
  for i, pid in ipairs(pids) do
    list[i] = proc.open(pid, proc.identity(pid).start_time)
    list[i]:signal "STOP"
  end
  return setmetatable(list, { __close = function()
    for _, process in ipairs(list) do
      process:signal "CONT"
      process:close()
    end
  end })
end

local function looks(count)
  local stack <close> = stack_of(count)
  run(stack, { "up" })
  local function look() return run(stack, { "ps" }) end
  times(("ps of %d VMs"):format(count), measure.rounds(LOOKS, look), "15 ms")
  local _hung <close> = stopped(table.move(stack:pids(), 1, HUNG, 1, {}))
  times(("ps of %d VMs, %d of them hung"):format(count, HUNG), measure.rounds(LOOKS, look), "500 ms")
end

local function number_of(pid, file, name)
  return tonumber(assert(fs.read(("/proc/%d/%s"):format(pid, file))):match("\n" .. name .. ":%s*(%d+)"))
end

local function supervisor(count)
  local stack <close> = stack_of(count)
  stack:expect { "up" }
  stack:eventually("there is a supervisor", function() return #stack:supervisors() == 1 end)
  local pid = stack:supervisors()[1]
  local function switches() return number_of(pid, "status", "voluntary_ctxt_switches") end
  local function mib(file, name) return ("%.2f MiB"):format(number_of(pid, file, name) / 1024) end
  task.wait { at_ms = task.now_ms() + SETTLED_MS }
  local before = switches()
  task.wait { at_ms = task.now_ms() + IDLE_MS }
  local what = ("supervisor of %d VMs: "):format(count)
  row(what .. "memory", mib("status", "VmRSS"), nil, "4 MiB")
  row(what .. "shared parts divided", mib("smaps_rollup", "Pss"))
  row(what .. "its own", mib("smaps_rollup", "Pss_Anon"))
  row(what .. ("woken in %d s"):format(IDLE_MS // 1000), ("%d times"):format(switches() - before), nil, "0 times")
end

--- The table.
function M.show()
  row("on the stand-in for QEMU", "median", "least", "aim")
  up_and_down(20, "")
  up_and_down(20, ", in memory", { in_memory = true }) -- the file system of the other may be what takes the time
  looks(50)
  supervisor(20)
end

return M
