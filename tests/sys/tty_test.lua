--- sys.tty, judged by python's termios on the other side of a terminal.

local fs = require "sys.fs"
local host = require "sys.host"
local pipe = require "tests.support.pipe"
local tty = require "sys.tty"

-- Runs holos with `script` on a terminal of 123 × 45; what it says on standard output comes line by line, and behind
-- each line stands the mode of the terminal then.
local PYTHON = [=[
import fcntl, os, pty, struct, subprocess, sys, termios
def mode(fd):
    flags = termios.tcgetattr(fd)[3]
    return "cooked" if flags & termios.ICANON and flags & termios.ECHO and flags & termios.ISIG else \
        "raw" if not flags & (termios.ICANON | termios.ECHO | termios.ISIG) else "mixed"
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 123, 0, 0))
before = termios.tcgetattr(slave)
child = subprocess.Popen([sys.argv[1], "lua", sys.argv[2]], stdin=slave, stdout=subprocess.PIPE)
while True:
    line = child.stdout.readline().decode().rstrip("\n")
    if not line: break
    print(line, mode(slave), flush=True)
    os.write(master, b"k\n")
print("ended", child.wait(), mode(slave), termios.tcgetattr(slave) == before)
]=]

local function on_terminal(script, python)
  local path = tmpdir() .. "/script.lua"
  assert(fs.write_atomic(path, [[
    local tty, fd = require "sys.tty", require "sys.fd"
    local function say(...) print(...) io.stdout:flush() io.stdin:read "L" end
  ]] .. script))
  local result = run_tool({ "python3", "-c", python or PYTHON, host.executable(), path })
  equal(result.stderr, "")
  return result.stdout
end

test("tty: a terminal and its size", function()
  equal(on_terminal [[ say(tty.is_terminal(0), tty.is_terminal(1), tty.size(0)) ]],
    "true\tfalse\t123\t45 cooked\nended 0 cooked True\n")
end)

test("tty: what is none", function()
  local pair <close> = pipe()
  equal({ tty.is_terminal(pair.reader), tty.is_terminal(1000000) }, { false, false })
  equal({ select(3, tty.size(pair.reader)), select(3, tty.raw(pair.reader)) }, { "ENOTTY", "ENOTTY" })
end)

test("tty.raw: until it is restored, twice is nothing", function()
  equal(on_terminal [[
    local guard = tty.raw(0) say "one"
    guard:restore() say "two"
    guard:close() say "three"
  ]], "one raw\ntwo cooked\nthree cooked\nended 0 cooked True\n")
end)

test("tty.raw: restored by the end of a scope, an error, the collector and the end of the program", function()
  equal(on_terminal [[
    do local guard <close> = tty.raw(0) say "scope" end
    say "after"
    pcall(function() local guard <close> = tty.raw(0) error "x" end) say "error"
    tty.raw(0) collectgarbage() say "collected"
    kept = tty.raw(0) say "kept"
  ]], "scope raw\nafter cooked\nerror cooked\ncollected cooked\nkept raw\nended 0 cooked True\n")
end)

test("tty.raw: restored although the caller closed its descriptor", function()
  equal(on_terminal [[
    local copy = require("sys.fs").open("/proc/self/fd/0", { read = true, write = true })
    local guard = tty.raw(copy) say "raw"
    copy:close() guard:restore() say "restored"
  ]], "raw raw\nrestored cooked\nended 0 cooked True\n")
end)

test("tty.raw: a terminal that is gone is told", function()
  equal(on_terminal([[
    local guard = tty.raw(0) print "raw" io.stdout:flush() io.stdin:read(1)
    print(select(3, guard:restore()))
  ]], [=[
import os, pty, subprocess, sys
master, slave = pty.openpty()
child = subprocess.Popen([sys.argv[1], "lua", sys.argv[2]], stdin=slave, stdout=subprocess.PIPE)
child.stdout.readline(); os.close(slave); os.close(master)
print(child.stdout.read().decode(), end="")
]=]), "EIO\n")
end)

test("tty.raw: restored in the background too, without being stopped", function()
  equal(on_terminal([[
    local guard = tty.raw(0) print "raw" io.stdout:flush()
    require("sys.poll").wait({ 2, "r" }, -1)
    print(guard:restore())
  ]], [=[
import os, pty, signal, sys, termios
pid, master = pty.fork()
if pid:
    text = b""
    try:
        while True:
            more = os.read(master, 4096)
            if not more: break
            text += more
    except OSError: pass
    os.waitpid(pid, 0)
    print(text.decode().replace("\r", ""), end=""); sys.exit()
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
from_child, to_us = os.pipe(); child_waits, go = os.pipe()
child = os.fork()
if not child:
    os.setpgid(0, 0); os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.dup2(to_us, 1); os.dup2(child_waits, 2)
    os.execv(sys.argv[1], [sys.argv[1], "lua", sys.argv[2]])
os.close(to_us)
os.read(from_child, 100)
os.tcsetpgrp(0, os.getpgrp())
os.write(go, b"x")
_, status = os.waitpid(child, os.WUNTRACED)
print("stopped" if os.WIFSTOPPED(status) else os.read(from_child, 100).decode().strip(),
      bool(termios.tcgetattr(0)[3] & termios.ECHO), flush=True)
if os.WIFSTOPPED(status): os.kill(child, 9)
]=]), "true True\n")
end)
