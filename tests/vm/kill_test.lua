-- QEMU is killed while a real guest writes to its volume: qemu-img finds no damage, the guest's file system comes back, and
-- whatever the guest was told to be on the disk is there.
local files = require "tests.support.files"
local json = require "sys.json"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local KILLS = 20

if files.environment("HOLOS_TESTS") ~= "all" then
  skip(("only with HOLOS_TESTS=all: a guest that starts %d times; sys/qcow2_kill_test has the same without a guest"):format(KILLS))
end

-- The guest writes files of many sizes over and over, each followed by its number in a list; once both are on the disk, the
-- number goes to the console.
local YAML = [[
name: kill
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    volumes: ["data:/data"]
    cloud_init:
      write_files:
        - path: /root/write
          permissions: "0755"
          content: |
            #!/bin/sh
            n=$$(tail -n 1 /data/list 2>/dev/null || echo 0)
            while :; do
                n=$$((n + 1))
                dd if=/dev/urandom of=/data/file-$$((n % 13)) bs=7k count=$$((n * 7 % 23 + 1)) conv=fsync 2>/dev/null
                echo $$n >>/data/list
                sync
                echo "written $$n" >/dev/console
            done
volumes: {data: {size: 64M}}
]]

local PATIENCE_MS = 240000

local function last_written(stack)
  local last
  for number in (files.read(stack.state .. "/instances/kill/vm-0/console.log") or ""):gmatch("written (%d+)\r?\n") do
    last = math.tointeger(tonumber(number))
  end
  return last or 0
end

local function guest(stack, script) return stack:expect({ "exec", "vm", "--", "sh", "-c", script }).stdout end

-- Kills QEMU at a moment of chance while the guest writes.
---@return integer last  number that the guest was told to be on the disk
local function killed(stack)
  local before, pid = last_written(stack), stack:ps()["vm-0"].pid
  guest(stack, "setsid /root/write </dev/null >/dev/null 2>&1 &")
  stack:eventually("the guest writes", function() return last_written(stack) >= before + 3 end, PATIENCE_MS)
  task.wait { at_ms = task.now_ms() + math.random(0, 400) }
  local process <close> = assert(proc.open(pid, proc.identity(pid).start_time))
  process:signal("KILL")
  task.wait { process = process }
  return last_written(stack)
end

local function is_whole(disk)
  local found = assert(json.decode(run_tool({ "qemu-img", "check", "--output=json", disk }).stdout, {}))
  equal({ found["check-errors"], found.corruptions }, { 0, nil }, disk)
  return found.leaks or 0
end

test(("QEMU is killed %d times while a guest writes: disks stay whole, and what was written is there"):format(KILLS), function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  stack:expect { "up" }
  for _ = 1, KILLS do
    local last = killed(stack)
    for _, disk in ipairs { "/volumes/kill/data.qcow2", "/instances/kill/vm-0/root.qcow2" } do is_whole(stack.state .. disk) end
    stack:expect { "start" }
    local list = math.tointeger(tonumber((guest(stack, "tail -n 1 /data/list"))))
    ok(list >= last, ("the guest had written %d, and %d is the last"):format(last, list))
    equal(guest(stack, "dmesg | grep -e 'EXT4-fs error' -e 'I/O error' || true"), "")
  end
end, { timeout_ms = 1800000 })
