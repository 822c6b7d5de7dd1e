--- The real QEMU, started the way holos starts VMs: everything by descriptors, confined, without a guest.

local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"
local world = require "holos.run.world"

local UID = 54321
local ROOT = world.host.uid() == 0
local ENDS_MS = 20000

local qemu = world.qemu.find(os.getenv "HOLOS_QEMU_SYSTEM" or "qemu-system-x86_64")

-- The first of some files that is there.
local function qemu_file(files)
  for _, file in ipairs(files) do
    if world.fs.stat(file) then return file end
  end
end

local function need_qemu()
  if not qemu then skip("no qemu-system-x86_64") end
end

-- A disk that is open for QEMU although the directory is closed to it: 0700 and more than 150 bytes deep.
local function instance_directory()
  local path = tmpdir() .. "/" .. ("i"):rep(150)
  ok(world.fs.mkdir_all(path, tonumber("700", 8)))
  equal(run_tool({ "qemu-img", "create", "-q", "-f", "qcow2", path .. "/base.qcow2", "64M" }).status, 0)
  equal(run_tool({ "qemu-img", "create", "-q", "-f", "qcow2", "-b", path .. "/base.qcow2", "-F", "qcow2",
    path .. "/root.qcow2" }).status, 0)
  return path
end

local LANDLOCK = {
  { path = "/usr/lib", access = "execute" }, { path = "/lib64", access = "execute" },
  { path = "/lib", access = "execute" }, { path = "/usr/share", access = "read" },
  { path = "/etc/ld.so.cache", access = "read" }, { path = "/etc/resolv.conf", access = "read" },
  { path = "/dev/urandom", access = "read" }, { path = "/dev/null", access = "write" },
}

local function landlock()
  local rules = table.move(LANDLOCK, 1, #LANDLOCK, 1, {})
  rules[#rules + 1] = { path = assert(world.fs.realpath(qemu)), access = "execute" }
  return rules
end

--- What one VM is given: descriptors under their numbers, and the arguments that name them.
local Parts = {}
Parts.__index = Parts

local function new_parts(directory)
  return setmetatable({ directory = directory, fds = {}, argv = {}, number = 9, set = 0 }, Parts)
end

function Parts:add(...)
  for _, word in ipairs { ... } do self.argv[#self.argv + 1] = word end
end

function Parts:give(fd)
  self.number = self.number + 1
  self.fds[self.number] = fd
  return self.number
end

function Parts:file(name, how)
  how.mode = tonumber("600", 8)
  self.set = self.set + 1
  local number = self:give(assert(world.fs.open(self.directory .. "/" .. name, how)))
  self:add("-add-fd", ("fd=%d,set=%d"):format(number, self.set))
  return "/dev/fdset/" .. self.set
end

function Parts:monitor(name)
  local number = self:give(assert(world.net.listen_unix(self.directory, name)))
  self:add("-chardev", ("socket,id=%s,fd=%d,server=on,wait=off"):format(name, number),
    "-mon", "chardev=" .. name .. ",mode=control")
end

function Parts:close()
  for _, fd in pairs(self.fds) do fd:close() end
  self.fds = {}
end
Parts.__close = Parts.close

local function add_disk(parts)
  local base = parts:file("base.qcow2", { read = true })
  local root = parts:file("root.qcow2", { read = true, write = true })
  parts:add("-blockdev", "driver=file,node-name=base-file,filename=" .. base .. ",read-only=on",
    "-blockdev", "driver=qcow2,node-name=base,file=base-file,read-only=on",
    "-blockdev", "driver=file,node-name=root-file,filename=" .. root,
    "-blockdev", "driver=qcow2,node-name=root,file=root-file,backing=base",
    "-device", "virtio-blk-pci,id=disk-root,drive=root,serial=root")
end

local APPEND = { write = true, append = true, create = true }

local function add_ports(parts)
  local console, report = parts:file("console.log", APPEND), parts:file("report.log", APPEND)
  local serial = parts:give(assert(world.net.listen_unix(parts.directory, "console.sock")))
  parts:add("-chardev", ("socket,id=serial0,fd=%d,server=on,wait=off,logfile=%s,logappend=on"):format(serial, console),
    "-serial", "chardev:serial0", "-device", "virtio-serial-pci,id=vserial0",
    "-chardev", "file,id=report,path=" .. report .. ",append=on",
    "-device", "virtserialport,bus=vserial0.0,chardev=report,name=org.holos.report")
end

--- The whole machine, with user-mode networking and a multicast network.
local function machine(directory, hostfwd)
  local parts = new_parts(directory)
  parts:add("-name", "guest=t-0", "-nodefaults", "-no-user-config", "-display", "none", "-S",
    "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine", "pc-q35-7.2,memory-backend=mem0", "-accel", "tcg,tb-size=32", "-cpu", "max", "-m", "128M",
    "-object", "memory-backend-memfd,id=mem0,size=128M,share=on", "-device", "pcie-root-port,id=rp0,chassis=1,slot=1")
  parts:monitor "qmp-0.sock"
  parts:monitor "qmp-1.sock"
  add_disk(parts)
  add_ports(parts)
  parts:add("-netdev", "user,id=net0" .. (hostfwd or ""), "-device", "virtio-net-pci,netdev=net0,romfile=",
    "-netdev", "socket,id=net1,mcast=239.200.1.1:5999,localaddr=127.0.0.1",
    "-device", "virtio-net-pci,netdev=net1,romfile=", "-object", "rng-random,id=rng0,filename=/dev/urandom",
    "-device", "virtio-rng-pci,rng=rng0")
  return parts
end

local function start(parts)
  local log <close> = assert(world.fs.open(parts.directory .. "/qemu.log", APPEND))
  local child = assert(world.launch.prepare { program = qemu, argv = parts.argv, fds = parts.fds, stdout = log,
    stderr = log, env = { "PATH=/usr/bin:/bin" }, directory = "/", landlock = landlock(),
    uid = ROOT and UID or nil, gid = ROOT and UID or nil })
  assert(child:go())
  parts:close()
  return setmetatable({ child = child }, { __close = function(self)
    self.child:kill()
    task.shield(ENDS_MS, function() io_wait.await(self.child, "try_wait") end)
    self.child:close()
  end })
end

local function ends(running)
  return task.within(ENDS_MS, function() return io_wait.await(running.child, "try_wait") end)
end

local function connect(directory, name)
  return qmp.connect(world, { directory = directory, name = name or "qmp-0.sock" }, { timeout_ms = ENDS_MS })
end

local function status_of(pid)
  local text = world.fs.read("/proc/" .. pid .. "/status")
  return function(name) return text:match("\n" .. name .. ":%s*([^\n]*)") end
end

test("real QEMU: everything by descriptors, confined, without rights on its directory", function()
  need_qemu()
  local directory = instance_directory()
  local running <close> = start(machine(directory))
  local session <close> = connect(directory)
  local second <close> = connect(directory, "qmp-1.sock")
  equal(session:execute("query-status").status, "prelaunch")
  equal(second:execute("query-version").qemu.major, session.greeting.version.qemu.major)
  local field = status_of(running.child.pid)
  equal({ field "NoNewPrivs", field "Seccomp" }, { "1", "2" })
  if ROOT then equal(field("Uid"):match("^%d+"), tostring(UID)) end
  equal(session:execute("quit"), {})
  equal(ends(running), { exit = 0 })
  equal(session:shutdown_reason(), "host-qmp-quit")
  equal(world.fs.read(directory .. "/qemu.log"), "")
end)

test("real QEMU: Landlock denies files that were not passed; passed ones can be added while it runs", function()
  need_qemu()
  if world.launch.landlock_abi() == 0 then skip("no Landlock in this kernel") end
  local directory = instance_directory()
  local _running <close> = start(machine(directory))
  local session <close> = connect(directory)
  local function add(node, file)
    return session:execute("blockdev-add", { driver = "file", ["node-name"] = node, filename = file,
      ["read-only"] = true })
  end
  for node, file in pairs { secret = "/etc/passwd", own = directory .. "/base.qcow2" } do
    local fine, problem = pcall(add, node, file)
    equal({ fine, problem.message }, { false,
      ("qmp-0.sock: blockdev-add: Could not open '%s': Permission denied"):format(file) })
  end
  local fd <close> = assert(world.fs.open(directory .. "/base.qcow2", { read = true }))
  equal(session:execute("add-fd", { ["fdset-id"] = 50 }, { fd = fd })["fdset-id"], 50)
  equal(add("hot", "/dev/fdset/50"), {})
  equal(session:execute("device_add", { driver = "virtio-blk-pci", id = "hot0", drive = "hot", bus = "rp0" }), {})
end)

local function forwards(session)
  local found = {}
  for protocol, port in session:human("info usernet"):gmatch("(%u+)%[HOST_FORWARD%]%s+%d+%s+127%.0%.0%.1%s+(%d+)") do
    found[protocol] = math.tointeger(tonumber(port))
  end
  return found
end

test("real QEMU: chosen ports are read back, taken ones are errors", function()
  need_qemu()
  local directory = instance_directory()
  local _running <close> = start(machine(directory, ",hostfwd=tcp:127.0.0.1:0-:22,hostfwd=udp:127.0.0.1:0-:53"))
  local session <close> = connect(directory)
  local found = forwards(session)
  local _, _, code = world.net.reserve_port("tcp", "127.0.0.1", found.TCP)
  equal(code, "EADDRINUSE")
  code = select(3, world.net.reserve_port("udp", "127.0.0.1", found.UDP))
  equal(code, "EADDRINUSE")
  local fine, problem = pcall(session.add_forward, session, "net0", ("tcp:127.0.0.1:%d-:80"):format(found.TCP))
  equal({ fine, problem.code }, { false, "EADDRINUSE" })
  ok(problem.message:find("Could not set up host forwarding rule", 1, true), problem.message)
  equal(session:remove_forward("net0", "tcp:127.0.0.1:1"), false)
  equal(session:remove_forward("net0", "tcp:127.0.0.1:" .. found.TCP), true)
  local free <close> = assert(world.net.reserve_port("tcp", "127.0.0.1", found.TCP))
  ok(free:is_open())
end)

test("real QEMU: reserved ports are QEMU's to take", function()
  need_qemu()
  local any <close> = assert(world.net.reserve_port("tcp", "127.0.0.1", 0))
  local tcp = world.net.bound_port(any)
  local udp = tcp
  local reserved <close> = assert(world.net.reserve_port("udp", "127.0.0.1", udp))
  local directory = instance_directory()
  local _running <close> = start(machine(directory,
    (",hostfwd=tcp:127.0.0.1:%d-:22,hostfwd=udp:127.0.0.1:%d-:53"):format(tcp, udp)))
  local session <close> = connect(directory)
  equal(forwards(session), { TCP = tcp, UDP = udp })
  ok(reserved:is_open())
end)

test("real QEMU: two of them do not share a disk, and our descriptors do not keep it locked", function()
  need_qemu()
  local directory = instance_directory()
  do
    local _running <close> = start(machine(directory))
    local session <close> = connect(directory)
    session:execute("query-status")
    local parts = new_parts(directory)
    parts:add("-machine", "none", "-nodefaults", "-display", "none")
    add_disk(parts)
    local late <close> = start(parts)
    equal(ends(late), { exit = 1 })
    ok(world.fs.read(directory .. "/qemu.log"):find('Failed to get "write" lock', 1, true))
    end
  local _again <close> = start(machine(directory))
  local session <close> = connect(directory)
  equal(session:execute("query-status").status, "prelaunch")
end)

test("real QEMU: the power button, and SIGTERM, are told by events", function()
  need_qemu()
  local directory = instance_directory()
  local running <close> = start(machine(directory))
  local session <close> = connect(directory)
  session:subscribe { "POWERDOWN", "SHUTDOWN" }
  session:execute("cont")
  session:execute("system_powerdown")
  equal(session:next_event(5000).event, "POWERDOWN")
  local process <close> = assert(world.proc.open(running.child.pid, running.child.start_time))
  ok(process:signal("TERM"))
  equal(session:next_event(5000), { event = "SHUTDOWN", data = { guest = false, reason = "host-signal" } })
  equal(ends(running), { exit = 0 })
end)

test("real QEMU: a kill is the end without a word", function()
  need_qemu()
  local directory = instance_directory()
  local running <close> = start(machine(directory))
  local session <close> = connect(directory)
  ok(running.child:kill())
  local fine, problem = pcall(session.execute, session, "query-status")
  equal({ fine, err.is(problem, "EPIPE") }, { false, true })
  equal(session:shutdown_reason(), nil)
  equal(ends(running), { signal = "KILL" })
end)

test("real QEMU: a third client waits until another leaves, and has a deadline", function()
  need_qemu()
  local directory = instance_directory()
  local _running <close> = start(machine(directory))
  local first = connect(directory)
  local options = { timeout_ms = 200 }
  local fine, problem = pcall(qmp.connect, world, { directory = directory, name = "qmp-0.sock" }, options)
  equal({ fine, problem.code }, { false, "ETIMEDOUT" })
  ok(problem.message:find("does another client hold the monitor?", 1, true), problem.message)
  first:close()
  local session <close> = connect(directory)
  equal(session:execute("query-status").status, "prelaunch")
end)

test("real QEMU: a bad argument ends it with its own words in the log", function()
  need_qemu()
  local directory = instance_directory()
  local parts = machine(directory)
  parts:add("-device", "no-such-device")
  local running <close> = start(parts)
  local fine, problem = pcall(connect, directory)
  equal({ fine, problem.code }, { false, "EPIPE" })
  equal(ends(running), { exit = 1 })
  ok(world.fs.read(directory .. "/qemu.log"):find("'no-such-device' is not a valid device model name", 1, true))
end)

local VIRTIOFSD = { "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd" }

test("real QEMU: virtiofsd in a namespace of its own serves it, and ends with it", function()
  need_qemu()
  local virtiofsd = qemu_file(VIRTIOFSD) or skip("no virtiofsd")
  local directory, shared = instance_directory(), tmpdir()
  local listener = assert(world.net.listen_unix(directory, "share0.sock"))
  world.fd.nonblocking(listener, false) -- virtiofsd accepts once, and takes "nobody there yet" for a failure
  local log = assert(world.fs.open(directory .. "/share0.log", APPEND))
  local daemon <close>, message = world.launch.prepare { program = virtiofsd, fds = { [3] = listener }, stdout = log,
    stderr = log, argv = { "--fd=3", "-o", "source=" .. shared, "-o", "sandbox=chroot", "-o", "cache=auto" },
    env = { "PATH=/usr/bin:/bin" }, namespace = { { source = shared, target = shared, read_only = true } } }
  local started = daemon and daemon:go()
  listener:close()
  log:close()
  if not started then skip("no private mounts here: " .. tostring(message)) end
  local parts = machine(directory)
  local socket = parts:give(assert(world.net.connect_unix(directory, "share0.sock")))
  parts:add("-chardev", ("socket,id=share0,fd=%d"):format(socket),
    "-device", "vhost-user-fs-pci,chardev=share0,tag=share0,queue-size=1024")
  local running <close> = start(parts)
  local session <close> = connect(directory)
  equal(session:execute("query-status").status, "prelaunch")
  local mounts = world.fs.read("/proc/" .. daemon.pid .. "/mountinfo")
  ok(mounts:find(" ro,", 1, true), mounts)
  session:execute("quit")
  equal(ends(running), { exit = 0 })
  equal(ends { child = daemon }, { exit = 0 })
end)
