-- Disks that replace others, and when they make room for the old ones again: only while the command is at it that makes
-- them, on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local pair = require "tests.support.pair"

local ONE = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
]]
local WITH_IMAGE = ONE:gsub("db: {image: ./image", "db: {image: ./other")

test("a new disk that has served stays, whatever becomes of a later start", function()
  local stack <close> = pair.started(ONE)
  stack:write(WITH_IMAGE)
  stack:expect { "up", "-d", "--recreate" }
  stack:eventually("provisioned", function() return stack:ps()["db-0"].status == "provisioned" end)
  local disk = pair.inode(stack, "db-0")
  for _, verb in ipairs { "start", "up" } do
    stack:expect { "stop" }
    fake_qemu.set(stack.qemu, { "db-0: report=none" })
    local late = stack:expect({ verb, "--wait-timeout", "300ms" }, 4)
    ok(not late.stderr:find("the old one is back", 1, true), late.stderr)
    equal({ pair.inode(stack, "db-0"), pair.backing(stack, "db-0") }, { disk, "other.qcow2" }, verb)
    equal(pair.record(stack).instances["db-0"].replaced, nil)
  end
end)

test("a new disk that has not served is not given up by a command that did not make it; the old one is kept back on", function()
  local stack <close> = pair.started(ONE)
  stack:write(WITH_IMAGE)
  fake_qemu.set(stack.qemu, { "db-0: report=none" })
  stack:expect { "up", "-d", "--recreate" }
  local disk = pair.inode(stack, "db-0")
  stack:expect({ "up", "--wait-timeout", "300ms" }, 4)
  equal({ pair.inode(stack, "db-0"), pair.record(stack).instances["db-0"].replaced.is_moved }, { disk, true })
  fake_qemu.set(stack.qemu, {})
  stack:expect { "stop" }
  stack:expect { "start" }
  equal({ pair.inode(stack, "db-0"), pair.record(stack).instances["db-0"].replaced }, { disk })
end)

test("the way back from a new disk that does not serve, when the command that made it is over", function()
  local stack <close> = pair.started(ONE)
  local disk = pair.inode(stack, "db-0")
  stack:write(WITH_IMAGE)
  fake_qemu.set(stack.qemu, { "db-0: report=none" })
  stack:expect { "up", "-d", "--recreate" }
  local batch = pair.record(stack).instances["db-0"].replaced.batch
  stack:expect { "down", "db" }
  fake_qemu.set(stack.qemu, {})
  stack:expect { "trash", "restore", "pair", batch }
  stack:write(ONE)
  stack:expect { "up" }
  equal({ pair.inode(stack, "db-0"), pair.backing(stack, "db-0"), pair.record(stack).instances["db-0"].replaced },
    { disk, "image.qcow2" })
end)

test("a new disk that cannot be made, or an old one that cannot be set aside, leaves the machine running on its old disk",
  function()
    for module, wanted in pairs { ["disk.create_root"] = "could not be made", ["aside.set_aside"] = "so it stays" } do
      local stack <close> = pair.started(ONE)
      local disk = pair.inode(stack, "db-0")
      files.write(stack.directory .. "/broken.lua", ([[holos.override("holos.run.%s", "%s", function()
        require("holos.core.err").raise { message = "no space", code = "ENOSPC" }
      end)
      return require "holos.main" { ... }]]):format(module:match "(%w+)%.(.+)"))
      stack:write(WITH_IMAGE)
      local failed = stack:expect({ "lua", "broken.lua", "up", "--recreate=db" }, 1)
      ok(failed.stderr:find(wanted, 1, true), failed.stderr)
      equal({ pair.inode(stack, "db-0"), pair.backing(stack, "db-0"), #pair.disks_in_trash(stack, "db-0") },
        { disk, "image.qcow2", 0 })
      ok(stack:ps()["db-0"].pid, "it does not run")
      equal(pair.record(stack).instances["db-0"].replaced, nil)
    end
  end)
