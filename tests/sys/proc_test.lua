--- sys.proc, judged by python's reading of /proc and by processes of every sort.

local fs = require "sys.fs"
local host = require "sys.host"
local launch = require "sys.launch"
local poll = require "sys.poll"
local proc = require "sys.proc"
local program = require "tests.support.program"

--- pid, start_time of a line "PID START".
local function numbers(line)
  local pid, start_time = line:match("(%d+) (%d+)")
  return tonumber(pid), tonumber(start_time)
end

-- The start time of a process, for scripts in Python.
local START = [[
def start(pid): return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[19]
]]

test("proc: this process and this boot", function()
  local me = proc.self()
  equal(tostring(me.pid), fs.readlink("/proc/self"))
  equal(proc.boot_id() .. "\n", fs.read("/proc/sys/kernel/random/boot_id"))
  equal(proc.identity(me.pid), me)
  local judged = run_tool({ "python3", "-c", START .. "import sys; print(start(int(sys.argv[1])))", tostring(me.pid) })
  equal({ judged.stdout, me.name .. "\n" }, { me.start_time .. "\n", fs.read("/proc/self/comm") })
end)

test("proc.identity: names with spaces, parentheses and newlines", function()
  for _, name in ipairs { "a) R 1 (b", ")", "(", "a b", "))))((((", "1 2 3 4 5 6 7 8", "x\ny" } do
    local other <close> = program.start { "python3", "-c", START .. [[
import os, sys
open("/proc/self/comm", "w").write(sys.argv[1])
print(os.getpid(), start(os.getpid()), os.getppid(), flush=True)
sys.stdin.read()
]], name }
    local line = other:line()
    local pid, start_time, parent = line:match("(%d+) (%d+) (%d+)")
    equal(proc.identity(other.pid), { pid = tonumber(pid), start_time = tonumber(start_time), parent = tonumber(parent),
      name = name })
    equal(other.start_time, tonumber(start_time))
  end
end)

test("proc: nobody, a zombie, another's pid and a mere thread are not there", function()
  equal({ select(3, proc.identity(4194305)), select(3, proc.open(4194305, 1)) }, { "ESRCH", "ESRCH" })
  equal(select(3, proc.open(1, proc.identity(1).start_time + 1)), "ESRCH")
  local other <close> = program.start { "python3", "-c", START .. [[
import os, sys, threading
child = os.fork()
if not child: os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print(child, start(child), flush=True)
threading.Thread(target=lambda: (print(threading.get_native_id(), 0, flush=True), sys.stdin.read())).start()
]] }
  local zombie, start_time = numbers(other:line())
  ok(fs.read(("/proc/%d/stat"):format(zombie)):find("%) Z "))
  equal({ select(3, proc.identity(zombie)), select(3, proc.open(zombie, start_time)) }, { "ESRCH", "ESRCH" })
  local thread = numbers(other:line())
  equal(select(3, proc.open(thread, proc.identity(thread).start_time)), "ESRCH")
end)

test("proc: a process whose first thread left still lives", function()
  local other <close> = program.start { "python3", "-c", START .. [[
import ctypes, os, sys, threading, time
def rest():
    while open("/proc/self/stat").read().rsplit(")", 1)[1].split()[0] != "Z": time.sleep(0.001)
    print(os.getpid(), start(os.getpid()), flush=True)
    sys.stdin.read()
threading.Thread(target=rest).start()
ctypes.CDLL(None).pthread_exit(None)
]] }
  local pid, start_time = numbers(other:line())
  equal(proc.identity(pid).start_time, start_time)
  local process <close> = assert(proc.open(pid, start_time))
  equal({ process:alive(), process:try_wait() }, { true, nil, "EAGAIN", "r" })
end)

test("proc.open: signals reach that process, its end is told, and a dead one gets none", function()
  local other <close> = program.start { "sleep", "1000" }
  local process <close> = assert(proc.open(other.pid, other.start_time))
  equal({ process.pid, process.start_time, process:alive() }, { other.pid, other.start_time, true })
  equal({ process:try_wait() }, { nil, "EAGAIN", "r" })
  equal({ process:signal(0), process:signal("STOP"), process:signal("SIGCONT"), process:signal(15) },
    { true, true, true, true })
  equal(poll.wait({ process:fileno(), "r" }, 20000), { 1 })
  ok(fs.read(("/proc/%d/stat"):format(other.pid)):find("%) Z "), "not reaped yet")
  equal({ process:try_wait(), process:alive() }, { true, false })
  equal({ select(3, process:signal("KILL")), select(3, proc.open(other.pid, other.start_time)) }, { "ESRCH", "ESRCH" })
  equal(other:ended(), { signal = "TERM" })
  equal({ process:try_wait(), select(3, process:signal("KILL")) }, { true, "ESRCH" })
end)

test("proc.open: a record that points at a stranger gives no way to signal it", function()
  local stranger <close> = program.start { "sleep", "1000" }
  for _, start_time in ipairs { 0, stranger.start_time - 1, stranger.start_time + 1, math.maxinteger, -1 } do
    equal(select(3, proc.open(stranger.pid, start_time)), "ESRCH")
  end
  equal(proc.identity(stranger.pid).start_time, stranger.start_time)
end)

test("proc.open: a pid that came to another process is not the one that was recorded", function()
  if host.uid() ~= 0 then skip "only root can choose pids in a namespace of its own" end
  local script = tmpdir() .. "/script.lua"
  assert(fs.write_atomic(script, [[
    local proc = require "sys.proc"
    local pid, start_time = tonumber(arg[1]), tonumber(arg[2])
    local now = proc.identity(pid)
    print(now ~= nil, now.start_time == start_time, select(3, proc.open(pid, start_time)),
      proc.open(pid, now.start_time) ~= nil)
  ]]))
  local result = run_tool({ "unshare", "--pid", "--fork", "--mount-proc", "python3", "-c", START .. [[
import subprocess, sys, time
first = subprocess.Popen(["sleep", "1000"])
before = start(first.pid)
first.kill(); first.wait()
while True:
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(first.pid - 1))
    second = subprocess.Popen(["sleep", "1000"])
    if second.pid == first.pid and start(second.pid) != before: break
    second.kill(); second.wait()
print(subprocess.run([sys.argv[1], "lua", sys.argv[2], str(first.pid), before], stdout=-1).stdout.decode(), end="")
second.kill()
]], host.executable(), script })
  if result.status ~= 0 then skip("no namespace with chosen pids: " .. result.stderr:sub(-100)) end
  equal(result.stdout, "true\tfalse\tESRCH\ttrue\n")
end)

test("proc.reap: how a child ended, once", function()
  for words, how in pairs { ["exit 0"] = { exit = 0 }, ["exit 7"] = { exit = 7 },
    ["kill -KILL $$"] = { signal = "KILL" },
    ["kill -SEGV $$"] = { signal = "SEGV" }, ["kill -40 $$"] = { signal = "40" } } do
    local child <close> = assert(launch.prepare { program = "/bin/sh", argv = { "-c", words }, stderr = 2 })
    equal({ proc.reap(child.pid) }, { nil, "EAGAIN", "r" })
    assert(child:go())
    equal(poll.wait({ child:fileno(), "r" }, 20000), { 1 })
    equal({ proc.reap(child.pid), select(3, proc.reap(child.pid)) }, { how, "ECHILD" }, words)
  end
  equal(select(3, proc.reap(1)), "ECHILD")
  raises("positive", proc.reap, -1)
  raises("positive", proc.reap, 0)
end)

test("proc.signal_number: as kill(1) has them", function()
  for _, name in ipairs { "HUP", "INT", "KILL", "TERM", "USR1", "WINCH", "CHLD" } do
    local judged = tonumber(run_tool({ "bash", "-c", "kill -l " .. name }).stdout:match("%d+"))
    equal({ proc.signal_number(name), proc.signal_number("SIG" .. name) }, { judged, judged })
  end
  equal({ proc.signal_number("NOPE") }, { nil, "no signal is called 'NOPE'", "EINVAL" })
end)

local function blocked()
  return fs.read("/proc/self/status"):match("SigBlk:%s*(%x+)")
end

test("proc.signals: what comes is told, until it is closed, and then all is as before", function()
  local me <close> = assert(proc.open(proc.self().pid, proc.self().start_time))
  local before = blocked()
  local signals = assert(proc.signals { "USR1", "WINCH" })
  ok(blocked() ~= before)
  equal({ signals:try_next() }, { nil, "EAGAIN", "r" })
  assert(me:signal("USR1"))
  equal(poll.wait({ signals:fileno(), "r" }, 0), { 1 })
  equal({ signals:try_next(), signals:try_next() }, { "USR1", nil, "EAGAIN", "r" })
  assert(me:signal("WINCH"))
  assert(me:signal("USR1"))
  local got = { signals:try_next() .. "", signals:try_next() .. "" }
  table.sort(got)
  equal(got, { "USR1", "WINCH" })
  assert(me:signal("WINCH"))
  equal({ signals:close(), signals:close(), blocked() }, { true, true, before })
  raises("closed", signals.try_next, signals)
end)

test("proc.signals: one within another leaves the outer one's signals blocked", function()
  local before = blocked()
  local outer <close> = assert(proc.signals { "USR1" })
  local during = blocked()
  local inner = assert(proc.signals { "USR1", "USR2" })
  inner:close()
  equal(blocked(), during)
  outer:close()
  equal(blocked(), before)
end)

test("proc: programmers' errors raise", function()
  raises("positive", proc.identity, 0)
  raises("positive", proc.open, 1 << 40, 1)
  raises("no name of a signal", proc.signals, { "NOPE" })
  raises("no name of a signal", proc.signals, { 2 })
  local me = proc.self()
  local process = assert(proc.open(me.pid, me.start_time))
  raises("no such signal", process.signal, process, "NOPE")
  raises("no such signal", process.signal, process, 1000)
  equal({ process:close(), process:close() }, { true, true })
  raises("closed", process.alive, process)
end)
