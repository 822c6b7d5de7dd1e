--- run/stop beside monitors that do not answer, on virtual time.
local err = require "holos.core.err"
local monitor = require "holos.run.monitor"
local stop = require "holos.run.stop"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local PIDFD = 7

--- A process that ends at SIGTERM.
local function process_on(poller)
  local process = setmetatable({ signals = {} }, { __close = function() end })
  function process.fileno() return PIDFD end
  function process.alive() return #process.signals == 0 end
  function process.signal(_, name)
    process.signals[#process.signals + 1] = name
    poller:ready(PIDFD, "r")
    return true
  end
  return process
end

local function world_with(process)
  local runtime = '{"boot_id": "b"}'
  return {
    fs = { read = function() return runtime end, write_atomic = function() return true end, append = function() return true end },
    json = { decode = function() return { boot_id = "b", pid = 1, start_time = 1 } end, encode = function() return "" end },
    proc = { boot_id = function() return "b" end, open = function() return process end },
    clock = { utc_ms = function() return 0 end, iso = function() return "" end },
  }
end

local STATE = { instance = function() return "/i" end, events = function() return "/e" end }

--- Stops a VM whose monitor connects, and then does what `halt` does; how, and after how long.
local function stopped(halt, grace_ms)
  local poller = virtual.new()
  local session = setmetatable({}, { __close = function() end })
  local kept = { try_connect = monitor.try_connect, halt = monitor.halt, power_down = monitor.power_down }
  local _kept <close> = setmetatable({}, { __close = function()
    for name, fn in pairs(kept) do monitor[name] = fn end
  end })
  monitor.try_connect = function() return session end
  monitor.halt, monitor.power_down = halt, halt
  return task.run(poller, function()
    local how = stop.stop(world_with(process_on(poller)), { state = STATE, project = "p", name = "web-0", grace_ms = grace_ms })
    return how, task.now_ms()
  end)
end

test("a monitor that does not answer costs a stop no more than its grace", function()
  local function hang()
    task.within(5000, function() task.wait { at_ms = task.now_ms() + 60000 } end)
  end
  local how, took_ms = stopped(hang, 2000)
  equal(how, "terminated")
  ok(took_ms >= 2000 and took_ms <= 2010, took_ms .. " ms")
end)

test("a bug while a guest is asked is raised, a failure is not", function()
  local fine, problem = pcall(stopped, function() local nothing = nil; return nothing.x end, 2000)
  equal({ fine, problem.exit }, { false, 70 })
  equal((stopped(function() err.raise { message = "cont: no", code = "EQMP" } end, 2000)), "terminated")
end)
