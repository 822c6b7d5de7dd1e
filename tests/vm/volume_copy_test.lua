-- The volume of a real guest is copied while the guest writes to it: another guest finds all in it that was on the disk when
-- the copy began. A copy that runs out of room holds nobody up.
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

-- The first guest writes files without end, each with its sum in a list once it is on the disk.
local YAML = [[
name: copy
services:
  first:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    volumes: ["data:/data"]
    cloud_init:
      write_files:
        - path: /root/write
          permissions: "0755"
          content: |
            #!/bin/sh
            n=0
            while [ -e /root/go ]; do
                n=$$((n + 1))
                dd if=/dev/urandom of=/data/file-$$n bs=5k count=$$((n * 7 % 11 + 1)) conv=fsync 2>/dev/null
                (cd /data && sha256sum file-$$n) >>/data/sums
                sync
            done
            touch /root/ended
  second:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    volumes: ["copy:/data"]
volumes: {data: {size: 128M}, copy: {}}
]]

local PATIENCE_MS = 240000

local function guest(stack, name, script) return stack:expect({ "exec", name, "--", "sh", "-c", script }).stdout end

local function lines_of(stack) return math.tointeger(tonumber((guest(stack, "first", "cat /data/sums 2>/dev/null | wc -l")))) end

-- Two copies: exported and imported again, and cloned. The second guest gets the one, a tool looks at both.
local function copied_while_it_writes(stack)
  guest(stack, "first", "touch /root/go; setsid /root/write </dev/null >/dev/null 2>&1 &")
  stack:eventually("it writes", function() return lines_of(stack) >= 5 end, PATIENCE_MS)
  local before = lines_of(stack)
  stack:expect { "volumes", "export", "data", "out.qcow2", "--limit-rate", "16M" }
  stack:expect { "volumes", "clone", "data", "clone" }
  local after = lines_of(stack)
  stack:expect { "volumes", "rm", "copy" }  -- the blank one that up has made
  stack:expect { "volumes", "import", "out.qcow2", "copy" }
  stack:expect { "up", "second" }
  local lines = math.tointeger(tonumber((guest(stack, "second", "cat /data/sums | wc -l"))))
  ok(lines >= before and lines <= after, ("%d files before, %d in the copy, %d after"):format(before, lines, after))
  local wrong = guest(stack, "second", "cd /data && sha256sum -c sums 2>&1 | grep -v ': OK$' || true")
  equal(wrong, "")
  equal(run_tool({ "qemu-img", "check", "-q", stack.state .. "/volumes/copy/clone.qcow2" }).status, 0)
  guest(stack, "first", "rm /root/go")
  stack:eventually("it ends", function() return stack:run({ "exec", "first", "--", "test", "-e", "/root/ended" }).status == 0 end,
    PATIENCE_MS)
  guest(stack, "first", "cd /data && sha256sum -c sums >/dev/null")
end

local function mounted(directory)
  assert(fs.mkdir_all(directory))
  if run_tool({ "mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", directory }).status ~= 0 then return nil end
  return setmetatable({}, { __close = function() run_tool({ "umount", directory }) end })
end

-- What the guest overwrites is to be copied first, and there is no room for that any more.
local function runs_out_of_room(stack)
  local directory = stack.directory .. "/small"
  local _mounted <close> = mounted(directory)
  if not _mounted then return end
  guest(stack, "first", "dd if=/dev/urandom of=/data/big bs=1M count=32 conv=fsync 2>/dev/null")
  local child <close> = stack:spawn { "volumes", "export", "data", "small/out.qcow2", "--limit-rate", "256K" }
  stack:eventually("it copies", function()
    local entry = fs.list(directory)[1]
    return entry and fs.stat(directory .. "/" .. entry.name).allocated_bytes > 1 << 20
  end, PATIENCE_MS)
  run_tool { "dd", "if=/dev/zero", "of=" .. directory .. "/full", "bs=64k" }
  guest(stack, "first", "dd if=/dev/urandom of=/data/big bs=1M count=32 conv=notrunc,fsync 2>/dev/null")
  guest(stack, "first", "sha256sum /data/big >/root/big")
  equal(task.within(PATIENCE_MS, io_wait.await, child, "try_wait"), { exit = 1 })
  equal(fs.stat(directory .. "/out.qcow2"), nil)
  equal(stack:ps()["first-0"].state, "provisioned")
  guest(stack, "first", "echo 3 >/proc/sys/vm/drop_caches; sha256sum -c /root/big >/dev/null")
  equal(guest(stack, "first", "dmesg | grep -e 'I/O error' -e 'EXT4-fs error' || true"), "")
end

test("a volume is copied while its guest writes; a copy without room fails, and the guest goes on", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up", "first" }
  copied_while_it_writes(stack)
  if host.uid() == 0 then runs_out_of_room(stack) end -- only root can mount a small file system
end, { timeout_ms = 1200000 })
