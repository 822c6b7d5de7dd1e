-- Disks that replace others, and when they make room for the old ones again: only while the command is at it that makes
-- them, on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local ONE = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
]]
local WITH_IMAGE = ONE:gsub("db: {image: ./image", "db: {image: ./other")

local function started()
  local stack = stack_.on_fake(ONE)
  assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 1 << 20 }))
  stack:expect { "up" }
  return stack
end

local function record(stack)
  return assert(json.decode(assert(fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 })), {}))
end

local function disks_in_trash(stack, name)
  return files.below(stack.state .. "/trash", "/" .. name:gsub("%-", "%%-") .. "/root%.qcow2$")
end

local function backing(stack, name)
  return assert(qcow2.info(("%s/instances/pair/%s/root.qcow2"):format(stack.state, name))).backing:match("[^/]+$")
end

--- Tells a disk from a new one.
local function inode(stack, name)
  return assert(fs.stat(("%s/instances/pair/%s/root.qcow2"):format(stack.state, name))).inode
end

test("a new disk that has served stays, whatever becomes of a later start", function()
  local stack <close> = started()
  stack:write(WITH_IMAGE)
  stack:expect { "up", "-d", "--recreate" }
  stack:eventually("provisioned", function() return stack:ps()["db-0"].status == "provisioned" end)
  local disk = inode(stack, "db-0")
  for _, verb in ipairs { "start", "up" } do
    stack:expect { "stop" }
    fake_qemu.set(stack.qemu, { "db-0: report=none" })
    local late = stack:expect({ verb, "--wait-timeout", "300ms" }, 4)
    ok(not late.stderr:find("the old one is back", 1, true), late.stderr)
    equal({ inode(stack, "db-0"), backing(stack, "db-0") }, { disk, "other.qcow2" }, verb)
    equal(record(stack).instances["db-0"].replaced, nil)
  end
end)

test("a new disk that has not served is not given up by a command that did not make it; the old one is kept back on", function()
  local stack <close> = started()
  stack:write(WITH_IMAGE)
  fake_qemu.set(stack.qemu, { "db-0: report=none" })
  stack:expect { "up", "-d", "--recreate" }
  local disk = inode(stack, "db-0")
  stack:expect({ "up", "--wait-timeout", "300ms" }, 4)
  equal({ inode(stack, "db-0"), record(stack).instances["db-0"].replaced.is_moved }, { disk, true })
  fake_qemu.set(stack.qemu, {})
  stack:expect { "stop" }
  stack:expect { "start" }
  equal({ inode(stack, "db-0"), record(stack).instances["db-0"].replaced }, { disk })
end)

test("the way back from a new disk that does not serve, when the command that made it is over", function()
  local stack <close> = started()
  local disk = inode(stack, "db-0")
  stack:write(WITH_IMAGE)
  fake_qemu.set(stack.qemu, { "db-0: report=none" })
  stack:expect { "up", "-d", "--recreate" }
  local batch = record(stack).instances["db-0"].replaced.batch
  stack:expect { "down", "db" }
  fake_qemu.set(stack.qemu, {})
  stack:expect { "trash", "restore", "pair", batch }
  stack:write(ONE)
  stack:expect { "up" }
  equal({ inode(stack, "db-0"), backing(stack, "db-0"), record(stack).instances["db-0"].replaced }, { disk, "image.qcow2" })
end)

test("a new disk that cannot be made, or an old one that cannot be set aside, leaves the machine running on its old disk",
  function()
    for module, wanted in pairs { ["disk.create_root"] = "could not be made", ["aside.set_aside"] = "so it stays" } do
      local stack <close> = started()
      local disk = inode(stack, "db-0")
      files.write(stack.directory .. "/broken.lua", ([[holos.override("holos.run.%s", "%s", function()
        require("holos.core.err").raise { message = "no space", code = "ENOSPC" }
      end)
      return require "holos.main" { ... }]]):format(module:match "(%w+)%.(.+)"))
      stack:write(WITH_IMAGE)
      local failed = stack:expect({ "lua", "broken.lua", "up", "--recreate=db" }, 1)
      ok(failed.stderr:find(wanted, 1, true), failed.stderr)
      equal({ inode(stack, "db-0"), backing(stack, "db-0"), #disks_in_trash(stack, "db-0") }, { disk, "image.qcow2", 0 })
      ok(stack:ps()["db-0"].pid, "it does not run")
      equal(record(stack).instances["db-0"].replaced, nil)
    end
  end)
