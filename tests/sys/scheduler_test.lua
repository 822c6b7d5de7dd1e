--- The scheduler on the real poller: pipes, time, processes, signals. Judged by the clock and by the shell.

local clock = require "sys.clock"
local fd = require "sys.fd"
local files = require "tests.support.files"
local host = require "sys.host"
local io_ = require "holos.run.io"
local launch = require "sys.launch"
local proc = require "sys.proc"
local task = require "holos.core.task"

local function pipe()
  local reader, writer = fd.pipe()
  fd.nonblocking(reader, true)
  fd.nonblocking(writer, true)
  return reader, writer
end

test("a megabyte goes through a pipe between two tasks", function()
  local from, to = pipe()
  local text, parts = ("0123456789abcdef"):rep(65536), {}
  task.all {
    function() ok(io_.write_all(to, text)); to:close() end,
    function()
      repeat
        local piece = io_.await(from, "try_read", 65536)
        parts[#parts + 1] = piece
      until piece == ""
    end,
  }
  from:close()
  equal(table.concat(parts) == text, true)
end)

test("time is real: a deadline of 30 ms ends a wait after 30 ms", function()
  local reader, writer = pipe()
  local begun_ms = clock.monotonic_ms()
  local problem = raises("timed out", task.within, 30, io_.await, reader, "try_read", 1)
  equal(problem.code, "ETIMEDOUT")
  ok(clock.monotonic_ms() - begun_ms >= 30)
  reader:close()
  writer:close()
end)

test("closed peers are errors of the primitive, not waits for ever", function()
  local reader, writer = pipe()
  reader:close()
  local written, _, code = io_.write_all(writer, "x")
  equal({ written, code }, { nil, "EPIPE" })
  writer:close()
end)

test("a hundred readers are woken each by its own writer", function()
  local woken = {}
  task.scope(function(scope)
    for number = 1, 100 do
      local reader, writer = pipe()
      scope:spawn("reader", function()
        woken[number] = io_.await(reader, "try_read", 10)
        reader:close()
      end)
      scope:spawn("writer", function()
        task.wait { at_ms = task.now_ms() + (number * 37) % 11 }
        io_.write_all(writer, tostring(number))
        writer:close()
      end)
    end
  end)
  for number = 1, 100 do equal(woken[number], tostring(number)) end
end)

test("a launched process is waited for", function()
  local child <close> = launch.prepare { program = "/bin/true" }
  ok(child:go())
  equal(io_.await(child, "try_wait"), { exit = 0 })
end)

-- A script that runs its own scheduler with signals, as commands do.
local WAITS = [[
local task, world = require "holos.core.task", require "holos.run.world"
local signals = world.proc.signals { "INT", "TERM", "HUP" }
local poller = { now_ms = world.poller.now_ms, wait = world.poller.wait, signals = signals }
local fine, problem = pcall(task.run, poller, function()
  local _closer <close> = setmetatable({}, { __close = function()
    task.shield(5000, function() task.wait { at_ms = task.now_ms() + MORE }; io.stdout:write("closed\n") end)
  end })
  io.stdout:write(world.proc.self().pid, "\n")
  io.stdout:flush()
  task.wait { at_ms = task.now_ms() + 20000 }
end)
io.stdout:write(problem.signal, "\n")
return problem.exit
]]

-- Starts the script, waits until it says that it waits, sends the signals; gives what else it said, and how it ended.
local function signalled(closing_ms, ...)
  local path = tmpdir() .. "/waits.lua"
  files.write(path, (WAITS:gsub("MORE", tostring(closing_ms))))
  local reader, writer = fd.pipe()
  fd.nonblocking(reader, true)
  local child <close> = launch.prepare { program = host.executable(), argv = { "lua", path }, stdout = writer,
    env = { "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } }
  writer:close()
  ok(child:go())
  local text = io_.await(reader, "try_read", 4096)
  local process <close> = proc.open(child.pid, child.start_time)
  for _, name in ipairs { ... } do ok(process:signal(name)) end
  local how, more = io_.await(child, "try_wait"), ""
  repeat
    local piece = io_.await(reader, "try_read", 4096)
    more = more .. piece
  until piece == ""
  reader:close()
  return text:match("^%d+\n$") and more, how
end

test("Ctrl-C cancels the run: closers wait and end, the status is the shell's", function()
  equal({ signalled(10, "INT") }, { "closed\nINT\n", { exit = 130 } })
  equal({ signalled(0, "TERM") }, { "closed\nTERM\n", { exit = 143 } })
end)

test("the second signal does not wait for closers", function()
  local begun_ms = clock.monotonic_ms()
  equal({ signalled(4000, "INT", "TERM") }, { "INT\n", { exit = 130 } })
  ok(clock.monotonic_ms() - begun_ms < 3000)
end)
