--- Runs a program to its end, with text in and text out. Effects: forks, waits.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

M.TIMEOUT_MS = 60000
M.OUTPUT_BYTES = 64 << 20
local CHUNK_BYTES = 65536
local END_MS = 5000

--- A small environment of the machine's, nothing of ours.
M.ENVIRONMENT = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8" }

--- Everything until the end of a pipe, at most `limit` bytes; what comes behind is read and dropped. on_text hears of all.
local function drain(fd, limit, on_text)
  local parts, bytes = {}, 0
  repeat
    local text = err.check("output", io_wait.await(fd, "try_read", CHUNK_BYTES))
    if on_text and text ~= "" then on_text(text) end
    if bytes < limit then parts[#parts + 1] = text:sub(1, limit - bytes) end
    bytes = bytes + #text
    task.yield()
  until text == ""
  return table.concat(parts)
end

--- Writes the input and closes it. A program may stop reading early; that is its own business.
local function feed(fd, text)
  local written, message, code = io_wait.write_all(fd, text)
  fd:close()
  if not written and code ~= "EPIPE" then err.raise { message = "input: " .. message, code = code } end
end

local Ends = {}
Ends.__index = Ends
function Ends:__close()
  for _, fd in pairs(self) do fd:close() end
end

local function pipes(world)
  local ends = setmetatable({}, Ends)
  ends.child_stdin, ends.stdin = world.fd.pipe()
  ends.stdout, ends.child_stdout = world.fd.pipe()
  ends.stderr, ends.child_stderr = world.fd.pipe()
  return ends
end

local function start(world, options, ends)
  local child = err.check(nil, world.launch.prepare {
    program = options.program, argv = options.argv or {}, env = options.env or M.ENVIRONMENT, fds = options.fds,
    directory = options.directory, stdin = ends.child_stdin, stdout = ends.child_stdout, stderr = ends.child_stderr,
    session = true, uid = options.uid, gid = options.gid, groups = options.groups, landlock = options.landlock,
    namespace = options.namespace,
  })
  return io_wait.go(nil, child)
end

-- Tells it to end, and waits for as long as it may take to do that.
local function ask_to_end(world, child, grace_ms)
  local leader <close> = world.proc.open(child.pid, child.start_time)
  if not leader then return end
  leader:signal("TERM")
  pcall(task.shield, grace_ms, task.wait, { process = leader })
end

--- When its scope is left the program is gone, with the group it leads, and reaped.
local function ended(world, child, grace_ms)
  return setmetatable({}, { __close = function()
    if grace_ms then ask_to_end(world, child, grace_ms) end
    child:kill()
    task.shield(END_MS, function() io_wait.await(child, "try_wait") end)
    child:close()
  end })
end

local function collect(child, ends, options)
  local limit, stdout, stderr, how = options.output_bytes or M.OUTPUT_BYTES, nil, nil, nil
  task.all {
    function() if options.stdin ~= false then feed(ends.stdin, options.stdin or "") end end,
    function() stdout = drain(ends.stdout, limit, options.on_stdout) end,
    function() stderr = drain(ends.stderr, limit, options.on_stderr) end,
    function() how = err.check(options.program, io_wait.await(child, "try_wait")) end,
  }
  return { status = how.exit, signal = how.signal, stdout = stdout, stderr = stderr }
end

--- Runs a program to its end and the end of its output. Raises ETIMEDOUT after `timeout_ms`; it is killed then, like
--- whatever it has started and not detached.
---@param world table  needs fd and launch
---@param options {program: string, argv: string[]?, stdin: string|false|nil, timeout_ms: integer?, output_bytes: integer?}
---  and env, directory, fds, uid, gid, groups, landlock, namespace as for sys.launch; output_bytes bounds each stream;
---  stdin = false: it has no input, and no end of it before it ends or we do;
---  on_stdout(text), on_stderr(text) hear of it as it comes; grace_ms: who is to be ended is told so first (needs world.proc)
---@return {status: integer?, signal: string?, stdout: string, stderr: string}
function M.run(world, options)
  return task.within(options.timeout_ms or M.TIMEOUT_MS, function()
    local ends <close> = pipes(world)
    local child = start(world, options, ends)
    local _guard <close> = ended(world, child, options.grace_ms)
    for _, name in ipairs { "child_stdin", "child_stdout", "child_stderr" } do ends[name]:close() end
    return collect(child, ends, options)
  end)
end

return M
