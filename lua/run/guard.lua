--- Looks after a VM while it is waited for: has its process ended, has its guest halted (paused, disk full, panicked)?
--- Effects: a pidfd and a monitor of the VM.
local err = require "holos.core.err"
local monitor = require "holos.run.monitor"
local qmp = require "holos.run.qmp"
local runstate = require "holos.plan.runstate"
local runtime = require "holos.run.runtime"
local shutdown = require "holos.plan.shutdown"
local task = require "holos.core.task"

local M = {}

local LOG_LINES = 20
local LOG_TAIL_BYTES = 4096

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
end

--- Every state in which no guest runs begins with the event STOP; what it is, query-status says.
local function raise_when_halted(spec, session)
  session:subscribe { "STOP" }
  while true do
    local halt = monitor.halt(session)
    if halt and halt.cure then err.raise(runstate.problem(spec, halt)) end
    session:next_event()
  end
end

--- Ends only by raising. On the socket that commands leave alone; while another client has it, we stand in line.
local function watch_guest(world, waiting, watched)
  local spec = waiting.spec
  local ok, problem = pcall(function()
    watched.session = qmp.connect(world, { directory = waiting.state:instance(spec.project, spec.name),
      name = monitor.OTHER_SOCKET }, { timeout_ms = waiting.timeout_ms, name = spec.name })
    raise_when_halted(spec, watched.session)
  end)
  if not ok and (not err.is(problem) or err.is(problem, "EHALTED")) then error(problem, 0) end
  task.event():wait() -- a monitor that is gone tells nothing more: the process and the report do
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
  return watched.session and watched.session:shutdown_reason()
end

return M
