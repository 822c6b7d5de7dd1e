--- Runs an independent tool (qemu-img, ssh-keygen, …) and gives its output, for tests that judge primitives.

local err = require "holos.core.err"
local task = require "holos.core.task"
local io_wait = require "holos.run.io"
local files = require "tests.support.files"

local M = {}

local DEFAULT_TIMEOUT_MS = 60000
local CHUNK_BYTES = 65536

local function need(name)
  local found, module = pcall(require, name)
  if not found then error("run_tool needs " .. name .. ", which this binary lacks", 0) end
  return module
end

--- The full path of a program on PATH, or nil.
function M.find(program)
  local fs = need "sys.fs"
  if program:find("/", 1, true) then return program end
  for directory in (files.environment("PATH") or "/usr/bin:/bin"):gmatch("[^:]+") do
    local facts = fs.stat(directory .. "/" .. program)
    if facts and facts.type == "file" then return directory .. "/" .. program end
  end
end

local function drain(fd)
  local parts = {}
  repeat
    local text = err.check("tool's output", io_wait.await(fd, "try_read", CHUNK_BYTES))
    parts[#parts + 1] = text
  until text == ""
  return table.concat(parts)
end

-- A tool may stop reading early; that is its own business.
local function feed(fd, text)
  local at = 1
  while at <= #text do
    local count, _, code = io_wait.await(fd, "try_write", text, at)
    if not count then
      if code == "EPIPE" then break end
      err.raise("tool's input: " .. tostring(code))
    end
    at = at + count
  end
  fd:close()
end

local function environment(extra)
  local list = { "PATH=" .. (files.environment("PATH") or "/usr/bin:/bin"), "LC_ALL=C.UTF-8", "HOME=/dev/null/home" }
  for _, setting in ipairs(extra or {}) do list[#list + 1] = setting end
  return list
end

-- The program, held at its gate.
local function prepare(argv, options, ends)
  local program = M.find(argv[1]) or err.raise { message = argv[1] .. ": not found on PATH", code = "ENOENT" }
  return err.check(argv[1], need("sys.launch").prepare {
    program = program, argv = { table.unpack(argv, 2) }, env = environment(options.env), directory = options.directory,
    stdin = ends.child_stdin, stdout = ends.child_stdout, stderr = ends.child_stderr, session = true,
  })
end

local function pipes()
  local fd = need "sys.fd"
  local ends = {}
  ends.child_stdin, ends.stdin = fd.pipe()
  ends.stdout, ends.child_stdout = fd.pipe()
  ends.stderr, ends.child_stderr = fd.pipe()
  for _, name in ipairs { "stdin", "stdout", "stderr" } do fd.nonblocking(ends[name], true) end
  return setmetatable(ends, { __close = function()
    for _, descriptor in pairs(ends) do descriptor:close() end
  end })
end

-- Whatever happens, the process is gone and reaped afterwards; one that was reaped, or never let go, is left alone.
local function ended(launch)
  return setmetatable({}, { __close = function()
    launch:kill()
    task.shield(5000, io_wait.await, launch, "try_wait")
    launch:close()
  end })
end

local function collect(launch, ends, input)
  local stdout, stderr, how
  task.all {
    function() feed(ends.stdin, input) end,
    function() stdout = drain(ends.stdout) end,
    function() stderr = drain(ends.stderr) end,
    function() how = err.check("tool", io_wait.await(launch, "try_wait")) end,
  }
  return { status = how.exit, signal = how.signal, stdout = stdout, stderr = stderr }
end

--- Runs `argv` (found on PATH) to its end.
---@param argv string[]
---@param options {stdin: string?, timeout_ms: integer?, env: string[]?, directory: string?}?
---@return {status: integer?, signal: string?, stdout: string, stderr: string}
function M.run(argv, options)
  options = options or {}
  return task.within(options.timeout_ms or DEFAULT_TIMEOUT_MS, function()
    local ends <close> = pipes()
    local launch <close> = prepare(argv, options, ends)
    err.check(argv[1], launch:go())
    local _ended <close> = ended(launch)
    for _, name in ipairs { "child_stdin", "child_stdout", "child_stderr" } do ends[name]:close() end
    return collect(launch, ends, options.stdin or "")
  end)
end

return M
