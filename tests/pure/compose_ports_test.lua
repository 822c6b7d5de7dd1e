-- Published and exposed ports in all their forms.

local check = require "holos.core.schema.check"
local ports = require "holos.compose.ports"
local schema = require "holos.compose.schema.port"
local tables = require "holos.core.table"

local function shown(port)
  local host = port.host_to and ("%d-%d"):format(port.host, port.host_to) or tostring(port.host)
  return ("%s %s %d %s"):format(port.host_ip, host, port.guest, port.protocol)
end

local function parse(value)
  local made, message = ports.parse(value)
  if not made then return message end
  return table.concat(tables.map(made, shown), ", ")
end

test("one port", function()
  local cases = {
    { 80, "127.0.0.1 0 80 tcp" }, { "80", "127.0.0.1 0 80 tcp" }, { "80/udp", "127.0.0.1 0 80 udp" },
    { "8080:80", "127.0.0.1 8080 80 tcp" }, { "8080:80/tcp", "127.0.0.1 8080 80 tcp" },
    { "0:80", "127.0.0.1 0 80 tcp" }, { "1:65535", "127.0.0.1 1 65535 tcp" }, { "65535:1", "127.0.0.1 65535 1 tcp" },
    { "0.0.0.0:53:53/udp", "0.0.0.0 53 53 udp" }, { "192.168.1.4::80", "192.168.1.4 0 80 tcp" },
    { "08080:080", "127.0.0.1 8080 80 tcp" }, { "80/", "127.0.0.1 0 80 tcp" }, { "80/TCP", "127.0.0.1 0 80 tcp" },
    { "80-80:8080-8080", "127.0.0.1 80 8080 tcp" },
  }
  for _, case in ipairs(cases) do equal(parse(case[1]), case[2], tostring(case[1])) end
end)

test("ranges in pairs, ranges without host ports, pools", function()
  local cases = {
    { "3000-3002", "127.0.0.1 0 3000 tcp, 127.0.0.1 0 3001 tcp, 127.0.0.1 0 3002 tcp" },
    { "9090-9091:8080-8081/udp", "127.0.0.1 9090 8080 udp, 127.0.0.1 9091 8081 udp" },
    { "8000-9000:80", "127.0.0.1 8000-9000 80 tcp" }, { "10.0.0.1:8000-8001:80", "10.0.0.1 8000-8001 80 tcp" },
    { "127.0.0.2::80-81", "127.0.0.2 0 80 tcp, 127.0.0.2 0 81 tcp" },
    { "0:80-81", "127.0.0.1 0 80 tcp, 127.0.0.1 0 81 tcp" },
    { "8000-8001:80-82", "host 8000-8001 (2 ports) and guest 80-82 (3 ports) differ in length" },
    { "8000:80-82", "host port 8000 and guest 80-82 (3 ports) differ in length" },
    { "82-80", "the guest ports 82-80 run backwards" }, { "0-5:80", "host port 0 is below 1" },
    { "80-70000", "guest port 70000 is above 65535" }, { "1-2-3", 'the guest port "1-2-3" is not a number' },
    { "-80", 'the guest port "-80" is not a number' }, { "80-", 'the guest port "80-" is not a number' },
    { "1-2000:1-2000", "2000 ports in one entry; at most 1024" },
  }
  for _, case in ipairs(cases) do equal(parse(case[1]), case[2], case[1]) end
  equal(#ports.parse "1-1024:1-1024", 1024)
end)

test("no ports", function()
  local cases = {
    { "", "no port is named" }, { "/tcp", "no port is named" }, { ":80", 'the host port "" is not a number' },
    { "8080:", 'the guest port "" is not a number' }, { "a:80", 'the host port "a" is not a number' },
    { "0", "guest port 0 is below 1" }, { "65536", "guest port 65536 is above 65535" },
    { "99999:80", "host port 99999 is above 65535" }, { "-1:80", 'the host port "-1" is not a number' },
    { "80/xyz", 'protocol "xyz" is neither tcp nor udp' }, { "80/tcp/udp", 'protocol "tcp/udp" is neither tcp nor udp' },
    { "80/sctp", "QEMU's user network forwards tcp and udp, not sctp" },
    { ":8080:80", '"" is not an IPv4 address' }, { " 8080:80", 'the host port " 8080" is not a number' },
    { "184467440737095516160:80", "host port 184467440737095516160 is above 65535" },
    { "0x50:80", 'the host port "0x50" is not a number' }, { "tcp", 'the guest port "tcp" is not a number' },
  }
  for _, case in ipairs(cases) do equal(parse(case[1]), case[2], case[1]) end
end)

test("addresses to publish on", function()
  local none = ": QEMU's user network publishes on IPv4 addresses only"
  local cases = {
    { "1.2.3:8080:80", '"1.2.3" is not an IPv4 address' }, { "1.2.3.256:8080:80", '"1.2.3.256" is not an IPv4 address' },
    { "localhost:8080:80", '"localhost" is not an IPv4 address' }, { "*:8080:80", '"*" is not an IPv4 address' },
    { "::1:6000:6000", "::1" .. none }, { "[::]:80:80", "::" .. none }, { "[fe80::1]::80", "fe80::1" .. none },
    { "[::1]:80", 'expected a port after "[::1]:", got "80"' }, { "[1.2.3.4]:80:80", "1.2.3.4 80 80 tcp" },
    { "[x]:80:80", '"x" is not an IPv4 address' }, { "1:2:3:4:5", '"1:2:3" is not an IPv4 address' },
  }
  for _, case in ipairs(cases) do equal(parse(case[1]), case[2], case[1]) end
  equal(select(3, ports.parse "localhost:80:80"), "write 127.0.0.1")
end)

local function run(rule, value)
  local written = {}
  local at = check.new({ [value] = { 11, 22, 33, 44 } }, { written = written })
  local list = check.value(rule, value, at)
  return list, at, written
end

test("a list of entries is a list of ports, and each knows its entry", function()
  local list, at, written = run(schema.list, tables.list { "80", "90-91", { target = 70, published = "8000-8009" }, "x" })
  equal(tables.map(list, function(port) return port and shown(port) end),
    { "127.0.0.1 0 80 tcp", "127.0.0.1 0 90 tcp", "127.0.0.1 0 91 tcp", "127.0.0.1 8000-8009 70 tcp", false })
  equal(at.marks[list], { 11, 22, 22, 33, 44 })
  equal(written[list], { { "ports", 1 }, { "ports", 2 }, { "ports", 2 }, { "ports", 3 }, { "ports", 4 } })
  equal(at.findings[1].path, "[4]")
end)

test("a list without ranges stays the list it was", function()
  local given = tables.list { "80", 443 }
  local list, _, written = run(schema.list, given)
  equal(list == given, true)
  equal(next(written), nil)
end)

test("long forms", function()
  local function long(value)
    local list, at = run(schema.list, tables.list { value })
    return at.findings[1] and at.findings[1].message or tables.map(list, shown)[1], list[1]
  end
  equal(long { target = 80 }, "127.0.0.1 0 80 tcp")
  equal(long { target = "80", published = 8080, protocol = "udp", mode = "host" }, "127.0.0.1 8080 80 udp")
  equal(long { target = 80, published = "", host_ip = "0.0.0.0" }, "0.0.0.0 0 80 tcp")
  equal(long { target = 80, published = "8x" }, 'the host port "8x" is not a number')
  equal(long { published = "80" }, '"target" is missing')
  equal(long { target = 80, host_ip = "::1" }, "::1: QEMU's user network publishes on IPv4 addresses only")
  equal(long { target = 80, mode = "swarm" }, 'expected one of "host", "ingress", got "swarm"')
  equal(long { target = 80, x_y = 1 }, "unknown key")
  local _, port = long { target = 80, name = "web", app_protocol = "http" }
  equal({ port.name, port.app_protocol }, { "web", "http" })
end)

test("exposed ports", function()
  equal(ports.parse_exposed(80), { port = 80, to = 80, protocol = "tcp" })
  equal(ports.parse_exposed "8080-8085/udp", { port = 8080, to = 8085, protocol = "udp" })
  equal(ports.parse_exposed "80/sctp", { port = 80, to = 80, protocol = "sctp" })
  equal({ ports.parse_exposed "0" }, { nil, "exposed port 0 is below 1" })
  equal({ ports.parse_exposed "80/x" }, { nil, 'protocol "x" is neither tcp nor udp' })
end)
