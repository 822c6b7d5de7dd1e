-- What goes wrong around a supervisor ends neither it nor what it looks after.
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local PAIR = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, restart: always, stop_grace_period: 2s}
]]

test("a client that asks for nonsense is refused, and machines are restarted as before", function()
  local stack <close> = stack_.on_fake(PAIR)
  stack:expect { "up" }
  local supervisor = supervised.supervisor(stack)
  local client <close> = supervised.client(stack)
  for _, types in ipairs { { 1 }, { "instance.", {} }, { true } } do
    equal(client.request({ op = "subscribe", types = types }).error, "types are beginnings of types of events")
  end
  local before = stack:ps()["web-0"].pid
  supervised.kill(before)
  stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before) end)
  equal(stack:supervisors(), { supervisor })
end)

local CHECKED = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, restart: always, stop_grace_period: 2s, ports: ["0:80"],
    healthcheck: {test: "tcp:80", interval: 100ms}}
]]

test("a report that was removed is no trouble to a supervisor, which goes on as before", function()
  local stack <close> = stack_.on_fake(CHECKED, { "report=none" })
  stack:expect { "up", "-d" }
  local first = supervised.supervisor(stack)
  supervised.kill(first)
  assert(fs.remove(stack.state .. "/instances/pair/web-0/report.log"))
  stack:expect { "ps" }
  local second = supervised.supervisor(stack, first)
  local client <close> = supervised.client(stack)
  stack:eventually("it attends to web-0", function() return client.request({ op = "status" }).instances["web-0"].listens end)
  local before = supervised.runtime(stack, "web-0").pid
  supervised.kill(before)
  stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", before) end)
  equal({ stack:supervisors(), supervised.events(stack, "supervisor.trouble") }, { { second }, {} })
end)
