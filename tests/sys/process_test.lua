--- run/process over the real world: text in, text out, deadlines, nothing left.

local err = require "holos.core.err"
local process = require "holos.run.process"
local task = require "holos.core.task"
local world = require "holos.run.world"

local function shell(script, options)
  options = options or {}
  options.program, options.argv = "/bin/sh", { "-c", script }
  return process.run(world, options)
end

test("process: input, both outputs and the status", function()
  equal(shell("cat; echo oops >&2; exit 3", { stdin = "text\n" }),
    { status = 3, stdout = "text\n", stderr = "oops\n" })
  equal(shell("kill -SEGV $$"), { signal = "SEGV", stdout = "", stderr = "" })
end)

test("process: more than a pipe holds goes both ways at once", function()
  local text = ("0123456789abcdef"):rep(64 * 1024) -- 1 MiB; a pipe holds 64 KiB
  local result = shell("cat", { stdin = text })
  ok(result.stdout == text, "the text came back changed")
end)

test("process: a program that does not read its input is no error", function()
  equal(shell("exit 0", { stdin = ("x"):rep(1 << 20) }).status, 0)
end)

test("process: output beyond the limit is dropped, not kept", function()
  local result = shell("head -c 1000000 /dev/zero; echo end >&2", { output_bytes = 10 })
  equal({ #result.stdout, result.stderr, result.status }, { 10, "end\n", 0 })
end)

--- Waits for the end of a process that was killed: it has to be scheduled once more to notice.
local function await_end(pid)
  local left = world.proc.identity(pid)
  local orphan <close> = left and world.proc.open(pid, left.start_time)
  if orphan then task.within(60000, function() task.wait { process = orphan } end) end
end

--- The pid of a child that a shell leaves behind when `timeout_ms` is over; nil when the shell did not get that far.
local function outlive_shell(timeout_ms)
  local directory = tmpdir()
  local fine, problem = pcall(shell, "cat /dev/zero > /dev/null & echo $! > new; mv new pid; wait",
    { directory = directory, timeout_ms = timeout_ms })
  equal({ fine, problem.code }, { false, "ETIMEDOUT" })
  return math.tointeger(tonumber(world.fs.read(directory .. "/pid")))
end

test("process: a deadline ends the program and what it started", function()
  local pid = outlive_shell(300) or outlive_shell(3000) or outlive_shell(30000)
  await_end(pid)
  equal(world.proc.identity(pid), nil)
end)

test("process: cancelled with its scope", function()
  local first = task.race {
    function() shell("cat /dev/zero > /dev/null") return "ended" end,
    function() task.wait { at_ms = task.now_ms() + 50 } return "cancelled" end,
  }
  equal(first, "cancelled")
end)

test("process: what cannot be run raises the reason", function()
  local fine, problem = pcall(process.run, world, { program = "/no/such" })
  equal({ fine, err.is(problem, "ENOENT"), problem.message },
    { false, true, "launch /no/such: exec: No such file or directory" })
end)

test("process: a clean environment by default", function()
  local names = {}
  for name in process.run(world, { program = "/usr/bin/env" }).stdout:gmatch("([^=\n]+)=[^\n]*") do
    names[#names + 1] = name
  end
  equal(names, { "PATH", "LANG" })
end)

test("process: its output is heard as it comes, and need not be kept", function()
  local heard = { stdout = {}, stderr = {} }
  local result = shell("echo one; echo two >&2; echo three", { output_bytes = 0,
    on_stdout = function(piece) table.insert(heard.stdout, piece) end,
    on_stderr = function(piece) table.insert(heard.stderr, piece) end })
  equal({ table.concat(heard.stdout), table.concat(heard.stderr), result.stdout, result.stderr, result.status },
    { "one\nthree\n", "two\n", "", "", 0 })
end)

test("process: who is given grace is told to end, and may take its time, but no more than that", function()
  local file = tmpdir() .. "/told"
  local function told(script, grace_ms)
    world.fs.remove(file)
    local ready = false
    local begun_ms = task.now_ms()
    task.race {
      function()
        shell(script .. " echo; cat <&0 & while :; do wait $!; done", { grace_ms = grace_ms, stdin = false,
          on_stdout = function() ready = true end, env = { "PATH=/bin:/usr/bin", "FILE=" .. file } })
      end,
      function()
        while not ready do task.wait { at_ms = task.now_ms() + 10 } end
      end,
    }
    return world.fs.read(file), task.now_ms() - begun_ms
  end
  equal((told("trap 'echo yes >$FILE; exit' TERM;", 20000)), "yes\n")
  local said, took_ms = told("trap 'echo yes >$FILE' TERM;", 300)
  equal({ said, took_ms >= 300 and took_ms < 20000 }, { "yes\n", true })
end)

test("process: without input there is no end of it either, until we are gone", function()
  equal(shell("read -r _ && echo something || echo end", { stdin = "" }).stdout, "end\n")
  local fine, problem = pcall(shell, "read -r _", { stdin = false, timeout_ms = 200 })
  equal({ fine, problem.code }, { false, "ETIMEDOUT" })
end)
