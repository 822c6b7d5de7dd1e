-- Volumes that become larger, below machines that run and as files, and those that are not to become smaller.
local fs = require "sys.fs"
local json = require "sys.json"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local MIB = 1 << 20
local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/dataMODE"], stop_grace_period: 1s}
volumes: {data: {size: SIZE}}
]]

local function sized(size, mode) return (YAML:gsub("%u%u+", { SIZE = size, MODE = mode or "" })) end

local function size_mib(stack)
  return assert(qcow2.info(stack.state .. "/volumes/pair/data.qcow2")).virtual_bytes // MIB
end

local function recorded(stack)
  local text = assert(fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 }))
  return assert(json.decode(text, {})).volumes.data
end

test("a volume grows below the machine that has it, which runs on; a guest that was not told is told later", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  stack:write(sized "96M")
  local plan = stack:expect { "plan" }
  ok(plan.stdout:find("~ volume data +grow   64 MiB → 96 MiB   %(db%-0 runs on%)"), plan.stdout)
  equal(size_mib(stack), 64)
  local up = stack:expect { "up" }
  ok(up.stderr:find("volume data has grown, and its file system in db-0 not yet", 1, true), up.stderr)
  equal({ size_mib(stack), stack:ps()["db-0"].pid, recorded(stack).is_growing }, { 96, pid, true })
  ok(stack:expect({ "plan" }).stdout:find("grow its file system   (db-0 runs on)", 1, true))

  stack:expect { "stop" } -- then its guest sees to it when it starts
  ok(not stack:expect({ "plan" }).stdout:find("volume data", 1, true))
end)

test("a volume that nobody has grows as a file, before its machine starts", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  stack:expect { "stop" }
  stack:write(sized "128M")
  ok(stack:expect({ "plan" }).stdout:find("~ volume data +grow   64 MiB → 128 MiB\n?"))
  stack:expect { "up" }
  equal({ size_mib(stack), recorded(stack).is_growing, stack:expect({ "plan", "--exit-code" }).stdout },
    { 128, nil, "0 to add, 0 to change, 0 to remove.\n" })
  equal(run_tool({ "qemu-img", "check", "-q", "-U", stack.state .. "/volumes/pair/data.qcow2" }).status, 0)
end)

test("a volume is never made smaller: both sizes are named, and all else is done", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  stack:write((sized("32M"):gsub("image_os: plain", "image_os: plain, vm: {memory_mb: 600}")))
  local said = "volume data has 64 MiB and keeps them; the file says size: 32 MiB, and volumes never become smaller"
  for _, words in ipairs { { "plan" }, { "up", "-y" } } do
    local result = stack:expect(words)
    ok((result.stdout .. result.stderr):find(said, 1, true), result.stdout .. result.stderr)
  end
  equal({ size_mib(stack), recorded(stack).size_bytes, stack:ps()["db-0"].pid ~= pid }, { 64, 64 * MIB, true })
  stack:write((YAML:gsub("%u%u+", { MODE = "" }):gsub("size: SIZE", ""))) -- no word on it: it stays as large as it is
  ok(not stack:expect({ "up" }).stderr:find("never become smaller", 1, true))
  equal({ size_mib(stack), recorded(stack).size_bytes }, { 64, 64 * MIB })
end)

test("resize names the line of the file that says less, and after it up of the unchanged file goes on", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  local resized = stack:expect { "volumes", "resize", "data", "+2G" } -- so many more tables that one entry does not do
  ok(resized.stderr:find("holos%.yaml:4:%d+ says less: write size: 2112M there"), resized.stderr)
  stack:expect { "up" } -- whose guest is still to be told, of the size that the disk has
  equal({ size_mib(stack), stack:ps()["db-0"].pid }, { 2112, pid })
  stack:expect { "restart" }
  stack:expect { "stop" }
  equal(run_tool({ "qemu-img", "check", "-q", stack.state .. "/volumes/pair/data.qcow2" }).status, 0)
  stack:write(sized "3G")
  ok(not stack:expect({ "volumes", "resize", "data", "3G" }).stderr:find("says less", 1, true))
end)

test("resize to more than the host's file system has in all wants to be meant", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up", "--no-start" }
  local refused = stack:expect({ "volumes", "resize", "data", "900T" }, 3)
  ok(refused.stderr:find("volume data: 900 TiB is more than all of the host's file system, which has ", 1, true), refused.stderr)
  ok(refused.stderr:find("nothing was changed; if it is meant: -y", 1, true), refused.stderr)
  equal(size_mib(stack), 64)
  local options = { stdin = "" }
  equal(stack:run({ "volumes", "resize", "data", "900T" }, options).status, 3)
  stack:expect { "volumes", "resize", "-y", "data", "60T" }
  equal(size_mib(stack), 60 << 20)
end)

test("what is only read grows when nobody reads it any more", function()
  local stack <close> = stack_.on_fake(sized("64M", ":ro"))
  stack:expect { "up" }
  stack:write(sized("96M", ":ro"))
  local up = stack:expect { "up" }
  ok(up.stderr:find("has to wait until nobody reads it: stop db-0, then up", 1, true), up.stderr)
  equal(size_mib(stack), 64)
  stack:expect { "stop" }
  stack:expect { "up" }
  equal(size_mib(stack), 96)
end)

test("the disk of a machine that has crashed grows as a file, and it starts again", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  local before = stack:ps()["db-0"].pid
  stack:write(sized "96M")
  local process <close> = require("sys.proc").open(before, require("sys.proc").identity(before).start_time)
  process:signal "KILL"
  require("holos.core.task").wait { process = process }
  stack:expect { "up" }
  equal({ size_mib(stack), stack:ps()["db-0"].pid ~= before }, { 96, true })
end)
