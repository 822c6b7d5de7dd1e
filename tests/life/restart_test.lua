-- holos restart: what is named is shut down and started again with its disk, on the stand-in for QEMU.
local pair = require "tests.support.pair"
local supervised = require "tests.support.supervised"

local THREE = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    restart: always
    ports: ["0:80"]
    depends_on: {db: {condition: service_started, restart: true}}
  log: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, depends_on: [db]}
]]

-- Which of them have another process than before.
local function restarted(before, after)
  local list = {}
  for name, pid in pairs(after) do list[name] = pid ~= before[name] or nil end
  return list
end

test("restart keeps disk, addresses and ports, takes those with it that ask for it, and no others", function()
  local stack <close> = pair.started(THREE)
  local before, rows, disk = pair.pids(stack), stack:ps(), pair.inode(stack, "db-0")
  stack:expect { "restart", "log-0" }
  local second = pair.pids(stack)
  equal(restarted(before, second), { ["log-0"] = true })
  stack:expect { "restart", "db" }
  local third = pair.pids(stack)
  equal(restarted(second, third), { ["db-0"] = true, ["web-0"] = true })
  stack:expect { "restart", "--no-deps", "db" }
  equal(restarted(third, pair.pids(stack)), { ["db-0"] = true })
  equal({ pair.inode(stack, "db-0"), stack:ps()["web-0"].ports[1].host, stack:ps()["web-0"].address },
    { disk, rows["web-0"].ports[1].host, rows["web-0"].address })
  equal(#supervised.events(stack, "instance.restarting"), 0)
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
end)

test("restart starts what does not run, and leaves to up what the file says by now", function()
  local stack <close> = pair.started(THREE)
  stack:expect { "stop", "log" }
  stack:write((THREE:gsub("  db: {", "  db: {vm: {memory_mb: 1024}, ")))
  stack:expect { "restart" }
  equal({ stack:ps()["log-0"].status, stack:ps()["db-0"].memory_mib }, { "provisioned", 512 })
  stack:expect({ "plan", "--exit-code" }, 10)
  local unknown = stack:expect({ "restart", "wbe" }, 1)
  ok(unknown.stderr:find('did you mean "web"?', 1, true), unknown.stderr)
end)
