--- sys.host, judged by uname(1), id(1), nproc(1), env(1), free figures in /proc and the shell.

local fs = require "sys.fs"
local host = require "sys.host"

local function output(...)
  return (run_tool({ ... }).stdout:gsub("\n$", ""))
end

--- What `expression` gives inside another holos, started by `argv` with the binary and a script behind it.
local function inside(expression, argv, options)
  local script = tmpdir() .. "/script.lua"
  assert(fs.write_atomic(script, ("local host = require 'sys.host' print(%s)"):format(expression), { mode = 420 }))
  local words = { table.unpack(argv or {}) }
  for _, word in ipairs { host.executable(), "lua", script } do words[#words + 1] = word end
  local result = run_tool(words, options)
  equal(result.stderr, "")
  return (result.stdout:gsub("\n$", ""))
end

test("host: names of the machine", function()
  equal(host.hostname(), output("uname", "-n"))
  equal(host.architecture(), output("uname", "-m"))
  equal(host.kernel(), output("uname", "-r"))
end)

test("host.env, host.environ: what was given, no more", function()
  equal(host.env("HOLOS_NO_SUCH_VARIABLE"), nil)
  equal(host.environ().PATH, host.env("PATH"))
  local argv = { "env", "-i", "A=", "B=x=y", "C=two\nlines" }
  equal(inside("#host.env('A'), host.env('B'), host.env('C'), host.env('PATH')", argv), "0\tx=y\ttwo\nlines\tnil")
  equal(inside("(function() local n = 0 for _ in pairs(host.environ()) do n = n + 1 end return n end)()", argv), "3")
end)

test("host.uid, gid, groups: as id(1) has them, also for somebody else", function()
  equal(tostring(host.uid()), output("id", "-u"))
  equal(tostring(host.gid()), output("id", "-g"))
  if host.uid() ~= 0 then skip "only root can become somebody else" end
  local binary = tmpdir() .. "/holos"
  assert(fs.copy(host.executable(), binary, { mode = 493 }))
  assert(fs.chmod(binary:match("(.*)/"), 493))
  local script = binary .. ".lua"
  assert(fs.write_atomic(script, "local h = require 'sys.host' print(h.uid(), h.gid(), table.concat(h.groups(), ' '))",
    { mode = 420 }))
  local result = run_tool({ "setpriv", "--reuid=1234", "--regid=2345", "--groups=1,2,3", binary, "lua", script })
  if result.status ~= 0 then skip("another user cannot run holos: " .. result.stderr) end
  equal(result.stdout, "1234\t2345\t1 2 3\n")
end)

test("host.cpu_count: the processors this process may use", function()
  equal(tostring(host.cpu_count()), output("nproc"))
  equal(inside("host.cpu_count()", { "taskset", "-c", "0" }), "1")
end)

test("host.memory: as /proc/meminfo has it", function()
  local memory = assert(host.memory())
  local text = fs.read("/proc/meminfo")
  equal(memory.total_bytes, tonumber(text:match("MemTotal:%s*(%d+)")) * 1024)
  local available = tonumber(text:match("MemAvailable:%s*(%d+)")) * 1024
  ok(math.abs(memory.available_bytes - available) < memory.total_bytes // 4)
end)

test("host.executable: absolute; that of the new program when it was replaced or removed", function()
  equal(host.executable(), fs.realpath("/proc/self/exe"))
  local directory = tmpdir()
  local binary = directory .. "/holos"
  local script = directory .. "/script.lua"
  for _, name in ipairs { binary, binary .. " (deleted)" } do
    assert(fs.copy(host.executable(), name, { mode = 448 }))
    assert(fs.write_atomic(script, [[
      local fs, host = require "sys.fs", require "sys.host"
      local before = host.executable()
      local kept = before == ...
      fs.remove(...)
      print(kept, host.executable() == before, fs.readlink("/proc/self/exe") == before)
    ]]))
    equal(run_tool({ name, "lua", script, name }).stdout, "true\ttrue\tfalse\n")
  end
end)

test("host.working_directory: absolute, and its absence is told", function()
  local directory = fs.realpath(tmpdir())
  equal(inside("host.working_directory()", nil, { directory = directory }), directory)
  local result = inside("select(3, host.working_directory())",
    { "sh", "-c", 'mkdir "$0/gone" && cd "$0/gone" && rmdir "$0/gone" && exec "$@"', directory })
  equal(result, "ENOENT")
end)

test("host.random: as many bytes as wanted, never the same", function()
  for _, count in ipairs { 1, 16, 257, 1 << 20 } do equal(#host.random(count), count) end
  ok(host.random(16) ~= host.random(16))
  local seen = {}
  for byte in host.random(65536):gmatch(".") do seen[byte] = true end
  local kinds = 0
  for _ in pairs(seen) do kinds = kinds + 1 end
  equal(kinds, 256)
  raises("1 byte to 1 MiB", host.random, 0)
  raises("1 byte to 1 MiB", host.random, (1 << 20) + 1)
end)
