-- What a machine takes over while it runs: ports, names, what is only written down; on the stand-in for QEMU.
local net = require "sys.net"
local stack_ = require "tests.support.stack"

local ONE = [[
name: live
services:
  web: {image: ./image.qcow2, image_os: plain, PORTSstop_grace_period: 1s}
]]

local function yaml(ports) return (ONE:gsub("PORTS", ports and ("ports: [%s], "):format(ports) or "")) end

--- A port that nobody listens on.
local function free_port()
  local fd <close> = assert(net.listen_tcp("127.0.0.1", 0))
  return assert(net.bound_port(fd))
end

--- Whether somebody listens there.
local function is_open(port)
  local fd = net.reserve_port("tcp", "127.0.0.1", port)
  if fd then fd:close() end
  return fd == nil
end

local function ports_of(row)
  local list = {}
  for i, port in ipairs(row.ports) do list[i] = ("%d→%d"):format(port.host, port.guest) end
  return list
end

test("ports are published and given up while the machine runs", function()
  local stack <close> = stack_.on_fake(yaml())
  stack:expect { "up" }
  local before, first, second = stack:ps()["web-0"], free_port(), free_port()
  stack:write(yaml(('"%d:80", "0:443"'):format(first)))
  ok(stack:expect({ "plan" }).stdout:find("~ web-0  live   ports none → ", 1, true))
  stack:expect { "up" }
  local opened = stack:ps()["web-0"]
  equal({ opened.pid, opened.ssh_port, is_open(first), opened.ports[1].host, #opened.ports },
    { before.pid, before.ssh_port, true, first, 2 })
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")

  stack:write(yaml(('"%d:80", "0:443"'):format(second)))
  stack:expect { "up" }
  local moved = stack:ps()["web-0"]
  equal({ moved.pid, is_open(first), is_open(second), moved.ports[2].host }, { before.pid, false, true, opened.ports[2].host })

  stack:expect { "stop" }
  stack:expect { "start" }
  equal(ports_of(stack:ps()["web-0"]), ports_of(moved))
  stack:write(yaml())
  stack:expect { "up" }
  equal({ is_open(second), stack:ps()["web-0"].ports }, { false, {} })
end)

test("B22: ports that nobody chose stay over stop and start, a change that restarts, and a new disk", function()
  local stack <close> = stack_.on_fake(yaml '"0:80", "0:53/udp"')
  stack:expect { "up" }
  local before = ports_of(stack:ps()["web-0"])
  stack:expect { "stop" }
  stack:expect { "start" }
  equal(ports_of(stack:ps()["web-0"]), before)
  stack:write((yaml('"0:80", "0:53/udp"'):gsub("web: {", "web: {vm: {memory_mb: 768}, ")))
  stack:expect { "up" }
  equal(ports_of(stack:ps()["web-0"]), before)
  stack:expect { "up", "--force-recreate" }
  equal(ports_of(stack:ps()["web-0"]), before)
end)

test("a port that is taken is refused before anything changes; one that another machine gives up can be had at once", function()
  local stack <close> = stack_.on_fake(yaml() .. "  api: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}\n")
  stack:expect { "up" }
  local before = stack:ps()
  local taken <close> = assert(net.listen_tcp("127.0.0.1", 0))
  stack:write(yaml(('"%d:80"'):format(net.bound_port(taken)))
    .. "  api: {image: ./image.qcow2, labels: {a: b}, image_os: plain, stop_grace_period: 1s}\n")
  local refused = stack:expect({ "up" }, 1)
  ok(refused.stderr:find("cannot be used", 1, true), refused.stderr)
  local port = free_port()
  stack:write(yaml(('"%d:80"'):format(port)) .. "  api: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}\n")
  stack:expect { "up" }
  stack:write(yaml() .. ('  api: {image: ./image.qcow2, image_os: plain, ports: ["%d:80"], stop_grace_period: 1s}\n'):format(port))
  stack:expect { "up" }
  local after = stack:ps()
  equal({ after["web-0"].pid, after["api-0"].pid }, { before["web-0"].pid, before["api-0"].pid })
  equal({ after["web-0"].ports, ports_of(after["api-0"]) }, { {}, { port .. "→80" } })
end)

test("labels, grace and protection are only written down, and the plan is empty afterwards", function()
  local stack <close> = stack_.on_fake(yaml())
  stack:expect { "up" }
  local pid = stack:ps()["web-0"].pid
  stack:write((yaml():gsub("stop_grace_period: 1s", "stop_grace_period: 2s, labels: {a: b}, protect: true")))
  stack:expect { "up" }
  equal({ stack:ps()["web-0"].pid, stack:run({ "plan", "--exit-code" }).status }, { pid, 0 })
  stack:expect({ "down" }, 3)
  stack:write(yaml())
  stack:expect { "up" }
  equal(stack:ps()["web-0"].pid, pid)
end)

test("a change that restarts takes the ports along, and what cannot be reached is told at the next try", function()
  local stack <close> = stack_.on_fake(yaml())
  stack:expect { "up" }
  local before, port = stack:ps()["web-0"], free_port()
  stack:write((yaml(('"%d:80"'):format(port)):gsub("web: {", "web: {vm: {memory_mb: 768}, ")))
  stack:expect { "up" }
  local after = stack:ps()["web-0"]
  ok(after.pid ~= before.pid and is_open(port))
  local scaled = stack:expect { "scale", "web=2" }
  ok(scaled.stderr:find("web-0: could not be told the names of the others", 1, true), scaled.stderr)
  equal(stack:ps()["web-0"].pid, after.pid)
  ok(stack:expect({ "plan", "--scale", "web=2" }).stdout:find("live   hosts", 1, true))
end)
