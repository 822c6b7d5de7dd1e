-- QEMU is killed while a real guest writes to its volume: qemu-img finds no damage, the guest's file system comes back, and
-- whatever the guest was told to be on the disk is there.
local files = require "tests.support.files"
local full_guest = require "tests.support.full_guest"
local json = require "sys.json"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"

local KILLS = 20
local KEPT = 13 -- files at a time

-- The guest writes files of many sizes, each named by its number and its sum once it is on the disk, removes old ones, and gives
-- back their room. Once a file is there under its name, its number goes to the console.
local YAML = [[
name: kill
services:
  vm:
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
            set -e; cd /data
            n=$$(ls | grep -e - | sort -n | tail -n 1)
            n=$$(($${n%%-*} + 0))
            while :; do
                n=$$((n + 1))
                dd if=/dev/urandom of=new bs=14k count=$$((n * 7 % 23 + 1)) conv=fsync 2>/dev/null
                sum=$$(sha256sum <new)
                mv new $$n-$${sum%% *}
                rm -f ./$$((n - KEPT))-*
                [ $$((n % 5)) != 0 ] || fstrim /data
                sync
                echo "written $$n" >/dev/console
            done
volumes: {data: {size: 64M}}
]]

-- The numbers that are there, and the names of files that are not what they were.
local LOOK = [[
cd /data
for file in *-*; do
    sum=$(sha256sum <$file)
    if [ "${sum%% *}" = "${file#*-}" ]; then echo "${file%%-*}"; else echo "$file is damaged"; fi
done
dmesg | grep -e 'EXT4-fs error' -e 'I/O error'
true
]]

local PATIENCE_MS = 240000
local DISKS = { "/volumes/kill/data.qcow2", "/instances/kill/vm-0/root.qcow2" }

local function guest(stack, script) return stack:expect({ "exec", "vm", "--", "sh", "-c", script }).stdout end

local function last_written(stack)
  local last
  for number in (files.read(stack.state .. "/instances/kill/vm-0/console.log") or ""):gmatch("written (%d+)\r?\n") do
    last = math.tointeger(tonumber(number))
  end
  return last or 0
end

-- Kills QEMU at a moment of chance while the guest writes.
---@param before integer  number of the last file
---@return integer last   number of the last one that the guest was told to be on the disk
local function killed(stack, before)
  local pid = stack:ps()["vm-0"].pid
  guest(stack, "setsid /root/write </dev/null >/dev/null 2>&1 &")
  stack:eventually("the guest writes", function() return last_written(stack) >= before + 3 end, PATIENCE_MS)
  task.wait { at_ms = task.now_ms() + math.random(0, 400) }
  local process <close> = assert(proc.open(pid, proc.identity(pid).start_time))
  process:signal("KILL")
  task.wait { process = process }
  return last_written(stack)
end

-- Fails when there is damage; gives the clusters that are taken and not used, which cost room and nothing else.
local function leaks_of(disk)
  local found = assert(json.decode(run_tool({ "qemu-img", "check", "--output=json", disk }).stdout, {}))
  equal({ found["check-errors"], found.corruptions }, { 0, nil }, disk)
  return found.leaks or 0
end

local function leaks(stack)
  local sum = 0
  for _, disk in ipairs(DISKS) do sum = sum + leaks_of(stack.state .. disk) end
  return sum
end

-- All files are whole, and none is missing.
---@return integer last  number of the last file
local function look(stack, told)
  local numbers, last = {}, 0
  for line in guest(stack, LOOK):gmatch("[^\n]+") do
    local number = math.tointeger(tonumber(line))
    ok(number, line)
    numbers[number], last = true, math.max(last, number)
  end
  ok(last >= told, ("the guest was told that %d is on the disk, and %d is the last"):format(told, last))
  for number = math.max(1, last - KEPT + 1), last do ok(numbers[number], ("file %d of %d is gone"):format(number, last)) end
  return last
end

test(("QEMU is killed %d times while a guest writes: disks stay whole, and what was written is there"):format(KILLS), function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = YAML:gsub("KEPT", KEPT), image = stack_.image("tiny") }
  stack:expect { "up" }
  local last = 0
  for _ = 1, KILLS do
    local told = killed(stack, last)
    leaks(stack)
    stack:expect { "start" }
    last = look(stack, told)
  end
  stack:expect { "stop" }
  local leaked = leaks(stack)
  print(("%d files written, %d kills, %d clusters taken and not used"):format(last, KILLS, leaked))
  for _, disk in ipairs(DISKS) do run_tool { "qemu-img", "check", "-q", "-r", "leaks", stack.state .. disk } end
  equal(leaks(stack), 0)
end, { timeout_ms = 1800000 })
