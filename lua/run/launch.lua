--- Launch of one instance: descriptors, gate, record, go, greeting. The one place that must be perfect (DESIGN §4).
--- Effects: forks QEMU. No QEMU ever runs that no runtime.json names: the child waits until its pid is written.
local confine = require "holos.run.confine"
local descriptors = require "holos.run.descriptors"
local disk = require "holos.run.disk"
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local monitor = require "holos.run.monitor"
local ports = require "holos.run.ports"
local qemu = require "holos.plan.qemu"
local runtime = require "holos.run.runtime"
local stop = require "holos.run.stop"
local task = require "holos.core.task"

local M = {}

local FILE_MODE = tonumber("600", 8)
local GREETING_MS, END_MS = 30000, 2000
local LOG_TAIL_BYTES = 4096
--- How long a launch that has begun goes on when it is cancelled.
M.PROVE_MS = io_wait.GO_MS + GREETING_MS + 3 * END_MS

--- The last lines QEMU wrote, as the reason why it ended.
local function early_exit(world, spec, log)
  local tail = world.fs.tail(log, LOG_TAIL_BYTES) or ""
  local reason = tail:match("([^\n]+)%s*$") or "it wrote nothing"
  err.raise { message = ("%s: QEMU ended at once: %s"):format(spec.name, reason), code = "EQEMU", hint = "its log: " .. log }
end

local function start_child(world, launching, directory, command, opened)
  local spec = launching.spec
  local who = confine.identity(world, launching.confinement, spec, launching.uid)
  local log <close> = err.check(spec.name, world.fs.open(directory .. "/qemu.log",
    { write = true, create = true, truncate = true, nofollow = true, mode = FILE_MODE }))
  return err.check(spec.name, world.launch.prepare {
    program = launching.program, argv = command.argv, fds = opened, env = confine.environment(directory),
    stdout = log, stderr = log, session = true, core_bytes = 0, uid = who.uid, gid = who.gid, groups = who.groups,
    landlock = confine.landlock(world, launching.confinement, spec, command.landlock),
  })
end

--- fork → record. What is written here is what every later command believes. A child that is not let go ends with its
--- gate.
local function record(world, launching, directory, child)
  local state, spec = launching.state, launching.spec
  local now = { pid = child.pid, start_time = child.start_time, launched_ms = world.clock.utc_ms(),
    report_from_bytes = M.size_of(world, directory .. "/report.log"),
    console_from_bytes = M.size_of(world, directory .. "/console.log"), shares = launching.shares, restarts = launching.restarts,
    ports = {}, spec = spec }
  runtime.save(world, state, spec.project, spec.name, now)
  return now
end

--- The size of a log before the launch: what comes behind it is of this launch.
function M.size_of(world, file)
  local stat = world.fs.stat(file)
  return stat and stat.size_bytes or 0
end

--- Whether the process of a launch has ended, or does so within a moment: its monitor closes a little earlier.
local function has_ended(world, now)
  local process <close> = runtime.process(world, now)
  if not process then return true end
  local ok, problem = pcall(task.within, END_MS, task.wait, { process = process })
  if not ok and not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  return ok
end

--- The greeting is the proof of life; then the ports that QEMU picked are read back.
local function greet(world, launching, directory, now)
  local spec = launching.spec
  local session <close>, problem = monitor.try_connect(world, directory, GREETING_MS)
  if not session then
    if has_ended(world, now) then early_exit(world, spec, directory .. "/qemu.log") end
    err.raise(problem)
  end
  now.ports = monitor.host_ports(session, launching.ports, spec.name)
  launching.on_ports(now.ports)
  monitor.require_running(session, spec)
end

--- Kills a QEMU that was let go but did not prove itself: nobody could reach it.
local function give_up(world, launching, now)
  local process <close> = runtime.process(world, now)
  if process then
    process:signal("KILL")
    task.within(END_MS, task.wait, { process = process })
  end
  -- A supervisor writes down itself that its launch failed; when it is killed before that, the pid of a process that is
  -- gone tells the next one of it.
  if launching.restarts then return end
  now.pid, now.exit = nil, "launch failed"
  runtime.save(world, launching.state, launching.spec.project, launching.spec.name, now)
end

--- Waits for the proof of life of a launch and writes its ports down, whatever is cancelled meanwhile.
---@param child userdata?  still at its gate; nil: it was let go before
local function prove(world, launching, directory, now, child)
  local state, spec = launching.state, launching.spec
  return task.shield(M.PROVE_MS, function()
    if child then io_wait.go(spec.name, child) end
    local ok, problem = xpcall(greet, err.trace, world, launching, directory, now)
    if not ok and not problem.can_go_on then
      give_up(world, launching, now)
      error(problem, 0)
    end
    now.is_proven = ok or nil
    runtime.save(world, state, spec.project, spec.name, now)
    if not ok then error(problem, 0) end
    return now
  end)
end

--- Finishes a launch that was cut off after its QEMU was let go. The caller holds the instance's lock.
function M.resume(world, launching, now)
  launching.ports = ports.wanted(launching.spec, launching.leased)
  return prove(world, launching, launching.state:instance(launching.spec.project, launching.spec.name), now)
end

--- The command of an instance: what `start` runs and `holos args` shows.
---@param forwards table[]  of run/ports
---@return table command  as of plan/qemu
function M.command(state, spec, firmware, forwards)
  return qemu.command(spec, { directory = state:instance(spec.project, spec.name), firmware = firmware, forwards = forwards,
    volumes_directory = state:volumes(spec.project), contents_directory = state:contents(spec.project) })
end

--- Launches an instance that does not run. The caller holds its lock.
---@param launching table  {state, spec, hosts and leased (of the record), uid, program, confinement, firmware, virtiofsd,
---                        restarts (holos.Restarts, to be remembered), anonymous (volumes whose disks were made before;
---                        then those that are there), warn(text), on_change(told)?,
---                        on_ports(ports): told what QEMU listens on, also when the launch fails after that}
---@return table runtime  as in runtime.json, with `ports`
function M.start(world, launching)
  local spec, state = launching.spec, launching.state
  runtime.require_launchable(spec)
  local directory = state:instance(spec.project, spec.name)
  launching.shares = {}
  local before = runtime.load(world, state, spec.project, spec.name)
  launching.on_share = function() -- until there is a process, a start that was due stays due
    runtime.save(world, state, spec.project, spec.name, { shares = launching.shares, restarts = before and before.restarts,
      exit = before and before.exit })
  end
  stop.end_shares(world, before)
  disk.require_same_base(world, state, spec)
  disk.create_sources(world, spec)
  launching.anonymous = disk.create_anonymous(world, state, spec, launching.anonymous or {})
  disk.write_seed(world, state, spec, launching.hosts, launching.on_change)
  if spec.vm.uefi then disk.create_uefi_vars(world, state, spec, launching.firmware) end
  launching.ports = ports.wanted(spec, launching.leased)
  local reserved <close> = descriptors.new()
  ports.reserve(world, launching, reserved)
  local command = M.command(state, spec, launching.firmware, launching.ports)
  local child <close> = M.fork(world, launching, directory, command)
  return prove(world, launching, directory, record(world, launching, directory, child), child)
end

--- Opens, forks. Our copies of the descriptors are closed on return: an early exit of QEMU then shows as a refused
--- connection instead of a hang.
---@return userdata child  at its gate; ends when it is closed there
function M.fork(world, launching, directory, command)
  local opened <close> = descriptors.open(world, launching, directory, command)
  return start_child(world, launching, directory, command, opened)
end

return M
