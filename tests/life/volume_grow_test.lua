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

test("a volume is never made smaller: refused with both sizes, and nothing is touched", function()
  local stack <close> = stack_.on_fake(sized "64M")
  stack:expect { "up" }
  local pid = stack:ps()["db-0"].pid
  stack:write((sized("32M"):gsub("image_os: plain", "image_os: plain, vm: {memory_mb: 600}")))
  local refused = stack:expect({ "up", "-y" }, 3)
  ok(refused.stderr:find("volume data: size: 64 MiB → 32 MiB", 1, true), refused.stderr)
  ok(refused.stderr:find("a volume never becomes smaller: write size: 64 MiB, or more, for volume data", 1, true))
  equal({ size_mib(stack), stack:ps()["db-0"].pid }, { 64, pid })
  stack:write((YAML:gsub("%u%u+", { MODE = "" }):gsub("size: SIZE", ""))) -- no word on it: it stays as large as it is
  stack:expect { "up" }
  equal({ size_mib(stack), stack:ps()["db-0"].pid }, { 64, pid })
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
