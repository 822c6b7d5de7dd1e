-- holos rm: disks of what does not run go to the trash, on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local pair = require "tests.support.pair"
local supervised = require "tests.support.supervised"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, restart: always, stop_grace_period: 1s}
volumes: {data: {size: 64M}}
]]

test("rm takes what is stopped, says what runs and stays; --stop takes that too; volumes stay, disks can be restored", function()
  local stack <close> = pair.started(TWO)
  local before, disk = pair.pids(stack), pair.inode(stack, "db-0")
  stack:expect { "stop", "db" }
  local said = stack:expect({ "rm" }).stderr
  ok(said:find("web-0 is to run and stays; stop it first, or give --stop", 1, true), said)
  ok(said:find("holos trash restore pair", 1, true), said)
  local after = pair.pids(stack)
  equal({ after["db-0"], after["web-0"], after["web-1"] }, { nil, before["web-0"], before["web-1"] })
  equal(#pair.disks_in_trash(stack, "db-0"), 1)
  stack:expect { "rm", "-s", "-f", "web-1" }
  equal({ pair.pids(stack)["web-0"], #pair.disks_in_trash(stack, "web-1"), #stack:pids() }, { before["web-0"], 1, 1 })
  ok(fs.stat(stack.state .. "/volumes/pair/data.qcow2"))
  stack:expect { "trash", "restore", "pair", pair.disks_in_trash(stack, "db-0")[1]:match("/trash/pair/([^/]+)/") }
  stack:expect { "up" }
  equal(pair.inode(stack, "db-0"), disk)
end)

test("rm leaves what a supervisor would start again that has not seen its end, and nothing in the trash", function()
  local stack <close> = pair.started(TWO)
  supervised.kill(supervised.supervisor(stack))
  supervised.kill(pair.pids(stack)["web-0"]) -- ps has started another supervisor
  supervised.kill(supervised.supervisor(stack))
  local before = stack:expect({ "trash", "ls" }).stdout
  stack:expect { "rm", "-f", "holos.yaml", "web" }
  equal(stack:expect({ "trash", "ls" }).stdout, before)
  equal(supervised.events(stack, "project.rm"), {})
end)

test("rm leaves what is about to be started again, and what is protected", function()
  local stack <close> = pair.started((TWO:gsub("db: {", "db: {protect: true, ")))
  local disk = pair.inode(stack, "web-0")
  fake_qemu.set(stack.qemu, { "web-0: fail=no such machine" })
  supervised.kill(stack:ps()["web-0"].pid)
  stack:eventually("a launch fails", function() return #supervised.events(stack, "instance.exited") >= 2 end)
  ok(stack:expect({ "rm", "web-0" }).stderr:find("web-0 is to run and stays", 1, true))
  equal(pair.inode(stack, "web-0"), disk)
  stack:expect { "stop", "db" }
  stack:expect({ "rm", "db" }, 3)
  fake_qemu.set(stack.qemu, {})
  stack:write(TWO)
  stack:expect { "up" }
end)
