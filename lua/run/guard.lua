--- Looks after a VM while it is waited for: has its process ended, has its guest halted (paused, disk full, panicked)?
--- Effects: a pidfd and a monitor of the VM.
local err = require "holos.core.err"
local monitor = require "holos.run.monitor"
local qmp = require "holos.run.qmp"
local runstate = require "holos.plan.runstate"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local supervisor = require "holos.run.supervisor"
local task = require "holos.core.task"

local M = {}

local LOG_LINES = 20
local LOG_TAIL_BYTES = 4096
local ASK_MS, TOLD_MS = 5000, 1000

local function console_tail(world, directory)
  local lines = {}
  for line in (world.fs.tail(directory .. "/console.log", LOG_TAIL_BYTES) or ""):gmatch("[^\r\n]+") do
    lines[#lines + 1] = line
    if #lines > LOG_LINES then table.remove(lines, 1) end
  end
  return lines
end

--- Raises: the VM is gone.
---@param reason string?  of QEMU's SHUTDOWN event
function M.raise_ended(world, waiting, reason)
  local spec = waiting.spec
  local _, why = shutdown.explain(reason)
  err.raise { message = ("%s: the VM ended while it was waited for: %s"):format(spec.name, why), code = "EEXITED", exit = 4,
    log = console_tail(world, waiting.state:instance(spec.project, spec.name)), hint = "holos logs " .. spec.name }
end

local Watched = {}
Watched.__index = Watched
function Watched:__close()
  if self.session then self.session:close() end
  if self.events then self.events:close() end
end

local function raise_when(spec, halt)
  if halt and halt.cure then err.raise(runstate.problem(spec, halt)) end
end

--- A supervisor is connected to the monitor for what stays, and tells us; what it tells of, the command socket shows.
local function watch_by_supervisor(world, waiting, watched)
  local spec, state = waiting.spec, waiting.state
  watched.events = supervisor.subscribe(world, state, spec.project, { "instance.halted", "instance.exited" })
  while watched.events do
    raise_when(spec, (monitor.ask(world, state:instance(spec.project, spec.name), ASK_MS)))
    local event
    repeat event = supervisor.next_event(world, watched.events) until not event or event.instance == spec.name
    if not event then
      watched.events:close()
      watched.events = nil
    elseif event.type == "instance.exited" then
      watched.exit = event
      return
    end
  end
end

--- Every state in which no guest runs begins with the event STOP; what it is, query-status says.
local function watch_by_monitor(world, waiting, watched)
  local spec = waiting.spec
  watched.session = qmp.connect(world, { directory = waiting.state:instance(spec.project, spec.name),
    name = monitor.OTHER_SOCKET }, { timeout_ms = waiting.timeout_ms, name = spec.name })
  watched.session:subscribe { "STOP" }
  while true do
    raise_when(spec, monitor.halt(watched.session))
    watched.session:next_event()
  end
end

--- Ends only by raising. Nobody tells anything more when a monitor is gone: then the process and the report do.
local function watch_guest(world, waiting, watched)
  local ok, problem = pcall(function()
    watch_by_supervisor(world, waiting, watched)
    if not watched.exit then watch_by_monitor(world, waiting, watched) end
  end)
  if not ok and (not err.is(problem) or err.is(problem, "EHALTED") or err.is(problem, "ECANCELED")) then error(problem, 0) end
  task.event():wait()
end

--- What the supervisor makes of the end, which it may see a little later than we do.
local function told_reason(world, waiting, watched)
  pcall(task.within, TOLD_MS, function()
    while watched.events and not watched.exit do
      local event = supervisor.next_event(world, watched.events)
      if not event then return end
      if event.type == "instance.exited" and event.instance == waiting.spec.name then watched.exit = event end
    end
  end)
  return watched.exit and watched.exit.reason
end

--- Waits until the VM's process has ended, and gives the reason as QEMU's SHUTDOWN event had it. Raises EHALTED (exit 4)
--- as soon as its guest cannot run on.
---@param waiting {state: table, spec: table, timeout_ms: integer}
---@return string? reason
function M.until_ended(world, waiting, now)
  local process <close> = runtime.process(world, now)
  if not process then return nil end
  local watched <close> = setmetatable({}, Watched)
  task.race {
    function() task.wait { process = process } end,
    function() watch_guest(world, waiting, watched) end,
  }
  if watched.session then return watched.session:shutdown_reason() end
  return told_reason(world, waiting, watched)
end

return M
