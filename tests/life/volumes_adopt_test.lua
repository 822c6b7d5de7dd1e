-- Volumes that came from elsewhere, and the command that brought them was cut off, or was none of ours: guests never format
-- them, whatever the record knows.
local crash = require "tests.support.crash"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local WITHOUT = "name: shop\nservices: {db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}}\n"
local WITH = [[
name: shop
services: {db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, volumes: ["data:/data"]}}
volumes: {data: {}}
]]
local RENAMES = { "?rename", "renameat", "?renameat2" }

-- A disk whose first and last MiB hold zeros only, which is all that guests look at.
local function disk(path)
  assert(qcow2.create(path, { size_bytes = 16 << 20 }))
  equal(run_tool({ "qemu-io", "-c", "write -P 5 5M 1M", path }).status, 0)
end

local function stack_of(yaml)
  local stack = stack_.new { yaml = yaml }
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  disk(stack.directory .. "/theirs.qcow2")
  return stack
end

-- What the guest is told to do with it, once it is up.
local function told(stack)
  stack.qemu = fake_qemu.install()
  stack:expect { "up" }
  local seed = assert(fs.read(stack.state .. "/instances/shop/db-0/seed.iso", { max_bytes = 16 << 20 }))
  return seed:match("holos_attempt 'mount volume data' (holos_mount_volume [^\n]*)")
end

local AS_IT_IS, FORMATTED = "holos_mount_volume vol-data /data rw - /data", "holos_mount_volume vol-data /data rw ext4 /data"

local function put(stack)
  assert(fs.mkdir_all(stack.state .. "/volumes/shop", tonumber("700", 8)))
  disk(stack.state .. "/volumes/shop/data.qcow2")
end

test("a volume that no record knows is taken as it is", function()
  local stack <close> = stack_of(WITHOUT)
  stack:expect { "up", "--no-start" }
  put(stack)
  stack:write(WITH)
  equal(told(stack), AS_IT_IS)
  stack:expect { "down" }
  equal(told(stack), AS_IT_IS)
end)

test("so is one that came where up was about to make its own; one that up made is formatted", function()
  local stack <close> = stack_of(WITH)
  equal(told(stack), FORMATTED)
  stack:expect { "down", "-v" }
  stack:expect { "up", "--no-start" }
  files.edit_json(stack.state .. "/projects/shop.json", function(record) record.volumes.data.made = nil end)
  equal(told(stack), FORMATTED)
  stack:expect { "down" }
  assert(fs.remove(stack.state .. "/volumes/shop/data.qcow2"))
  put(stack)
  files.edit_json(stack.state .. "/projects/shop.json", function(record) record.volumes.data.made = nil end)
  equal(told(stack), AS_IT_IS)
end)

test("an import is killed as it names something: what is there is as it was imported, or nothing is", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local words, whole = { "volumes", "import", "theirs.qcow2", "data" }, 0
  local points
  do
    local stack <close> = stack_of(WITH)
    points = crash.points_of(stack, RENAMES, function(options) crash.strace(stack, words, options) end)
  end
  ok(#points >= 3, #points)
  for _, point in ipairs(points) do
    local stack <close> = stack_of(WITH)
    local where = ("killed at %s number %d"):format(point.call, point.n)
    equal(crash.run_cut(stack, words, point, "signal=KILL").signal, "KILL", where)
    local is_there = fs.lstat(stack.state .. "/volumes/shop/data.qcow2") ~= nil
    whole = whole + (is_there and 1 or 0)
    equal(told(stack), is_there and AS_IT_IS or FORMATTED, where)
  end
  ok(whole >= 1 and whole < #points, whole)
end)

