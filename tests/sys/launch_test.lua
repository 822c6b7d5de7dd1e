--- sys.launch, judged by /proc, the shell and the kernel's own refusals.

local fd = require "sys.fd"
local fs = require "sys.fs"
local launch = require "sys.launch"
local poll = require "sys.poll"
local proc = require "sys.proc"

local CLEAN = { "PATH=/usr/bin:/bin" }

--- Waits until a launched program has ended; gives how.
local function ended(child)
  equal(poll.wait({ child:fileno(), "r" }, 20000), { 1 })
  return child:try_wait()
end

--- Everything that comes out of a pipe until its end.
local function read_all(reader)
  local parts = {}
  fd.nonblocking(reader, false)
  while true do
    local text = assert(reader:try_read(65536))
    if text == "" then break end
    parts[#parts + 1] = text
  end
  reader:close()
  return table.concat(parts)
end

--- Runs a program with its output in a pipe: output, how it ended.
local function run(options)
  local reader, writer = fd.pipe()
  options.stdout, options.stderr, options.env = writer, writer, options.env or CLEAN
  local child <close> = assert(launch.prepare(options))
  writer:close()
  local good, message, code = child:go()
  if not good then
    reader:close()
    return nil, message, code
  end
  local text = read_all(reader)
  return text, ended(child)
end

local function shell(script, options)
  options = options or {}
  options.program, options.argv = "/bin/sh", { "-c", script }
  return run(options)
end

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read_file(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

local function is_root()
  return read_file("/proc/self/status"):match("\nUid:%s+(%d+)") == "0"
end

local function count_fds()
  return #fs.list("/proc/self/fd")
end

local function count_children()
  local text = shell("ps -o pid= --ppid $PPID | wc -l")
  return tonumber(text)
end

test("launch: a program runs, gives its output and how it ended", function()
  local text, how = shell("echo out; echo err >&2; exit 7")
  equal(text, "out\nerr\n")
  equal(how, { exit = 7 })
  local _, killed = shell("kill -TERM $$")
  equal(killed, { signal = "TERM" })
end)

test("launch: pid and start time are known before the program is, and are its own", function()
  local dir = tmpdir()
  local child <close> = assert(launch.prepare { program = "/bin/sh", argv = { "-c", "echo $$ > " .. dir .. "/pid" } })
  local stat = read_file("/proc/" .. child.pid .. "/stat")
  local fields = {}
  for field in stat:match("^.*%)%s+(.*)$"):gmatch("%S+") do fields[#fields + 1] = field end
  equal(child.start_time, math.tointeger(tonumber(fields[20]))) -- field 22; the list starts at field 3
  equal(read_file(dir .. "/pid"), nil)
  ok(child:go())
  equal(ended(child), { exit = 0 })
  equal(read_file(dir .. "/pid"), child.pid .. "\n")
end)

test("launch: the environment is exactly what was given", function()
  equal(run { program = "/usr/bin/env", env = { "A=1", "B=two words" } }, "A=1\nB=two words\n")
  equal(run { program = "/usr/bin/env", env = {} }, "")
end)

test("launch: own session, default signals, no core files, null streams", function()
  local text = shell("cut -d' ' -f5,6 /proc/$$/stat; echo $$; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status;" ..
    "ulimit -c; readlink /proc/$$/fd/0")
  local group, session, pid, rest = text:match("^(%d+) (%d+)\n(%d+)\n(.*)$")
  equal({ group, session }, { pid, pid })
  local blocked, ignored, core, input = rest:match("SigBlk:%s(%x+)\nSigIgn:%s(%x+)\nSigCgt:%s%x+\n(%S+)\n(%S+)\n")
  equal({ tonumber(blocked, 16), tonumber(ignored, 16) }, { 0, 0 })
  equal({ core, input }, { "0", "/dev/null" })
end)

test("launch: standard streams are blocking although our ends of the pipes are not", function()
  local reader, writer = fd.pipe()
  local function flags(number) -- proc_pid_fdinfo(5): octal, O_NONBLOCK is 04000
    local text = shell("grep flags /proc/$$/fdinfo/" .. number, { stdin = reader, fds = { [7] = writer } })
    return tonumber(text:match("%d+"), 8) & 2048
  end
  equal({ flags(0), flags(1), flags(7) }, { 0, 0, 2048 })
  reader:close()
  writer:close()
end)

test("launch: nothing is inherited but what was asked for", function()
  local first, second = fd.pipe()
  local plain = assert(io.open("/dev/zero")) -- an inheritable one, as a library might leave
  equal(shell("ls /proc/$$/fd; :", { stdin = first }), "0\n1\n2\n")
  equal(shell("ls /proc/$$/fd; :", { fds = { [9] = first, [959] = second } }), "0\n1\n2\n9\n959\n")
  plain:close()
  first:close()
  second:close()
end)

test("launch: descriptors whose numbers collide all arrive where they belong", function()
  local files, fds = {}, {}
  for i = 1, 6 do
    local reader, writer = fd.pipe()
    fd.nonblocking(writer, false)
    assert(writer:try_write("pipe " .. i .. "\n"))
    writer:close()
    files[i] = reader
  end
  -- A rotation over the very numbers that we hold: every target is the source of another.
  for i = 1, 6 do fds[files[i % 6 + 1]:fileno()] = files[i] end
  local script = {}
  for i = 1, 6 do script[i] = "cat <&" .. files[i % 6 + 1]:fileno() end
  if files[6]:fileno() > 9 then -- sh takes one digit only
    for i = 1, 6 do script[i] = "cat /proc/self/fd/" .. files[i % 6 + 1]:fileno() end
  end
  local text = shell(table.concat(script, ";"), { fds = fds })
  equal(text, "pipe 1\npipe 2\npipe 3\npipe 4\npipe 5\npipe 6\n")
  for i = 1, 6 do files[i]:close() end
end)

test("launch: one descriptor may be given under several numbers", function()
  local reader, writer = fd.pipe()
  fd.nonblocking(writer, false)
  assert(writer:try_write("x"))
  writer:close()
  local text = shell("readlink /proc/self/fd/5; readlink /proc/self/fd/6", { fds = { [5] = reader, [6] = reader } })
  local first, second = text:match("^(pipe:%[%d+%])\n(pipe:%[%d+%])\n$")
  ok(first and first == second, text)
  reader:close()
end)

test("launch: a missing program is ENOENT at the exec, and leaves no process", function()
  local child <close> = assert(launch.prepare { program = "/no/such/program" })
  local good, message, code = child:go()
  equal({ good, message, code }, { nil, "launch /no/such/program: exec: No such file or directory", "ENOENT" })
  equal(read_file("/proc/" .. child.pid .. "/stat"), nil)
  local dir = tmpdir()
  write_file(dir .. "/text", "not a program")
  local _, _, refused = run { program = dir .. "/text" }
  equal(refused, "EACCES")
end)

test("launch: what fails before the gate is told at go, with its stage", function()
  local _, message, code = run { program = "/bin/true", directory = "/no/such/directory" }
  equal({ message, code }, { "launch /bin/true: directory: No such file or directory", "ENOENT" })
end)

test("launch: the directory is where the program runs", function()
  local dir = tmpdir()
  equal(shell("pwd -P", { directory = dir }):gsub("\n", ""), (shell("cd " .. dir .. "; pwd -P"):gsub("\n", "")))
end)

test("launch: try_go lets go at once, and its descriptor tells when to look what became of it", function()
  for _, program in ipairs { "/bin/true", "/no/such/program" } do
    local child <close> = assert(launch.prepare { program = program })
    local good, message, code = child:try_go()
    while not good and message == "EAGAIN" do
      equal(code, "r")
      poll.wait({ child:fileno(), "r" }, 10000)
      good, message, code = child:try_go()
    end
    equal({ good, code }, program == "/bin/true" and { true } or { nil, "ENOENT" })
    raises("let go before", child.try_go, child)
    if good then equal(ended(child), { exit = 0 }) end
  end
end)

test("launch: a child that was let go and is closed before it is known to run is gone", function()
  local child = assert(launch.prepare { program = "/bin/sleep", argv = { "60" } })
  local pid = child.pid
  if child:try_go() then -- it may be that quick
    child:kill()
    ended(child)
  end
  child:close()
  equal(read_file("/proc/" .. pid .. "/stat"), nil)
end)

test("launch: closed and forgotten children are gone", function()
  local child = assert(launch.prepare { program = "/bin/true" })
  ok(child:close())
  equal(read_file("/proc/" .. child.pid .. "/stat"), nil)
  raises("closed", child.go, child)
  local pid
  do
    local forgotten <close> = assert(launch.prepare { program = "/bin/true" })
    pid = forgotten.pid
  end
  equal(read_file("/proc/" .. pid .. "/stat"), nil)
end)

test("launch: kill ends the program and the group it leads", function()
  local reader, writer = fd.pipe()
  local child <close> = assert(launch.prepare { program = "/bin/sh", argv = { "-c", "cat <&3 & echo up; cat <&3" },
    stdout = writer, fds = { [3] = reader }, env = CLEAN })
  writer:close()
  reader:close()
  ok(child:go())
  ok(child:kill())
  equal(ended(child), { signal = "KILL" })
  local _, _, code = child:kill()
  equal(code, "ESRCH")
end)

test("launch: a program outlives the object that started it", function()
  local reader, writer = fd.pipe()
  local pid, start_time
  do
    local child <close> = assert(launch.prepare { program = "/bin/cat", stdin = reader })
    reader:close()
    ok(child:go())
    pid, start_time = child.pid, child.start_time
  end
  local process <close> = assert(proc.open(pid, start_time))
  equal(poll.wait({ process:fileno(), "r" }, 0), {})
  writer:close()
  equal(poll.wait({ process:fileno(), "r" }, 20000), { 1 })
  equal(proc.reap(pid), { exit = 0 })
end)

-- The parent's death is the reason for the gate. The parent here is a second copy of this program.
local PARENT = [[
local launch = require "sys.launch"
local child = assert(launch.prepare { program = "/bin/sh", argv = { "-c", "echo ran > " .. "DIR" .. "/ran" } })
io.stdout:write(child.pid, "\n")
io.stdout:flush()
io.stdin:read "l"
assert(child:go())
]]

local function executable()
  local text = shell("readlink /proc/$PPID/exe")
  return text:match("[^\n]+")
end

--- A copy of holos that has prepared a launch and waits for a line: the copy, its stdin, the waiting child's pid.
local function waiting_parent(dir)
  write_file(dir .. "/parent.lua", (PARENT:gsub("DIR", dir)))
  local input, to = fd.pipe()
  local from, output = fd.pipe()
  local parent = assert(launch.prepare { program = executable(), argv = { "lua", dir .. "/parent.lua" }, stdin = input,
    stdout = output, stderr = output, env = { "HOLOS_LUA_PATH=" .. (os.getenv "HOLOS_LUA_PATH" or "") } })
  input:close()
  output:close()
  ok(parent:go())
  equal(poll.wait({ from:fileno(), "r" }, 20000), { 1 })
  local line = assert(from:try_read(100))
  return parent, to, ok(tonumber(line:match("^(%d+)\n$")), line), from
end

test("launch: a parent killed before go takes the child with it", function()
  local dir = tmpdir()
  local parent <close>, to, pid, from = waiting_parent(dir)
  local waiting = read_file("/proc/" .. pid .. "/stat")
  ok(waiting:find("^%d+ %(holos%) [RS]"), waiting)
  ok(parent:kill())
  equal(ended(parent), { signal = "KILL" })
  -- Its end of our pipe was closed at once, so only its own death shows in /proc: gone, or a zombie nobody reaps.
  local after
  repeat
    after = read_file("/proc/" .. pid .. "/stat")
  until not after or after:find("%) Z ")
  equal(read_file(dir .. "/ran"), nil)
  to:close()
  from:close()
end)

test("launch: 200 launches leave no descriptor, process or memory behind", function()
  collectgarbage()
  local before, family = count_fds(), count_children()
  for i = 1, 200 do
    local child = assert(launch.prepare { program = i % 2 == 0 and "/bin/true" or "/no/such/program" })
    if i % 3 == 0 then
      child:close()
    elseif child:go() then
      equal(ended(child), { exit = 0 })
    end
    child:close()
  end
  equal(count_fds(), before)
  equal(count_children(), family)
end)

test("launch: options are checked", function()
  raises("unknown option 'programme'", launch.prepare, { programme = "/bin/true" })
  raises("bad field 'program'", launch.prepare, {})
  raises("zero byte", launch.prepare, { program = "/bin/true\0x" })
  raises("strings expected, got a number", launch.prepare, { program = "/bin/true", argv = { 1 } })
  raises("numbers are 3..1023", launch.prepare, { program = "/bin/true", fds = { [1] = 0 } })
  raises("numbers are 3..1023", launch.prepare, { program = "/bin/true", fds = { [1024] = 0 } })
  raises("uid and gid", launch.prepare, { program = "/bin/true", uid = 5 })
  local function with_rule(rule) return { program = "/bin/true", landlock = { rule } } end
  raises("read, write or execute", launch.prepare, with_rule { path = "/", access = "all" })
  raises("unknown option 'mode'", launch.prepare, with_rule { path = "/", mode = "read" })
  local closed, other = fd.pipe()
  closed:close()
  other:close()
  raises("closed", launch.prepare, { program = "/bin/true", fds = { [3] = closed } })
end)

-- -- confinement ------------------------------------------------------------------------------------------------------

local SYSTEM = { { path = "/usr", access = "execute" }, { path = "/bin", access = "execute" },
  { path = "/lib", access = "execute" }, { path = "/lib64", access = "execute" },
  { path = "/etc/ld.so.cache", access = "read" }, { path = "/dev/null", access = "write" } }

local function rules(...)
  local list = table.move(SYSTEM, 1, #SYSTEM, 1, {})
  return table.move({ ... }, 1, select("#", ...), #list + 1, list)
end

local function need_landlock()
  if launch.landlock_abi() == 0 then skip("no Landlock in this kernel") end
end

test("launch: Landlock allows what a rule names and denies the rest", function()
  need_landlock()
  local dir = tmpdir()
  shell("mkdir " .. dir .. "/in " .. dir .. "/out")
  write_file(dir .. "/in/a", "inside\n")
  write_file(dir .. "/out/a", "outside\n")
  local options = { landlock = rules { path = dir .. "/in", access = "read" } }
  local text = shell(("cd /; cat %s/in/a; cat %s/out/a; echo x > %s/in/b; ls %s"):format(dir, dir, dir, dir), options)
  ok(text:find("inside\n", 1, true), text)
  ok(not text:find("outside\n", 1, true), text)
  ok(text:find("out/a: Permission denied", 1, true), text)
  ok(text:find("in/b: Permission denied", 1, true), text)
  equal(read_file(dir .. "/in/b"), nil)
end)

test("launch: a Landlock write rule lets files be made, changed and removed, but not run", function()
  need_landlock()
  local dir = tmpdir()
  local script = "cd /; d=%s; echo one > $d/a && mv $d/a $d/b && mkdir $d/s && ln -s b $d/l && mv $d/b $d/s/ &&" ..
    "rm $d/l && cp /bin/true $d/true && ! $d/true 2>/dev/null && ! mknod $d/n c 1 3 2>/dev/null && cat $d/s/b"
  equal(shell(script:format(dir), { landlock = rules { path = dir, access = "write" } }), "one\n")
end)

test("launch: Landlock brings no_new_privs; a path that does not exist is no error", function()
  need_landlock()
  local options = { landlock = rules({ path = "/no/such/path", access = "read" }, { path = "/proc", access = "read" }) }
  local text = shell("grep NoNewPrivs /proc/self/status", options)
  equal(text:gsub("%s", ""), "NoNewPrivs:1")
end)

test("launch: a program that Landlock does not name cannot be run", function()
  need_landlock()
  local _, message, code = run { program = "/bin/true", landlock = {} }
  equal({ message, code }, { "launch /bin/true: exec: Permission denied", "EACCES" })
end)

test("launch: descriptors that were passed are not under Landlock's rules", function()
  need_landlock()
  local dir = tmpdir()
  write_file(dir .. "/log", "")
  local out = assert(io.open(dir .. "/log", "a"))
  out:close()
  local reader, writer = fd.pipe()
  fd.nonblocking(writer, false)
  assert(writer:try_write("through"))
  writer:close()
  equal(shell("cat <&7", { landlock = rules(), fds = { [7] = reader } }), "through")
  reader:close()
end)

test("launch: uid, gid and groups are dropped for good", function()
  if not is_root() then skip("only root can become somebody else") end
  local text = shell("grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff)' /proc/self/status", { uid = 54321, gid = 54322,
    groups = { 7, 9 } })
  equal(text:gsub("[ \t]+", " "), "Uid: 54321 54321 54321 54321\nGid: 54322 54322 54322 54322\nGroups: 7 9 \n" ..
    "CapEff: 0000000000000000\nNoNewPrivs: 1\n")
  equal((shell("grep Groups /proc/self/status", { uid = 54321, gid = 54322 }):gsub("%s", "")), "Groups:")
end)

test("launch: a dropped program under Landlock keeps what it was handed", function()
  if not is_root() then skip("only root can become somebody else") end
  need_landlock()
  local dir = tmpdir()
  shell("chmod 700 " .. dir)
  write_file(dir .. "/secret", "secret\n")
  local text = shell("cat " .. dir .. "/secret; id -u", { uid = 54321, gid = 54321,
    landlock = rules { path = dir, access = "write" } })
  ok(text:find("Permission denied"), text)
  ok(text:find("54321\n$"), text)
end)

test("launch: a read-only bind mount is only the program's own", function()
  local dir = tmpdir()
  write_file(dir .. "/a", "data\n")
  local options = { namespace = { { source = dir, target = dir, read_only = true } } }
  local text, how = shell(("cat %s/a; echo x > %s/b; chmod 600 %s/a; rm %s/a"):format(dir, dir, dir, dir), options)
  if not text then skip("no private mounts here: " .. how) end
  ok(text:find("^data\n"), text)
  local _, refusals = text:gsub("Read%-only file system", "")
  equal(refusals, 3)
  write_file(dir .. "/b", "we can")
  equal(read_file(dir .. "/b"), "we can")
end)

test("launch: a mount that fails is named", function()
  local _, message = run { program = "/bin/true", namespace = { { source = "/no/such", target = "/mnt" } } }
  ok(message:find("^launch /bin/true: namespace"), message)
end)

test("launch: mounts, Landlock and another user work together", function()
  if not is_root() then skip("only root can become somebody else") end
  need_landlock()
  local dir = tmpdir()
  shell("chmod 711 " .. dir .. "; mkdir -m 777 " .. dir .. "/open; echo data > " .. dir .. "/open/a")
  local share = dir .. "/open"
  local text = shell(("cat %s/a; echo x > %s/b; id -u"):format(share, share), { uid = 54321, gid = 54321,
    landlock = rules { path = share, access = "write" },
    namespace = { { source = share, target = share, read_only = true } } })
  equal(text, ("data\n/bin/sh: 1: cannot create %s/b: Read-only file system\n54321\n"):format(share))
end)

-- Launches a program that ends only when it is killed, so that it dies with the launcher, which tells its pid and waits.
local LAUNCHER = [[
local fd, launch = require "sys.fd", require "sys.launch"
local reader, writer = fd.pipe()
fd.nonblocking(reader, false)
local uid = math.tointeger(tonumber((...)))
local child = assert(launch.prepare { program = "/bin/cat", stdin = reader, fds = { [3] = writer }, dies_with_us = true,
  uid = uid, gid = uid })
assert(child:go())
print(child.pid)
io.stdout:flush()
require("sys.poll").wait({ child:fileno(), "r" }, 60000)
]]

test("launch: what dies with us dies with us, also when it became somebody else", function()
  local directory = tmpdir()
  write_file(directory .. "/launcher.lua", LAUNCHER)
  for _, uid in ipairs(is_root() and { "", "54321" } or { "" }) do
    local reader, writer = fd.pipe()
    local launcher <close> = assert(launch.prepare { program = require("sys.host").executable(), stdout = writer,
      argv = { "lua", directory .. "/launcher.lua", uid }, env = CLEAN })
    writer:close()
    assert(launcher:go())
    fd.nonblocking(reader, false)
    local pid = math.tointeger(tonumber(assert(reader:try_read(64))))
    reader:close()
    local process <close> = assert(proc.open(pid, proc.identity(pid).start_time))
    launcher:kill()
    ended(launcher)
    equal(poll.wait({ process:fileno(), "r" }, 20000), { 1 })
  end
end)
