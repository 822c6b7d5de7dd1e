-- A QEMU that is killed while it writes to images that holos has made and grown: qemu-img finds no damage, and what QEMU had
-- called flushed is there. tests/vm/kill_test does the same below a guest.

local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"
local world = require "holos.run.world"

local KILLS = files.environment("HOLOS_TESTS") == "all" and 20 or 5
local BLOCK_BYTES, BLOCKS = 128 << 10, 256
local ROUND_MS = 30000
-- What is written between two flushes may be lost as room, which is no damage: six clusters, and tables.
local LEAKS = 16

local program = world.qemu.find(os.getenv "HOLOS_QEMU_SYSTEM" or "qemu-system-x86_64")

-- QEMU with one disk, opened as holos opens those of its machines.
local function started(file)
  local fd <close> = assert(fs.open(file, { read = true, write = true }))
  local ours, its = world.net.pair()
  local _its <close> = its
  local child = assert(world.launch.prepare { program = program, fds = { [3] = its, [4] = fd }, session = true,
    dies_with_us = true, env = { "PATH=/usr/bin:/bin" }, argv = { "-machine", "none", "-nodefaults", "-display", "none",
      "-chardev", "socket,id=qmp,fd=3", "-mon", "chardev=qmp,mode=control", "-add-fd", "fd=4,set=4",
      "-blockdev", "driver=file,node-name=disk-file,filename=/dev/fdset/4,auto-read-only=off,discard=unmap",
      "-blockdev", '{"driver":"qcow2","node-name":"disk","file":"disk-file","discard":"unmap","backing":null}' } })
  io_wait.go(program, child)
  return child, ours
end

-- Writes blocks in an order of chance, and flushes after each few; `known` has the patterns that may be in a block, or `any`.
local function write_on(session, state)
  local function io(words) session:human("qemu-io disk \"" .. words .. "\"") end
  while true do
    local touched = {}
    for _ = 1, 3 do
      local block, pattern = math.random(0, BLOCKS - 1), math.random(1, 255)
      touched[block] = pattern
      state.known[block] = state.known[block] or { any = true }
      state.known[block][pattern] = true
      io(("write -P %d %d %d"):format(pattern, block * BLOCK_BYTES, BLOCK_BYTES))
    end
    io "flush"
    for block, pattern in pairs(touched) do state.known[block] = { [pattern] = true } end
    state.flushes = state.flushes + 1
  end
end

local function killed_while_it_writes(file, state)
  local child <close>, monitor = started(file)
  local session <close> = qmp.connect(world, monitor, { timeout_ms = ROUND_MS })
  local process <close> = proc.open(child.pid, child.start_time)
  local flushes = state.flushes
  local fine, problem = pcall(task.within, ROUND_MS, task.race, {
    function() write_on(session, state) end,
    function()
      while state.flushes < flushes + 3 do task.wait { at_ms = task.now_ms() + 1 } end
      task.wait { at_ms = task.now_ms() + math.random(0, 40) }
      process:signal("KILL")
      task.event():wait()
    end,
  })
  equal({ fine, problem.code == "EPIPE" or tostring(problem) }, { false, true })
  equal(task.within(ROUND_MS, io_wait.await, child, "try_wait"), { signal = "KILL" })
end

-- A block that was flushed and not written since has one pattern all over; one that was being written has some of those.
local function require_flushed(raw, state)
  for block, patterns in pairs(state.known) do
    local bytes = fs.read_at(raw, block * BLOCK_BYTES, BLOCK_BYTES)
    local pattern = next(patterns)
    if not next(patterns, pattern) then
      ok(bytes == string.char(pattern):rep(BLOCK_BYTES), ("block %d was flushed and is lost"):format(block))
    elseif not patterns.any then
      ok(patterns[bytes:byte(1)], ("block %d begins with %d, which nobody wrote there"):format(block, bytes:byte(1)))
    end
    patterns.any = true
  end
end

test(("QEMU is killed %d times while it writes: the image stays whole, and what was flushed is in it"):format(KILLS), function()
  if not program then skip "no qemu-system-x86_64" end
  local directory = tmpdir()
  local file, raw = directory .. "/disk.qcow2", directory .. "/raw"
  local state = { known = {}, flushes = 0 }
  assert(qcow2.create(file, { size_bytes = BLOCKS * BLOCK_BYTES }))
  local leaked
  for round = 1, KILLS do
    killed_while_it_writes(file, state)
    local checked = run_tool { "qemu-img", "check", "--output=json", file }
    local found = assert(json.decode(checked.stdout, {}))
    equal({ found["check-errors"], found.corruptions }, { 0, nil }, checked.stdout)
    leaked = found.leaks or 0
    assert(qcow2.info(file))
    equal(run_tool({ "qemu-img", "convert", "-O", "raw", file, raw }).status, 0)
    require_flushed(raw, state)
    if round % 3 == 0 then assert(qcow2.grow(file, BLOCKS * BLOCK_BYTES + (round << 20))) end
  end
  ok(leaked <= KILLS * LEAKS, ("%d clusters are taken and not used"):format(leaked))
end, { timeout_ms = 240000 })
