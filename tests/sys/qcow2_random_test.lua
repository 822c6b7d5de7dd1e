-- New images and overlays, judged by qemu-img and qemu-io: 40 random ones, 500 with HOLOS_TESTS=all or
-- HOLOS_TEST_FULL=1. HOLOS_TEST_SEED=n makes others.

local qcow2 = require "sys.qcow2"
local disks = require "tests.support.disk_images"
local files = require "tests.support.files"

local CASES = disks.is_full and 500 or 40
local LARGEST_COMPARED_BYTES = 1 << 40       -- comparing walks the whole disk
local SIZES_BYTES = {
  1, 511, 512, 513, 65535, 65536, 65537, 1 << 20, (1 << 29) - 512, 1 << 29, (1 << 29) + 512, 1 << 30, 20 << 30,
  10 << 40, (4 << 40) + 512, 1 << 51,
}
local LETTERS = { "a", "B", "7", " ", ",", ",,", "=", ":", "'", '"', "\\", "%", "é", "日", "😀", "-", "json:", ".." }

local function any(list) return list[math.random(#list)] end

local function random_size()
  if math.random(2) == 1 then return any(SIZES_BYTES) end
  return math.random(1 << math.random(8, 44))
end

local function random_name()
  local name = "n"
  for _ = 1, math.random(20) do name = name .. any(LETTERS) end
  return name
end

-- A directory below `directory` in which a file name of at least ten bytes makes a path of exactly `length` bytes.
local function deep_directory(directory, length)
  while length - #directory > 250 do directory = directory .. "/" .. ("d"):rep(100) end
  return directory
end

local function backing_path(directory)
  if math.random(8) > 1 then return directory .. "/" .. random_name() end
  local deep = deep_directory(directory, 1023)
  files.write(deep .. "/.made", "")
  return deep .. "/" .. ("b"):rep(1023 - #deep - 1)
end

local function sectors(size) return (size + 511) // 512 * 512 end

-- A backing file with something to read at both ends.
local function make_backing(directory, overlay_bytes)
  local format = any { "raw", "qcow2" }
  local size = sectors(any { overlay_bytes, math.max(1, overlay_bytes // 2), overlay_bytes * 2 })
  size = math.min(size, format == "raw" and 1 << 42 or 1 << 50)
  local path = backing_path(directory)
  disks.img("create", "-q", "-f", format, path, tostring(size))
  disks.io(path, format, ("write -P 12 %d 512"):format(size - 512), "write -P 11 0 512")
  return { path = path, format = format, size = size }
end

local function judge_facts(image, size, backing)
  local theirs, ours = disks.facts(image), qcow2.info(image)
  equal({ theirs["virtual-size"], theirs["cluster-size"] }, { sectors(size), 65536 })
  equal({ ours.virtual_bytes, ours.cluster_bytes, ours.version }, { sectors(size), 65536, 3 })
  local wanted = backing and { backing.path, backing.format } or {}
  equal({ theirs["backing-filename"], theirs["backing-filename-format"] }, wanted)
  equal({ ours.backing, ours.backing_format }, wanted)
end

local function judge_contents(image, size, backing)
  if backing and backing.size <= size and size <= LARGEST_COMPARED_BYTES then
    disks.img("compare", "-q", "-f", "qcow2", "-F", backing.format, image, backing.path)
  end
  local at = sectors(math.random(size)) - 512
  disks.io(image, "qcow2", backing and "read -P 11 0 512" or "read -P 0 0 512", ("write -P 77 %d 512"):format(at),
    ("read -P 77 %d 512"):format(at))
  disks.check(image)
end

local function run_case(number)
  disks.need_tools()
  math.randomseed(disks.seed + number)
  local directory, size = tmpdir(), random_size()
  local backing = math.random(3) > 1 and make_backing(directory, size) or nil
  local image = directory .. "/" .. random_name() .. ".qcow2"
  ok(qcow2.create(image, { size_bytes = size, backing = backing and backing.path,
    backing_format = backing and backing.format }))
  judge_facts(image, size, backing)
  judge_contents(image, size, backing)
end

for number = 1, CASES do
  test(("random disk %d of seed %d"):format(number, disks.seed), function() run_case(number) end)
end
