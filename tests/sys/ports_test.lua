-- Host ports of launches: fixed, any free one, and one out of a range for each replica.

local net = require "sys.net"
local ports = require "holos.run.ports"
local runtime = require "holos.run.runtime"

local world = { net = net }

local function launching_of(spec, leased, claimed)
  local warnings = {}
  return { spec = spec, ports = ports.wanted(spec, leased or {}), claimed = claimed or {}, warnings = warnings,
    warn = function(text) warnings[#warnings + 1] = text end }
end

local function spec_with(port)
  port.host_ip, port.guest, port.protocol = "127.0.0.1", 80, port.protocol or "tcp"
  return { name = "web-0", nics = { { kind = "user" } }, ports = { port } }
end

local function close_all(list)
  for _, fd in ipairs(list) do fd:close() end
end

-- A listening socket, and the number of its port: somebody else's.
local function occupied()
  local fd = assert(net.listen_tcp("127.0.0.1", 0))
  return fd, assert(net.bound_port(fd))
end

local function choose(range, leased, claimed)
  local launching, reserved = launching_of(spec_with(range), leased, claimed), {}
  ports.reserve(world, launching, reserved)
  close_all(reserved)
  return launching.ports[2].host, launching
end

test("a port out of a range is the first that nobody has or claims, and stays the instance's", function()
  local fd <close>, taken = occupied()
  ok(fd)
  local range = { host = taken, host_to = taken + 50 }
  local first, launching = choose(range)
  ok(first > taken and first <= taken + 50)
  local second = choose(range, nil, launching.claimed)
  ok(second > first)
  equal(choose(range, { ["tcp:80"] = second }, { [("tcp/%d"):format(second)] = true }), second)
  local entry = { leased = runtime.leased(launching.spec, { { host = 40000 }, { host = first } }) }
  equal(entry.leased, { ssh = 40000, ["tcp:80"] = first })
  entry.spec = launching.spec
  equal(ports.claimed({ instances = { ["web-0"] = entry } }, { other = { instances = {} } }), { [("tcp/%d"):format(first)] = true })
end)

test("two picked ports of one port of the guest are leased one by one", function()
  local spec = spec_with { host = 0 }
  spec.ports[2] = { host_ip = "127.0.0.1", host = 8000, host_to = 8009, guest = 80, protocol = "tcp" }
  local leased = runtime.leased(spec, { { host = 2222 }, { host = 40001 }, { host = 8003 } })
  equal(leased, { ssh = 2222, ["tcp:80"] = 40001, ["tcp:80#2"] = 8003 })
  local wanted = ports.wanted(spec, leased)
  equal({ wanted[2].host, wanted[3].host }, { 40001, 8003 })
  equal(ports.claimed { instances = { ["web-0"] = { spec = spec, leased = leased } } }, { ["tcp/8003"] = true })
end)

test("a leased port that is outside the range by now is not kept", function()
  local fd <close>, taken = occupied()
  ok(fd)
  local chosen = choose({ host = taken + 1, host_to = taken + 60 }, { ["tcp:80"] = taken - 1 })
  ok(chosen > taken)
end)

test("a range without a free port is refused with its bounds", function()
  local fd <close>, taken = occupied()
  ok(fd)
  raises(("web-0: no port from %d to %d/tcp is free for 80"):format(taken, taken), choose, { host = taken, host_to = taken })
end)

test("a fixed port that is taken is an error, a leased one becomes any free one", function()
  local fd <close>, taken = occupied()
  ok(fd)
  raises("cannot be used", choose, { host = taken })
  local host, launching = choose({ host = 0 }, { ["tcp:80"] = taken })
  equal({ host, #launching.warnings }, { 0, 1 })
  raises("cannot be used", ports.require_free, world, { spec_with { host = taken } }, function() return false end,
    function() end)
  ports.require_free(world, { spec_with { host = taken, host_to = taken + 1 }, spec_with { host = 0 } },
    function() return false end, function() end)
  ports.require_free(world, { spec_with { host = taken } }, function(port) return port.host == taken end, function() end)
  raises("cannot be used: db-0 of project shop has it", ports.require_free, world, { spec_with { host = taken } },
    function() return false end, function() return "db-0 of project shop" end)
end)

test("without a card there are no ports, not even sshd's", function()
  equal(ports.wanted({ name = "a", nics = {}, ports = {} }, {}), {})
end)
