-- stop beside somebody who is about to start the same machine, on the stand-in for QEMU.
local lock = require "sys.lock"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
]]

test("a machine that does not run is not taken for stopped while somebody else holds its lock: he may be launching it", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  supervised.kill(stack:ps()["db-0"].pid)
  stack:eventually("its end is written down", function() return stack:ps()["db-0"].status:find "^exited" ~= nil end)
  for verb, wanted in pairs { stop = "stopped", down = "removed" } do
    do
      local held <close> = assert(lock.open(stack.state .. "/locks/pair.db-0.lock"))
      ok(held:try_take())
      stack:expect({ verb, "--no-wait" }, 5)
      equal(pair.desired(stack)["db-0"], wanted) -- so whoever takes the lock next does not start it
    end
  end
  local stopped = stack:expect { "stop" }
  ok(stopped.stderr:find("was not running", 1, true), stopped.stderr)
end)
