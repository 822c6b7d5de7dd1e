--- What QEMU on this host can do: version, machine types, accelerators. Effects: starts QEMU once without a machine and
--- asks it; the answer is kept until the binary changes.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local path = require "holos.core.path"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"

local M = {}

--- Versioned machine types that plain names stand for; DESIGN §4: recorded at creation, because `q35` changes meaning.
local FORMAT = 1
local PROBE_MS = 20000
local MAX_BYTES, LOG_TAIL_BYTES = 1 << 20, 4096
local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)

--- The program's path: HOLOS_QEMU_SYSTEM, else qemu-system-<arch> on the PATH.
---@return string? program
---@return string? message
function M.find(world)
  local named = world.host.env("HOLOS_QEMU_SYSTEM")
  local name = named and named ~= "" and named or "qemu-system-" .. world.host.architecture()
  local program, message = world.qemu.find(name)
  if program then return world.fs.realpath(program) end
  return nil, message
end

local function key_of(world, program)
  local stat = err.check(program, world.fs.stat(program))
  return world.hash.sha256(("%d %s %d %d %d"):format(FORMAT, program, stat.size_bytes, stat.mtime_ns, stat.inode))
end

local function ask(session)
  local version = session:execute("query-version", {}, { timeout_ms = PROBE_MS }).qemu
  local machines, accelerators = {}, {}
  for _, machine in ipairs(session:execute("query-machines", {}, { timeout_ms = PROBE_MS })) do
    machines[machine.alias or machine.name] = machine.name
  end
  accelerators.kvm = session:execute("query-kvm", {}, { timeout_ms = PROBE_MS }).present
  return { version = ("%d.%d.%d"):format(version.major, version.minor, version.micro), machines = machines,
    accelerators = accelerators }
end

--- QEMU without a machine, confined and with its monitor on the socket; it ends when we do.
local function start(world, program, where, log)
  local socket <close> = err.check(program, world.net.listen_unix(where.directory, where.name, {}))
  local child = err.check(program, world.launch.prepare { program = program, fds = { [3] = socket }, stdout = log,
    stderr = log, session = true, dies_with_us = true,
    env = { "PATH=/usr/bin:/bin", "HOME=" .. where.directory, "TMPDIR=" .. where.directory },
    argv = { "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none",
      "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      "-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon", "chardev=qmp,mode=control" } })
  return io_wait.go(program, child)
end

--- When its scope is left the probe's socket is gone.
local function unlinked(world, where)
  return setmetatable({}, { __close = function() world.fs.remove(path.join(where.directory, where.name)) end })
end

--- When its scope is left the probe is dead and reaped.
local function ended(child)
  return setmetatable({}, { __close = function()
    child:kill()
    task.shield(PROBE_MS, io_wait.await, child, "try_wait")
  end })
end

local function converse(world, where)
  local session <close> = qmp.connect(world, where, { timeout_ms = PROBE_MS })
  return ask(session)
end

--- Raises why a QEMU that was started does not answer: its own last words, when it has any.
local function no_answer(world, program, log, problem)
  if not err.is_failure(problem) then error(problem, 0) end
  local words = (world.fs.tail(log, LOG_TAIL_BYTES) or ""):match("([^\n]+)%s*$")
  err.raise { message = ("%s does not work: %s"):format(program, words or tostring(problem)), code = "EQEMU",
    hint = "its log: " .. log }
end

local function run_and_ask(world, program, directory)
  local me = err.check(program, world.proc.self())
  local where, file = { directory = directory, name = "probe-" .. me.pid .. ".sock" }, directory .. "/probe.log"
  local log <close> = err.check(program, world.fs.open(file, { write = true, create = true, truncate = true, nofollow = true,
    mode = FILE_MODE }))
  local _unlinked <close> = unlinked(world, where)
  local child <close> = start(world, program, where, log)
  local _ended <close> = ended(child)
  local ok, answer = xpcall(converse, err.trace, world, where)
  if not ok then no_answer(world, program, file, answer) end
  return answer
end

--- What `program` can do, from the cache or by asking it.
---@return {program: string, version: string, machines: table<string, string>, accelerators: table}
function M.qemu(world, state, program)
  local file = state:probe(key_of(world, program))
  local kept = world.fs.read(file, { max_bytes = MAX_BYTES })
  local answer = kept and world.json.decode(kept, {})
  if type(answer) ~= "table" or type(answer.machines) ~= "table" then
    local directory = state.root .. "/probes"
    err.check("state directory", world.fs.mkdir_all(directory, DIRECTORY_MODE))
    answer = run_and_ask(world, program, directory)
    err.check("probe", world.fs.write_atomic(file, world.json.encode(answer, {}), { mode = FILE_MODE }))
  end
  answer.program = program
  return answer
end

return M
