-- Health during the whole life: checks from the host, unhealthy in ps, restart_on_unhealthy; what a supervisor tells who waits.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local net = require "sys.net"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"

-- The port of the stand-in takes connections and says nothing.
local CHECKED = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, ports: ["0:80"], stop_grace_period: 2s, MORE
    healthcheck: {test: "TEST", interval: 100ms, timeout: 2s, retries: 2}}
]]

local function stack_of(test_, more, settings)
  return stack_.on_fake((CHECKED:gsub("TEST", test_):gsub("MORE", more or "")), settings)
end

local function results(stack)
  local text = fs.read(stack.state .. "/instances/pair/web-0/health.json")
  return text and json.decode(text, {}).results or {}
end

-- Comes up, is unhealthy, and does not hear that it is to end; its supervisor is killed meanwhile. Gives its pid.
local function up_and_half_ended(stack)
  stack:write((fs.read(stack.directory .. "/holos.yaml"):gsub("timeout: 2s", "timeout: 150ms")))
  stack:expect { "up", "-d" }
  local pid = stack:ps()["web-0"].pid
  stack:eventually("it is being ended", function() return supervised.runtime(stack, "web-0").ending end)
  supervised.kill(supervised.supervisor(stack))
  return pid
end

test("checks go on after up; their last results are kept", function()
  local stack <close> = stack_of("tcp:80")
  stack:expect { "up" }
  equal(stack:ps()["web-0"].status, "healthy")
  stack:eventually("five results", function() return #results(stack) == 5 end)
  local last = results(stack)[5]
  equal({ last.ok, last.exit, last.text }, { true, 0, "takes connections" })
  equal(supervised.runtime(stack, "web-0").health, "healthy")
end)

test("unhealthy is shown and nothing else happens; up says what the last check said", function()
  local stack <close> = stack_of("http:80/health", nil, {})
  stack:write((fs.read(stack.directory .. "/holos.yaml"):gsub("timeout: 2s", "timeout: 150ms")))
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("web-0: unhealthy: 2 checks failed; the last: timed out after", 1, true), failed.stderr)
  local pid = stack:ps()["web-0"].pid
  stack:eventually("five results", function() return #results(stack) == 5 end)
  local row = stack:ps()["web-0"]
  equal({ row.status, row.pid }, { "unhealthy", pid })
end)

test("restart_on_unhealthy: 2 starts it anew twice, then leaves it", function()
  local stack <close> = stack_of("http:80/health", "restart_on_unhealthy: 2,")
  stack:write((fs.read(stack.directory .. "/holos.yaml"):gsub("timeout: 2s", "timeout: 150ms")))
  stack:expect { "up", "-d" }
  stack:eventually("it gives up", function() return (supervised.runtime(stack, "web-0").restarts or {}).gave_up end)
  equal(supervised.runtime(stack, "web-0").restarts.unhealthy, 2)
  equal(stack:ps()["web-0"].status, "exited (unhealthy, gave up after 2 restarts)")
end)

test("killed while it ends an unhealthy guest, a supervisor leaves the reason to the next one", function()
  local stack <close> = stack_of("http:80/health", "restart_on_unhealthy: true,", { "powerdown=ignore" })
  local pid = up_and_half_ended(stack)
  equal({ supervised.runtime(stack, "web-0").ending.how, supervised.runtime(stack, "web-0").restarts }, { "unhealthy" })
  supervised.kill(pid)
  fake_qemu.set(stack.qemu, {})
  stack:expect { "ps" }
  stack:eventually("its end is told", function() return supervised.events(stack, "instance.exited")[1] end)
  equal(supervised.events(stack, "instance.exited")[1].how, "unhealthy")
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  equal({ supervised.runtime(stack, "web-0").restarts.unhealthy, supervised.runtime(stack, "web-0").ending }, { 1 })
end)

test("what the next supervisor finds half ended it ends", function()
  local stack <close> = stack_of("http:80/health", "restart_on_unhealthy: true,", { "powerdown=ignore" })
  local pid = up_and_half_ended(stack)
  stack:expect { "ps" }
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  equal(supervised.events(stack, "instance.exited")[1].how, "unhealthy")
end)

test("a check that cannot be made says why, without saying whose it is", function()
  local stack <close> = stack_of("exit 0", nil, {})
  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("web-0: unhealthy: 2 checks failed; the last: ssh to", 1, true), failed.stderr)
  ok(not failed.stderr:find("web-0: ssh", 1, true), failed.stderr)
end)

test("a changed check is used at once, without a restart", function()
  local stack <close> = stack_of("tcp:80")
  stack:expect { "up" }
  local pid = stack:ps()["web-0"].pid
  local text = fs.read(stack.directory .. "/holos.yaml")
  stack:write((text:gsub("tcp:80", "http:80"):gsub("timeout: 2s", "timeout: 150ms")))
  stack:expect({ "up", "-d" })
  stack:eventually("it is unhealthy", function() return stack:ps()["web-0"].status == "unhealthy" end)
  equal(stack:ps()["web-0"].pid, pid)
end)

test("a check of a port that is not published is a finding", function()
  local stack <close> = stack_of("tcp:81")
  local refused = stack:expect({ "validate" }, 2)
  ok(refused.stderr:find("holos.yaml:4:19: services.web.healthcheck.test: the host cannot ask port 81", 1, true), refused.stderr)
end)

-- A server of one connection at a time: answers each with `text`, or hangs up when that is nil.
local function serve(listener, text)
  while true do
    local fd, message, code = net.accept(listener)
    if fd then
      if text then
        io_wait.await(fd, "try_read", 4096)
        io_wait.write_all(fd, text)
      end
      fd:close()
    elseif message == "EAGAIN" then
      task.wait { fd = listener, dir = code }
    end
  end
end

local ANSWERS = {
  { "200", "HTTP/1.1 200 OK\r\n\r\n", "GET /x: status 200" }, { "302", "HTTP/1.0 302 Found\r\n\r\n", "GET /x: status 302" },
  { "404", "HTTP/1.1 404 Not Found\r\n\r\n", nil, "GET /x: status 404" }, { "garbage", "hello\n", nil, "does not speak HTTP" },
  { "nothing", nil, nil, "port 80 of the guest refuses connections" },
}

for _, case in ipairs(ANSWERS) do
  test("an http check and an answer of " .. case[1], function()
    local port_check, world = require "holos.run.port_check", require "holos.run.world"
    local listener <close> = assert(net.listen_tcp("127.0.0.1", 0))
    local now = { ports = { { guest = 22 }, { protocol = "tcp", host_ip = "127.0.0.1", guest = 80,
      host = assert(net.bound_port(listener)) } } }
    local spec = { name = "web-0" }
    task.race {
      function() serve(listener, case[2]) end,
      function()
        if case[3] then return equal(port_check.http(world, spec, now, 80, "/x"), case[3]) end
        raises(case[4], port_check.http, world, spec, now, 80, "/x")
        if not case[2] then raises("refuses connections", port_check.tcp, world, spec, now, 80) end
      end,
    }
    raises("port 81 is not published", port_check.tcp, world, spec, now, 81)
  end)
end

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
]]

test("who waits beside a supervisor hears of a halt at once, and why a VM ended", function()
  local stack <close> = stack_.on_fake(TWO)
  stack:expect { "up", "db" }
  stack:eventually("there is a supervisor", function() return #stack:supervisors() == 1 end)
  fake_qemu.set(stack.qemu, { "web-0: report=none", "web-0: exit_after_ms=700", "web-0: reason=guest-panic" })
  local ended = stack:expect({ "up" }, 4)
  ok(ended.stderr:find("ended while it was waited for: the guest's kernel panicked", 1, true), ended.stderr)
  fake_qemu.set(stack.qemu, { "web-0: report=none", "web-0: halt_after_ms=700", "web-0: halt=guest-panicked" })
  local halted = stack:expect({ "up" }, 4)
  ok(halted.stderr:find("web-0: panicked: its kernel has given up", 1, true), halted.stderr)
end)
