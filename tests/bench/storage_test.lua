--- What options of QEMU's disks cost and bring, on a real guest with a disk for each: figures for docs/storage.md, of one
--- machine, compared with each other and never asserted. Not part of `make bench`: a guest that writes for minutes.

local fs = require "sys.fs"
local stack_ = require "tests.support.stack"

-- Beside holos' own: a disk of its own for each, in the order of the table.
local VARIANTS = {
  { "as holos has it", file = "discard=unmap", format = "discard=unmap" },
  { "cache none, threads", file = "discard=unmap,cache.direct=on", format = "discard=unmap,cache.direct=on" },
  { "cache none, aio=native", file = "discard=unmap,cache.direct=on,aio=native", format = "discard=unmap,cache.direct=on" },
  { "aio=io_uring", file = "discard=unmap,aio=io_uring", format = "discard=unmap" },
  { "iothread", file = "discard=unmap", format = "discard=unmap", device = ",iothread=worker" },
  { "detect-zeroes=unmap", file = "discard=unmap", format = "discard=unmap,detect-zeroes=unmap" },
  { "no discard", file = "discard=ignore", format = "discard=ignore" },
  { "write-through", file = "discard=unmap", format = "discard=unmap", device = ",write-cache=off" },
  { "unsafe (no flush)", file = "discard=unmap,cache.no-flush=on", format = "discard=unmap,cache.no-flush=on" },
}

local YAML = [[
name: storage
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 512, extra_args: [%s], allow_paths: [%s]}
]]

-- Seconds for 64 MiB in a row, for 100 blocks of 4 KiB that are each flushed, and to read the 64 MiB again.
local SCRIPT = [[
set -e
for disk in /sys/block/vd*; do [ "$(cat $disk/serial)" = %s ] && device=/dev/${disk##*/}; done
[ -e /tmp/random ] || dd if=/dev/urandom of=/tmp/random bs=1M count=16 2>/dev/null
mke2fs -q -F -t ext4 $device >/dev/null; mkdir -p /mnt; mount $device /mnt
now() { read -r up rest </proc/uptime; echo "$up"; }
a=$(now); for i in 1 2 3 4; do dd if=/tmp/random of=/mnt/row bs=1M seek=$(((i - 1) * 16)) conv=notrunc 2>/dev/null; done; sync
b=$(now); i=0
while [ $i -lt 100 ]; do
    dd if=/tmp/random of=/mnt/blocks bs=4k count=1 seek=$((i * 37 %% 100)) conv=notrunc,fsync 2>/dev/null; i=$((i + 1))
done
c=$(now); umount /mnt; echo 3 >/proc/sys/vm/drop_caches; mount $device /mnt; d=$(now); cat /mnt/row >/dev/null; e=$(now)
echo "$a $b $c $d $e"
]]
local ZEROS = "dd if=/dev/zero of=/mnt/zeros bs=1M count=64 2>/dev/null; sync"
local REMOVE = "rm /mnt/row /mnt/zeros; sync; fstrim /mnt; sync; umount /mnt"

local function guest(stack, script) return stack:expect { "exec", "vm", "--", "sh", "-c", script }.stdout end

local function arguments(directory)
  local words, paths = { '"-object"', '"iothread,id=worker"' }, {}
  local function add(...) for _, word in ipairs { ... } do words[#words + 1] = ('"%s"'):format(word) end end
  for i, variant in ipairs(VARIANTS) do
    local path = ("%s/disk-%d.qcow2"):format(directory, i)
    paths[i] = ('"%s"'):format(path)
    add("-blockdev", ("driver=file,node-name=x%d-file,filename=%s,%s"):format(i, path, variant.file))
    add("-blockdev", ("driver=qcow2,node-name=x%d,file=x%d-file,%s"):format(i, i, variant.format))
    add("-device", ("virtio-blk-pci,drive=x%d,serial=x%d%s"):format(i, i, variant.device or ""))
  end
  return table.concat(words, ", "), table.concat(paths, ", ")
end

local function mib_of(file) return assert(fs.stat(file)).allocated_bytes / 1048576 end

local function measure(stack, i, variant)
  local file = ("%s/disk-%d.qcow2"):format(stack.directory, i)
  local a, b, c, d, e = guest(stack, SCRIPT:format("x" .. i)):match("(%S+) (%S+) (%S+) (%S+) (%S+)")
  local before = mib_of(file)
  guest(stack, ZEROS)
  local with_zeros = mib_of(file)
  guest(stack, REMOVE)
  print(("%-24s %7.2f s %9.1f ms %8.2f s %9.0f MiB %9.0f MiB"):format(variant[1], b - a, (c - b) * 10, e - d, with_zeros - before,
    mib_of(file)))
end

test("options of disks", function()
  local stack <close> = stack_.new { yaml = "name: storage\n", image = stack_.image("tiny") }
  for i = 1, #VARIANTS do
    local file = ("%s/disk-%d.qcow2"):format(stack.directory, i)
    assert(require("sys.qcow2").create(file, { size_bytes = 1 << 30 }))
    assert(fs.chmod(file, tonumber("666", 8)))
  end
  assert(fs.chmod(stack.directory, tonumber("755", 8)))
  stack:write(YAML:format(arguments(stack.directory)))
  stack:expect { "up" }
  print(("%-24s %9s %12s %10s %13s %13s"):format("", "64 MiB", "a flushed 4k", "read again", "64 MiB zeros", "after rm+trim"))
  for i, variant in ipairs(VARIANTS) do measure(stack, i, variant) end
end, { timeout_ms = 1200000 })
