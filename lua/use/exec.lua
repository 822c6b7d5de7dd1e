--- exec and console: into a running instance. Effects: SSH, the console socket, the terminal.
local err = require "holos.core.err"
local input = require "holos.run.input"
local io_ = require "holos.run.io"
local observe = require "holos.run.observe"
local remote = require "holos.run.remote"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

M.READY_TIMEOUT_MS = 120000
--- A guest that is up greets and lets us in within so long, also an emulated one.
M.TRY_TIMEOUT_MS = 10000
local CONSOLE_BYTES = 65536
local DETACH = "\29" -- Ctrl-]

--- Our standard input, for the streams of `run` and `console`.
function M.input(world) return input.open(world) end

local function not_running(name, record)
  err.raise { message = ("%s is not running"):format(name), code = "ESTOPPED", exit = 125,
    hint = ("holos start -p %s %s"):format(record.name, name) }
end

--- What is true of an instance that must be running.
function M.running(context, name)
  local now = runtime.load(context.world, context.state, context.record.name, name)
  local process <close> = runtime.process(context.world, now)
  return process and now or not_running(name, context.record)
end

--- A session with a running instance; waits while the guest boots. Whom a provisioned one refuses is not waited for.
---@param options {user: string?, wait: boolean, on_progress: fun(text: string)}
function M.session(context, name, options)
  local spec, now = context.record.instances[name].spec, M.running(context, name)
  local connect = options.wait and remote.wait or remote.connect
  local told = observe.report(context.world, context.state, context.record.name, name, now)
  return connect(context.world, context.state, spec, now, { user = options.user, on_progress = options.on_progress,
    users_are_made = report.reached(told, "provisioned"),
    timeout_ms = options.wait and M.READY_TIMEOUT_MS or M.TRY_TIMEOUT_MS })
end

--- Runs a command in a session, with our standard streams.
---@param words string[]  the command's argv; none = an interactive shell
---@param spec table      of the instance
---@param streams table   {stdin, stdout(chunk), stderr(chunk), terminal: boolean, enter(): the other side is there}
---@return {status: integer?, signal: string?} result
function M.run(session, spec, words, streams)
  streams:enter()
  if #words == 0 and streams.terminal then return session:shell(streams) end
  if #words == 0 then return session:shell { stdin = streams.stdin, stdout = streams.stdout, stderr = streams.stderr } end
  return session:exec(remote.command_line(spec, words), streams)
end

local function relay_input(stdin, socket)
  while true do
    local chunk = io_.await(stdin, "try_read", CONSOLE_BYTES) or ""
    local cut = chunk:find(DETACH, 1, true)
    io_.write_all(socket, cut and chunk:sub(1, cut - 1) or chunk)
    if cut or chunk == "" then return "detached" end
  end
end

local function relay_output(socket, write)
  while true do
    local chunk = io_.await(socket, "try_read", CONSOLE_BYTES) or ""
    if chunk == "" then return "ended" end
    write(chunk)
  end
end

--- Attaches to the serial console of an instance that runs until Ctrl-], the end of stdin, or the end of the VM.
---@param streams table  as for M.run
---@return "detached"|"ended" how
function M.console(context, name, streams)
  local directory = context.state:instance(context.record.name, name)
  local socket <close> = err.check(name, context.world.net.connect_unix(directory, "console.sock"))
  streams:enter()
  io_.write_all(socket, "\r")
  return task.race {
    function() return relay_input(streams.stdin, socket) end,
    function() return relay_output(socket, streams.stdout) end,
  }
end

return M
