--- The stand-in for QEMU itself: it must do what QEMU does where the life tests rely on it.

local err = require "holos.core.err"
local fake_qemu = require "tests.support.fake_qemu"
local io_wait = require "holos.run.io"
local monitor = require "holos.run.monitor"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"
local world = require "holos.run.world"

local ENDS_MS = 20000
local APPEND = { write = true, append = true, create = true, mode = tonumber("600", 8) }
local READ_WRITE = { read = true, write = true }

--- A VM of the stand-in: two monitors, a console, a report and a disk. `more` are further arguments.
local function start(program, directory, more)
  local fds = {
    [3] = assert(world.net.listen_unix(directory, "qmp.sock")),
    [4] = assert(world.net.listen_unix(directory, "qmp-command.sock")),
    [5] = assert(world.net.listen_unix(directory, "console.sock")),
    [6] = assert(world.fs.open(directory .. "/console.log", APPEND)),
    [7] = assert(world.fs.open(directory .. "/report.log", APPEND)),
    [8] = assert(world.fs.open(directory .. "/root.qcow2", READ_WRITE)),
  }
  local argv = { "-name", "guest=p/web-0", "-smbios", "type=1,serial=i-0815",
    "-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
    "-chardev", "socket,id=qmp-command,fd=4,server=on,wait=off", "-mon", "chardev=qmp-command,mode=control",
    "-add-fd", "fd=6,set=6", "-chardev", "socket,id=console,fd=5,server=on,wait=off,logfile=/dev/fdset/6,logappend=on",
    "-add-fd", "fd=7,set=7", "-chardev", "file,id=report,path=/dev/fdset/7,append=on",
    "-add-fd", "fd=8,set=8", "-blockdev", "driver=file,node-name=root-file,filename=/dev/fdset/8" }
  table.move(more or {}, 1, #(more or {}), #argv + 1, argv)
  local log <close> = assert(world.fs.open(directory .. "/qemu.log", APPEND))
  local child = assert(world.launch.prepare { program = program, argv = argv, fds = fds, stdout = log, stderr = log })
  assert(child:go())
  for _, fd in pairs(fds) do fd:close() end
  return setmetatable({ child = child }, { __close = function()
    child:kill()
    task.shield(ENDS_MS, function() io_wait.await(child, "try_wait") end)
    child:close()
  end })
end

local function new_directory()
  local directory = tmpdir()
  equal(run_tool({ "qemu-img", "create", "-q", "-f", "qcow2", directory .. "/root.qcow2", "1G" }).status, 0)
  return directory
end

local function ends(running)
  return task.within(ENDS_MS, function() return io_wait.await(running.child, "try_wait") end)
end

local function connect(directory, name, timeout_ms)
  return qmp.connect(world, { directory = directory, name = name or "qmp.sock" }, { timeout_ms = timeout_ms or 5000 })
end

--- Reads a growing file until it holds `wanted` lines.
local function lines_of(path, wanted)
  return task.within(ENDS_MS, function()
    local watch <close> = assert(world.fs.watch())
    assert(watch:add(path, { "modify" }))
    while true do
      local text = assert(world.fs.read(path))
      if select(2, text:gsub("\n", "")) >= wanted then return text end
      task.wait { fd = watch, dir = "r" }
      while watch:try_next() do end
    end
  end)
end

test("fake QEMU: a healthy guest boots, reports, powers off", function()
  local directory = new_directory()
  local running <close> = start(fake_qemu.install(), directory)
  local session <close> = connect(directory)
  local other <close> = connect(directory, "qmp-command.sock")
  equal(session:execute("query-status").status, "running")
  equal(lines_of(directory .. "/report.log", 3), "holos1 boot\nholos1 ready\nholos1 provisioned i-0815\n")
  equal(lines_of(directory .. "/console.log", 1), "fake-qemu: web-0 boots\r\n")
  other:execute("system_powerdown")
  equal(session:next_event(5000).event, "POWERDOWN")
  equal(session:next_event(5000), { event = "SHUTDOWN", data = { guest = true, reason = "guest-shutdown" } })
  equal(ends(running), { exit = 0 })
  equal(other:shutdown_reason(), "guest-shutdown")
end)

test("fake QEMU: what holos asks at a probe", function()
  local directory = new_directory()
  local running <close> = start(fake_qemu.install(), directory, { "-machine", "none" })
  local session <close> = connect(directory)
  local machines = {}
  for _, machine in ipairs(session:execute("query-machines")) do
    machines[machine.alias or machine.name] = machine.name
  end
  equal(machines.q35, "pc-q35-7.2")
  equal(session:execute("query-version").qemu, { major = 7, minor = 2, micro = 22 })
  equal(session:execute("query-kvm"), { enabled = false, present = true })
  equal(session:execute("query-cpu-definitions")[1].name, "max")
  local fine, problem = pcall(session.execute, session, "no-such-command", { id = "confuse", execute = "quit" })
  equal({ fine, problem.class, problem.message }, { false, "CommandNotFound",
    "qmp.sock: no-such-command: The command no-such-command has not been found" })
  session:execute("quit")
  equal(ends(running), { exit = 0 })
  equal(session:shutdown_reason(), "host-qmp-quit")
end)

test("fake QEMU: stop, cont, -S", function()
  local directory = new_directory()
  local _running <close> = start(fake_qemu.install(), directory, { "-S" })
  local session <close> = connect(directory)
  equal(session:execute("query-status"), { status = "prelaunch", running = false, singlestep = false })
  equal(world.fs.read(directory .. "/report.log"), "")
  session:execute("cont")
  equal(session:next_event(5000).event, "RESUME")
  lines_of(directory .. "/report.log", 3)
  session:execute("stop")
  equal(session:execute("query-status").status, "paused")
end)

local function forwards(session)
  local found = {}
  for protocol, host, guest in session:human("info usernet")
    :gmatch("(%u+)%[HOST_FORWARD%]%s+%d+%s+127%.0%.0%.1%s+(%d+)%s+%S+%s+(%d+)") do
    found[protocol .. guest] = math.tointeger(tonumber(host))
  end
  return found
end

test("fake QEMU: ports are really taken, and conflicts end it as they end QEMU", function()
  local directory, program = new_directory(), fake_qemu.install()
  local netdev = "user,id=net0,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=udp:127.0.0.1:0-:53"
  local _running <close> = start(program, directory, { "-netdev", netdev })
  local session <close> = connect(directory)
  local found = forwards(session)
  equal(select(3, world.net.reserve_port("tcp", "127.0.0.1", found.TCP22)), "EADDRINUSE")
  equal(select(3, world.net.reserve_port("udp", "127.0.0.1", found.UDP53)), "EADDRINUSE")
  local fine, problem = pcall(session.add_forward, session, "net0", ("tcp:127.0.0.1:%d-:80"):format(found.TCP22))
  equal({ fine, problem.code }, { false, "EADDRINUSE" })
  session:add_forward("net0", "tcp:127.0.0.1:0-:80")
  equal(session:remove_forward("net0", "tcp:127.0.0.1:" .. forwards(session).TCP80), true)
  local other = new_directory()
  local taken = ("tcp:127.0.0.1:%d-:22"):format(found.TCP22)
  local late <close> = start(program, other, { "-netdev", "user,id=net0,hostfwd=" .. taken })
  equal(ends(late), { exit = 1 })
  ok(world.fs.read(other .. "/qemu.log"):find("Could not set up host forwarding rule '" .. taken .. "'", 1, true))
end)

test("fake QEMU: two on one disk; QEMU's own tools see the lock", function()
  local directory, program = new_directory(), fake_qemu.install()
  local _running <close> = start(program, directory)
  local session <close> = connect(directory)
  session:execute("query-status")
  local judged = run_tool { "qemu-img", "check", directory .. "/root.qcow2" }
  ok(judged.stderr:find('Failed to get shared "write" lock', 1, true), judged.stderr)
  local other = tmpdir()
  ok(world.fs.link(directory .. "/root.qcow2", other .. "/root.qcow2"))
  local late <close> = start(program, other)
  equal(ends(late), { exit = 1 })
  local said = world.fs.read(other .. "/qemu.log")
  ok(said:find('Failed to get "write" lock\nIs another process using the image', 1, true), said)
end)

test("fake QEMU: settings make it fail, for one instance or all", function()
  local function with(settings, check)
    local directory = new_directory()
    local running <close> = start(fake_qemu.install(settings), directory)
    check(directory, running)
  end
  with({ "greeting=hang" }, function(directory)
    equal(select(2, pcall(connect, directory, nil, 100)).code, "ETIMEDOUT")
  end)
  with({ "web-0: greeting=garbage" }, function(directory)
    equal(select(2, pcall(connect, directory)).code, "EPROTO")
  end)
  with({ "fail=could not start" }, function(directory, running)
    equal(ends(running), { exit = 1 })
    equal(world.fs.read(directory .. "/qemu.log"), "qemu-system-x86_64: could not start\n")
  end)
  with({ "db-0: fail=not me", "report=failed" }, function(directory)
    ok(lines_of(directory .. "/report.log", 5):find("holos1 failed 1 7 fetch\n$"))
  end)
end)

test("fake QEMU: guests that do not hear, that crash, that panic", function()
  local program = fake_qemu.install { "powerdown=second", "sigterm=ignore" }
  local directory = new_directory()
  local stubborn <close> = start(program, directory)
  local session <close> = connect(directory)
  session:execute("system_powerdown")
  local process <close> = assert(world.proc.open(stubborn.child.pid, stubborn.child.start_time))
  ok(process:signal("TERM"))
  equal(session:execute("query-status").status, "running")
  session:execute("system_powerdown")
  equal(ends(stubborn), { exit = 0 })
  fake_qemu.set(program, { "exit_after_ms=50", "exit_code=3" })
  directory = new_directory()
  local crashing <close> = start(program, directory)
  local last <close> = connect(directory)
  equal(ends(crashing), { exit = 3 })
  equal(last:shutdown_reason(), nil)
  fake_qemu.set(program, { "exit_after_ms=50", "reason=guest-panic" })
  directory = new_directory()
  local panicking <close> = start(program, directory)
  local words <close> = connect(directory)
  equal(ends(panicking), { exit = 0 })
  equal(words:shutdown_reason(), "guest-panic")
end)

test("fake QEMU: one client for each monitor, and a flood when it is asked for", function()
  local directory = new_directory()
  local _running <close> = start(fake_qemu.install { "answer=flood" }, directory)
  local session <close> = connect(directory)
  equal(select(2, pcall(connect, directory, "qmp.sock", 100)).code, "ETIMEDOUT")
  local fine, problem = pcall(session.execute, session, "query-status", nil, { timeout_ms = 100 })
  equal({ fine, err.is(problem, "ETIMEDOUT") }, { false, true })
  ok(#session.events > 0)
end)

test("fake QEMU: a monitor that is asked one thing answers, or is given up in time", function()
  local function asked(settings)
    local directory = new_directory()
    local _running <close> = start(fake_qemu.install(settings), directory)
    local halt, answered = monitor.ask(world, directory, 200)
    return { halt and halt.word, answered }
  end
  equal(asked {}, { nil, true })
  equal(asked { "status=paused" }, { "paused", true })
  equal(asked { "status=io-error" }, { "io-error", true })
  for _, fault in ipairs { "greeting=garbage", "greeting=never", "answer=hang", "answer=flood" } do
    equal(asked { fault }, { nil, false }, fault)
  end
  local gone = tmpdir()
  equal({ monitor.ask(world, gone, 200) }, { nil, false }, "nobody listens")
end)
