--- sys.poll: descriptors that can and cannot be read, and time, judged by pipes and the clock.

local clock = require "sys.clock"
local fs = require "sys.fs"
local host = require "sys.host"
local pipe = require "tests.support.pipe"
local poll = require "sys.poll"
local proc = require "sys.proc"
local tool = require "tests.support.tool"

test("poll.wait: positions of the ready pairs, ascending, by number or object", function()
  local a <close> = pipe()
  local b <close> = pipe()
  equal(poll.wait({ a.reader, "r", a.writer, "w", b.reader:fileno(), "r", b.writer:fileno(), "rw" }, 0), { 2, 4 })
  b.writer:try_write("x")
  equal(poll.wait({ a.reader, "r", b.reader, "rw", a.reader, "r" }, 0), { 2 })
  equal(poll.wait({}, 0), {})
end)

test("poll.wait: a descriptor twice, a full pipe, an end, and what is not open", function()
  local a <close> = pipe()
  equal(poll.wait({ a.writer, "w", a.writer, "w" }, 0), { 1, 2 })
  while a.writer:try_write(("x"):rep(65536)) do end
  equal(poll.wait({ a.writer, "w", a.reader, "r" }, 0), { 2 })
  a.writer:close()
  while a.reader:try_read(65536) ~= "" do end
  equal(poll.wait({ a.reader, "r" }, -1), { 1 })
  equal(poll.wait({ 1000000, "r" }, -1), { 1 })
end)

test("poll.wait: waits as long as it is told", function()
  local a <close> = pipe()
  local before = clock.monotonic_ms()
  equal(poll.wait({ a.reader, "r" }, 60), {})
  ok(clock.monotonic_ms() - before >= 59)
  equal(poll.wait({}, 1), {})
end)

test("poll.wait: a signal ends it with an empty list", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local script = tmpdir() .. "/script.lua"
  assert(fs.write_atomic(script, [[print(#require("sys.poll").wait({ 0, "r" }, 20000))]]))
  local result = run_tool({ "strace", "-f", "-o", "/dev/null", "-e", "trace=?poll,?ppoll", "-e",
    "inject=?poll,?ppoll:error=EINTR", host.executable(), "lua", script })
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  equal({ result.stdout, result.stderr }, { "0\n", "" })
end)

test("poll.wait: many descriptors", function()
  local a <close> = pipe()
  local list = {}
  for _ = 1, 500 do
    list[#list + 1] = a.writer
    list[#list + 1] = "w"
  end
  equal(#poll.wait(list, 0), 500)
end)

test("poll.wait: programmers' errors raise", function()
  local a <close> = pipe()
  raises("pair 1: the direction", poll.wait, { a.reader, "x" }, 0)
  raises("pair 1: the direction", poll.wait, { a.reader, 1 }, 0)
  raises("pairs of descriptor", poll.wait, { a.reader }, 0)
  raises("milliseconds", poll.wait, {}, -2)
  raises("descriptor number", poll.wait, { -1, "r" }, 0)
  a.reader:close()
  raises("closed", poll.wait, { a.reader, "r" }, 0)
end)

test("poll.wait: a process is readable when it has ended", function()
  local me = proc.self()
  local process <close> = assert(proc.open(me.pid, me.start_time))
  equal(poll.wait({ process:fileno(), "r" }, 0), {})
end)
