--- sys.net, judged by ss, ip and QEMU.

local fd = require "sys.fd"
local fs = require "sys.fs"
local host = require "sys.host"
local launch = require "sys.launch"
local net = require "sys.net"
local poll = require "sys.poll"
local proc = require "sys.proc"
local qemu = require "sys.qemu"
local io_wait = require "holos.run.io"

local LOOPBACK = "127.0.0.1"

local function close_all(...)
  for _, descriptor in ipairs { ... } do descriptor:close() end
end

local function code_of(...)
  return (select(3, ...))
end

--- A directory whose path is far longer than sun_path.
local function deep_directory()
  local path = tmpdir() .. "/" .. ("d"):rep(120) .. "/" .. ("e"):rep(120)
  ok(fs.mkdir_all(path, tonumber("700", 8)))
  return path
end

local function accept(listener)
  equal(#poll.wait({ listener:fileno(), "r" }, 10000), 1)
  return assert(net.accept(listener))
end

--- Closes one end and reads the other to its end.
local function passes(from, to)
  assert(from:try_write("hello"))
  equal(io_wait.await(to, "try_read", 100), "hello")
end

test("net: unix sockets work in a directory whose path is longer than sun_path", function()
  local directory = deep_directory()
  local listener = assert(net.listen_unix(directory, "qmp.sock"))
  local client = assert(net.connect_unix(directory, "qmp.sock"))
  local server = accept(listener)
  passes(client, server)
  passes(server, client)
  equal(fs.lstat(directory .. "/qmp.sock").type, "socket")
  close_all(listener, client, server)
end)

test("net: a unix socket is the owner's alone from the first moment, or as wide as asked", function()
  local directory = tmpdir()
  local listener = assert(net.listen_unix(directory, "a"))
  local wide = assert(net.listen_unix(directory, "b", { mode = tonumber("660", 8) }))
  equal(("%o %o"):format(fs.lstat(directory .. "/a").mode & 511, fs.lstat(directory .. "/b").mode & 511), "600 640")
  close_all(listener, wide)
end)

test("net: a socket that nobody listens on is replaced, a live one and other files are not", function()
  local directory = tmpdir()
  local first = assert(net.listen_unix(directory, "s"))
  equal(code_of(net.listen_unix(directory, "s")), "EADDRINUSE")
  first:close()
  local second = assert(net.listen_unix(directory, "s"))
  second:close()
  ok(fs.write_atomic(directory .. "/file", "kept", { mode = 384, sync = false }))
  equal(code_of(net.listen_unix(directory, "file")), "EEXIST")
  ok(fs.symlink(directory .. "/file", directory .. "/link"))
  equal(code_of(net.listen_unix(directory, "link")), "EEXIST")
  equal(fs.read(directory .. "/file"), "kept")
end)

test("net: failures to connect say which", function()
  local directory = tmpdir()
  equal(code_of(net.connect_unix(directory, "none")), "ENOENT")
  net.listen_unix(directory, "dead"):close()
  local _, message, code = net.connect_unix(directory, "dead")
  equal({ message, code }, { directory .. "/dead: Connection refused", "ECONNREFUSED" })
  equal(code_of(net.connect_unix(directory .. "/no", "x")), "ENOENT")
  for _, name in ipairs { "", ".", "..", "a/b" } do equal(code_of(net.connect_unix(directory, name)), "EINVAL") end
  equal(code_of(net.connect_unix(directory, ("n"):rep(200))), "ENAMETOOLONG")
end)

test("net: a full backlog is EBUSY, not a wait", function()
  local directory = tmpdir()
  local listener = assert(net.listen_unix(directory, "s", { backlog = 1 }))
  local clients, code = {}, nil
  for _ = 1, 8 do
    local client, _, failure = net.connect_unix(directory, "s")
    clients[#clients + 1], code = client, failure
  end
  equal(code, "EBUSY")
  close_all(listener, table.unpack(clients))
end)

test("net: the peer's identity", function()
  local directory = tmpdir()
  local listener = assert(net.listen_unix(directory, "s"))
  local client = assert(net.connect_unix(directory, "s"))
  local server = accept(listener)
  equal(net.peer(server), { pid = proc.self().pid, uid = host.uid(), gid = host.gid() })
  close_all(listener, client, server)
end)

test("net: accept without a client waits", function()
  local listener = assert(net.listen_tcp(LOOPBACK, 0))
  local _, again, direction = net.accept(listener)
  equal({ again, direction }, { "EAGAIN", "r" })
  listener:close()
end)

test("net: tcp connects, or says why not", function()
  for _, address in ipairs { LOOPBACK, "::1" } do
    local listener, _, missing = net.listen_tcp(address, 0)
    if listener then
      local port = net.bound_port(listener)
      local client = assert(net.connect_tcp(address, port))
      local server = accept(listener)
      equal(#poll.wait({ client:fileno(), "w" }, 10000), 1)
      equal(net.connect_result(client), true)
      passes(client, server)
      close_all(listener, client, server)
      local refused = assert(net.connect_tcp(address, port))
      equal(#poll.wait({ refused:fileno(), "w" }, 10000), 1)
      equal(code_of(net.connect_result(refused)), "ECONNREFUSED")
      refused:close()
    else
      equal(missing, "EADDRNOTAVAIL") -- a host without IPv6
    end
  end
end)

local function listening(port)
  local text = run_tool({ "ss", "-Hltun", "sport = :" .. port }).stdout
  return text
end

test("net: a reserved port is nobody else's, and not yet open", function()
  local probe = assert(net.listen_tcp(LOOPBACK, 0))
  local port = net.bound_port(probe)
  probe:close()
  local reserved = assert(net.reserve_port("tcp", LOOPBACK, port))
  equal(net.bound_port(reserved), port)
  equal(listening(port), "")
  local client = assert(net.connect_tcp(LOOPBACK, port))
  poll.wait({ client:fileno(), "w" }, 10000)
  equal(code_of(net.connect_result(client)), "ECONNREFUSED")
  local taker = assert(net.listen_tcp(LOOPBACK, port)) -- sets SO_REUSEADDR, as QEMU does
  equal(code_of(net.reserve_port("tcp", LOOPBACK, port)), "EADDRINUSE")
  close_all(reserved, client, taker)
end)

test("net: a udp port that somebody uses is taken, a free one is left free", function()
  local judge = [[use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, pack_sockaddr_in(0, inet_aton("127.0.0.1")));
    $| = 1; print +(unpack_sockaddr_in(getsockname(S)))[0], "\n"; <STDIN>]]
  local perl = qemu.find("perl") or skip("no perl to hold a port")
  local input, to = fd.pipe()
  local from, output = fd.pipe()
  local holder <close> = assert(launch.prepare { program = perl, argv = { "-e", judge }, stdin = input,
    stdout = output })
  close_all(input, output)
  ok(holder:go())
  local port = math.tointeger(tonumber(io_wait.await(from, "try_read", 100)))
  ok(listening(port):find("UNCONN", 1, true))
  equal(code_of(net.reserve_port("udp", LOOPBACK, port)), "EADDRINUSE")
  to:close()
  io_wait.await(holder, "try_wait")
  local first, second = net.reserve_port("udp", LOOPBACK, port), net.reserve_port("udp", LOOPBACK, port)
  ok(first and second)
  equal(listening(port), "")
  close_all(first, second, from)
end)

test("net: ports below 1024 and addresses of others are refused with the reason", function()
  equal(code_of(net.reserve_port("tcp", "192.0.2.1", 8080)), "EADDRNOTAVAIL")
  equal(code_of(net.reserve_port("tcp", "localhost", 8080)), "EINVAL")
  raises("a port is 0..65535", net.reserve_port, "tcp", LOOPBACK, 65536)
  raises("invalid option 'sctp'", net.reserve_port, "sctp", LOOPBACK, 1)
  if host.uid() ~= 0 then equal(code_of(net.reserve_port("tcp", LOOPBACK, 22)), "EACCES") end
end)

test("net: routes are read as the kernel writes them", function()
  local text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" ..
    "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" ..
    "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n" ..
    "down0\t0000000A\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0\n" ..
    "tun0\t05040A0A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n" ..
    "garbage\n\n"
  equal(net.parse_routes(text), {
    { destination = "0.0.0.0", prefix = 0, interface = "eth0" },
    { destination = "10.0.0.0", prefix = 8, interface = "eth0" },
    { destination = "10.10.4.5", prefix = 32, interface = "tun0" },
  })
  equal(net.parse_routes(""), {})
end)

test("net: the host's routes are those that ip shows", function()
  local shown = run_tool { "ip", "-4", "-o", "route", "show", "table", "main" }
  local wanted, got = {}, {}
  for line in shown.stdout:gmatch("[^\n]+") do
    local destination, interface = line:match("^(%S+).- dev (%S+)")
    destination = destination == "default" and "0.0.0.0/0" or destination
    if not destination:find("/", 1, true) then destination = destination .. "/32" end
    wanted[#wanted + 1] = destination .. " " .. interface
  end
  for _, route in ipairs(assert(net.routes())) do
    got[#got + 1] = ("%s/%d %s"):format(route.destination, route.prefix, route.interface)
  end
  table.sort(wanted)
  table.sort(got)
  equal(got, wanted)
end)

test("net: descriptors do not outlive an exec, and do not block", function()
  local listener = assert(net.listen_tcp(LOOPBACK, 0))
  local flags = fs.read("/proc/self/fdinfo/" .. listener:fileno()):match("flags:%s+(%d+)")
  equal(tonumber(flags, 8) & tonumber("2004000", 8), tonumber("2004000", 8)) -- O_CLOEXEC, O_NONBLOCK
  listener:close()
end)

test("net: a pair is connected with each other, does not block, and ends with either end", function()
  local a, b = net.pair()
  equal({ select(2, a:try_read(1)) }, { "EAGAIN", "r" })
  equal(b:try_write("hello"), 5)
  equal(a:try_read(9), "hello")
  b:close()
  equal(a:try_read(9), "")
  a:close()
end)
