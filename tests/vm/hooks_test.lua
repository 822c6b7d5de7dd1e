-- post_start and pre_stop in a real guest: what they do is seen after the next start.
local files = require "tests.support.files"
local stack_ = require "tests.support.stack"

local YAML = [[
name: hooks
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 60s
    environment: {GREETING: "hello $$there"}
    cloud_init: {runcmd: ["mkdir -m 777 /srv/seen", "echo first >/srv/seen/order; chmod 666 /srv/seen/order"]}
    post_start:
      - {command: [sh, -c, 'echo "$$(id -un) $$PWD $$GREETING $$MORE" >>/srv/seen/order'], user: nobody, working_dir: /usr,
         environment: {MORE: "it's"}}
      - {command: "sh -c 'id -un >>/srv/seen/order'"}
    pre_stop: [{command: [sh, -c, "echo stops >>/srv/seen/order; sync"]}]
]]

if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: a guest that boots twice" end

local STARTED = "nobody /usr hello $there it's\nroot\n"

test("commands of a start run after the first steps and after each start, those of a stop before it", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  local function order() return stack:expect({ "exec", "vm", "--", "cat", "/srv/seen/order" }).stdout end
  stack:expect { "up" }
  equal(order(), "first\n" .. STARTED)
  stack:expect { "restart" }
  equal(order(), "first\n" .. STARTED .. "stops\n" .. STARTED)
  stack:write((YAML:gsub("echo stops", "exit 7; true")))
  stack:expect { "up" }
  local pid = stack:ps()["vm-0"].pid
  ok(stack:expect({ "down" }, 1).stderr:find("failed: exit 7; it runs on", 1, true))
  equal(stack:ps()["vm-0"].pid, pid)
  stack:expect { "down", "--no-pre-stop" }
end, { timeout_ms = 900000 })
