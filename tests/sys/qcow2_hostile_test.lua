-- Images made to mislead or damaged: our parser refuses them, or tells what lua/image/check.lua refuses them for.

local check = require "holos.image.check"
local qcow2 = require "sys.qcow2"
local disks = require "tests.support.disk_images"
local files = require "tests.support.files"

local CLUSTER_BYTES = 65536
local BACKING_FORMAT, DATA_FILE = 0xE2792ACA, 0x44415441
local MUTATIONS = disks.is_full and 4000 or 400

local function entries(...) return string.pack((">" .. ("I8"):rep(select("#", ...))), ...) end

-- name, changes to a good image (or its bytes), and what the refusal says
local REFUSED_BY_PARSER = {
  { "an empty file", "", "not a qcow2 image", "ENOTQCOW2" },
  { "text", "#!/bin/sh\n", "not a qcow2 image", "ENOTQCOW2" },
  { "the magic alone", "QFI\xfb", "cut off after 4 bytes" },
  { "a version 1 header", { version = 1 }, "qcow version 1" },
  { "version 4", { version = 4 }, "qcow version 4" },
  { "cluster_bits 0", { cluster_bits = 0 }, "cluster_bits 0" },
  { "cluster_bits 63", { cluster_bits = 63 }, "cluster_bits 63" },
  { "cluster_bits 22", { cluster_bits = 22 }, "cluster_bits 22" },
  { "cluster_bits 2^32-1", { cluster_bits = 0xFFFFFFFF }, "cluster_bits 4294967295" },
  { "a header length past the end", { header_length = 1 << 20 }, "header_length 1048576" },
  { "a header length of 2^32-8", { header_length = 0xFFFFFFF8 }, "header_length 4294967288" },
  { "a header length below the fields", { header_length = 72 }, "header_length 72" },
  { "an odd header length", { header_length = 105 }, "header_length 105" },
  { "a size of 2^63", { size = 1 << 63 }, "above 2^63" },
  { "a size of 2^64-1", { size = -1 }, "above 2^63" },
  { "a size that the L1 table cannot hold", { size = 1 << 40 }, "L1 table of 2 entries is too small" },
  { "a huge L1 table", { l1_size = 0xFFFFFFFF }, "L1 table of 4294967295 entries" },
  { "an L1 table past the end", { l1_offset = 1 << 40 }, "L1 table at 1099511627776 is not in the file" },
  { "an L1 table that wraps around", { l1_offset = -CLUSTER_BYTES }, "is not in the file" },
  { "an L1 table in the header", { l1_offset = 0 }, "L1 table at 0" },
  { "an L1 table between clusters", { l1_offset = CLUSTER_BYTES + 8 }, "L1 table at 65544" },
  { "an L1 table that ends past the end", { l1_size = 8193 }, "L1 table at 196608" },
  { "an L1 table in the refcount table", { l1_offset = CLUSTER_BYTES }, "overlap" },
  { "an L1 entry past the end", { l1 = entries(1 << 40) }, "past the end of the file" },
  { "an L1 entry that leads to the L1 table", { l1 = entries(3 * CLUSTER_BYTES) }, "leads into a table" },
  { "an L1 entry with reserved bits", { l1 = entries(2 * CLUSTER_BYTES | 1) }, "entry 0 of the L1 table is damaged" },
  { "an L1 entry between clusters", { l1 = entries(0, 0x20200) }, "entry 1 of the L1 table is damaged" },
  { "a refcount table past the end", { refcount_offset = 1 << 50 }, "refcount table at" },
  { "a refcount table of no clusters", { refcount_clusters = 0 }, "refcount table of 0 clusters" },
  { "a refcount table of 2^32-1 clusters", { refcount_clusters = 0xFFFFFFFF }, "refcount table of 4294967295" },
  { "a refcount table that leads to itself", { refcount_table = entries(CLUSTER_BYTES) }, "leads into a table" },
  { "a refcount block past the end", { refcount_table = entries(1 << 30) }, "past the end of the file" },
  { "refcounts of 2^63 bits", { refcount_order = 63 }, "refcount_order 63" },
  { "65537 snapshots", { snapshots = 65537, snapshots_offset = CLUSTER_BYTES }, "65537 snapshots" },
  { "snapshots past the end", { snapshots = 1, snapshots_offset = 1 << 40 }, "snapshot table at" },
  { "snapshots of nonsense", { snapshots = 9, snapshots_offset = CLUSTER_BYTES, refcount_table = ("\xff"):rep(4096) },
    "damaged" },
  { "a snapshot with an L1 table past the end", { snapshots = 1, snapshots_offset = 2 * CLUSTER_BYTES,
    l1_offset = 3 * CLUSTER_BYTES }, "snapshot 0 is damaged" },
  { "encryption method 9", { encryption = 9 }, "encryption method 9" },
  { "a compression type without its feature bit", { header_length = 112, extensions = "\1" .. ("\0"):rep(7) },
    "compression type 1" },
  { "extended L2 entries in small clusters", { incompatible = 16, cluster_bits = 12, l1_size = 2048 }, "extended L2" },
  { "a backing name past the cluster", { backing_offset = CLUSTER_BYTES - 4, backing_size = 8 }, "backing file name" },
  { "a backing name of 2^32-1 bytes", { backing_offset = 200, backing_size = 0xFFFFFFFF }, "backing file name" },
  { "a backing name of 1024 bytes", { backing_offset = 200, backing_size = 1024 }, "backing file name" },
  { "a backing name in the header", { backing_offset = 8, backing_size = 8 }, "backing file name" },
  { "a backing name with a NUL", { backing = "/a\0b" }, "NUL" },
  { "an extension past the cluster", { extensions = string.pack(">I4I4", 7, 0xFFFFFFFF) }, "extension 0x7" },
  { "an extension into the backing name", { extensions = string.pack(">I4I4", 7, 64), backing = "/x" },
    "extension 0x7" },
  { "a backing format of 16 bytes", { extensions = disks.extension(BACKING_FORMAT, ("q"):rep(16)) }, "not a name" },
}

local REFUSED_BY_POLICY = {
  { "a backing file", { backing = "/etc/shadow" }, "has the backing file /etc/shadow" },
  { "a backing file with its format", { backing = "/etc/shadow", extensions = disks.extension(BACKING_FORMAT, "raw") },
    "has the backing file /etc/shadow" },
  { "a json: backing file", { backing = '{"driver":"raw"}' }, "has the backing file {" },
  { "a data file", { incompatible = 4, extensions = disks.extension(DATA_FILE, "/etc/shadow") }, "(/etc/shadow)" },
  { "a data file without a name", { incompatible = 4 }, "(not named)" },
  { "AES", { encryption = 1 }, "is encrypted (aes)" },
  { "LUKS", { encryption = 2 }, "is encrypted (luks)" },
  { "unknown features", { incompatible = 0x8000000000000020 }, "bits 0x8000000000000020" },
  { "the corrupt bit", { incompatible = 2 }, "is marked corrupt" },
}

local function write(directory, image)
  local file = directory .. "/image.qcow2"
  files.write(file, type(image) == "string" and image or disks.forge(image))
  return file
end

test("a good image made by hand is accepted, by us and by QEMU", function()
  local file = write(tmpdir(), {})
  local info = qcow2.info(file)
  equal({ info.virtual_bytes, info.cluster_bytes, info.snapshots, info.encrypted, info.dirty },
    { 1 << 30, 65536, 0, false, false })
  equal(check.base(info, file, "qcow2"), nil)
  ok(qcow2.grow(file, 2 << 30))
  disks.need_tools()
  disks.check(file)
end)

for _, case in ipairs(REFUSED_BY_PARSER) do
  test("refused by the parser: " .. case[1], function()
    local file = write(tmpdir(), case[2])
    local info, message, code = qcow2.info(file)
    equal({ info, code }, { nil, case[4] or "EINVAL" })
    ok(message:find(file .. ": ", 1, true) and message:find(case[3], 1, true), message)
    ok(check.base(info, file, "qcow2", code, message))
    equal(select(3, qcow2.grow(file, 1 << 40)), code)
  end)
end

for _, case in ipairs(REFUSED_BY_POLICY) do
  test("refused as a base: " .. case[1], function()
    local file = write(tmpdir(), case[2])
    local before = files.read(file)
    local info, message = qcow2.info(file)
    ok(info, message)
    local complaint = check.base(info, file, "qcow2")
    ok(complaint and complaint:find(case[3], 1, true), complaint)
    if case[2].backing then return end
    equal(select(3, qcow2.grow(file, 2 << 30)), "EOPNOTSUPP")
    ok(files.read(file) == before, "the image was changed")
  end)
end

test("an image that was cut short is refused", function()
  disks.need_tools()
  local directory = tmpdir()
  disks.img("create", "-q", "-f", "qcow2", directory .. "/whole", "64M")
  disks.io(directory .. "/whole", "qcow2", "write -P 5 0 8M")
  local whole = files.read(directory .. "/whole")
  ok(qcow2.info(directory .. "/whole"))
  for _, length in ipairs { 3, 71, 100, 104, 65535, 65536, 131072, 196608, 262000 } do
    local info, message = qcow2.info(write(directory, whole:sub(1, length)))
    ok(not info, "cut after " .. length .. " bytes it was accepted")
    ok(message:find("cut", 1, true) or message:find("not in the file", 1, true) or length < 4
      or message:find("header_length", 1, true), message)
  end
end)

test("directories, devices and fifos are not opened as images", function()
  local directory = tmpdir()
  run_tool { "mkfifo", directory .. "/fifo" }
  for _, path in ipairs { directory, "/dev/null", directory .. "/fifo" } do
    equal(select(3, qcow2.info(path)), "EINVAL")
    ok(select(3, qcow2.grow(path, 512)))
  end
  equal(select(3, qcow2.info(directory .. "/missing")), "ENOENT")
end)

local function mutate(bytes)
  for _ = 1, math.random(3) do
    local at = math.random(math.random(2) == 1 and 112 or 1200)
    bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
  end
  return bytes
end

-- Whatever we accept and QEMU accepts as well, we read as QEMU does.
local function compare_with_qemu(file, info)
  local result = run_tool { "qemu-img", "info", "-f", "qcow2", "--output=json", file }
  if result.status ~= 0 then return end
  local theirs = require("sys.json").decode(result.stdout)
  equal(info.cluster_bytes, theirs["cluster-size"])
  equal((info.virtual_bytes + 511) // 512 * 512, (theirs["virtual-size"] + 511) // 512 * 512)
  equal(info.backing, theirs["backing-filename"])
  equal(#(theirs.snapshots or {}), info.snapshots)
  equal(info.encrypted, theirs.encrypted or false)
end

test(("%d mutated headers of seed %d are refused or read as QEMU reads them"):format(MUTATIONS, disks.seed), function()
  disks.need_tools()
  math.randomseed(disks.seed)
  local directory = tmpdir()
  local overlay = disks.forge { backing = "/some/backing file", extensions = disks.extension(BACKING_FORMAT, "raw") }
  local seeds, accepted = { disks.forge {}, overlay }, 0
  for number = 1, MUTATIONS do
    local file = write(directory, mutate(seeds[number % 2 + 1]))
    local info, _, code = qcow2.info(file)
    ok(info or code == "EINVAL" or code == "ENOTQCOW2", code)
    accepted = accepted + (info and 1 or 0)
    if info and accepted % 10 == 0 then compare_with_qemu(file, info) end
  end
  ok(accepted > MUTATIONS / 20, "only " .. accepted .. " were accepted")
end, { timeout_ms = 600000 })
