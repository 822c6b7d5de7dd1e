-- holos is killed at any moment: the next command finishes what it began, there is never a second QEMU on a disk, and
-- `down` leaves none behind.
local clock = require "sys.clock"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, depends_on: [db], ports: ["0:80"], stop_grace_period: 1s}
volumes: {data: {size: 64M}}
]]
local ALL = { "pair/db-0", "pair/web-0", "pair/web-1" }
local IS_FULL = files.environment("HOLOS_TESTS") == "all"
local MOMENTS, REAL_MOMENTS = IS_FULL and 50 or 10, IS_FULL and 5 or 2
-- What can be seen from outside when we are gone: files, directories, locks, sockets, processes. `?` = where there is one.
local CHANGES = { "?rename", "renameat", "?renameat2", "mkdirat", "?unlink", "unlinkat", "linkat", "symlinkat", "ftruncate",
  "flock", "bind", "connect", "sendmsg", "sendto", "?fork", "clone", "kill", "pidfd_send_signal", "fsync" }
local SOME_CHANGES = { "renameat", "?fork", "clone" }
local STEP = IS_FULL and 1 or 8

local function new_stack(program)
  local stack = stack_.new { yaml = YAML }
  stack.qemu = program
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return stack
end

--- The instances that live processes of the stack are, whether anybody recorded them or not: twice the same name would be
--- two on a disk. Probes have no name.
local function running(stack)
  local names, program = {}, fs.realpath(stack.qemu)
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and fs.readlink("/proc/" .. pid .. "/exe") == program and proc.identity(pid) then
      local environ = fs.read("/proc/" .. pid .. "/environ", { max_bytes = 1 << 20 }) or "" -- its HOME is in the stack
      local words = fs.read("/proc/" .. pid .. "/cmdline", { max_bytes = 1 << 20 }) or ""
      if environ:find(stack.state, 1, true) then names[#names + 1] = words:match("guest=([^,%z]+)") end
    end
  end
  table.sort(names)
  return names
end

--- A launch that was cut before its QEMU was let go ends by itself: its end of the gate is read as the end of a file.
local function require_no_twins(stack, where)
  local names
  local function twin()
    names = running(stack)
    for i = 2, #names do
      if names[i] == names[i - 1] then return true end
    end
  end
  local fine = pcall(task.within, 5000, function()
    while twin() do task.wait { at_ms = task.now_ms() + 10 } end
  end)
  ok(fine, where .. ": " .. table.concat(names, " "))
end

--- The next up makes the stack whole, the next down takes it away.
local function require_recovery(stack, where)
  require_no_twins(stack, where)
  local up = stack:run { "up", "--detach" }
  equal({ up.status, up.status ~= 0 and up.stderr or "" }, { 0, "" }, where)
  equal(running(stack), ALL, where)
  equal(#stack:pids(), 3, where)
  local down = stack:run { "down", "--timeout", "200ms" } -- firmware does not hear the power button
  equal({ down.status, down.status ~= 0 and down.stderr or "" }, { 0, "" }, where)
  equal(running(stack), {}, where)
end

-- -- random moments ------------------------------------------------------------------------------------------------------

--- Starts `holos up` and kills it after `after_ms`.
local function cut_up(stack, after_ms)
  local child <close> = stack:spawn { "up", "--detach" }
  pcall(task.within, after_ms, task.wait, { fd = child:fileno(), dir = "r" })
  local process <close> = proc.open(child.pid, child.start_time)
  if process then process:signal("KILL") end
  io_wait.await(child, "try_wait")
end

--- How long `up` takes here and now when nobody kills it.
local function length_of_up_ms(program)
  local stack <close> = new_stack(program)
  local begun_ms = clock.monotonic_ms()
  stack:expect { "up", "--detach" }
  local took_ms = clock.monotonic_ms() - begun_ms
  stack:expect { "down", "--timeout", "200ms" }
  return took_ms
end

local function cut_at_random(program, rounds)
  local random, seed, longest_ms = math.random, math.randomseed(), length_of_up_ms(program)
  for round = 1, rounds do
    local stack <close> = new_stack(program)
    local first_ms, second_ms = random(1, longest_ms), random(1, longest_ms)
    local where = ("seed %d, round %d, killed after %d and %d ms"):format(seed, round, first_ms, second_ms)
    cut_up(stack, first_ms)
    require_no_twins(stack, where)
    cut_up(stack, second_ms) -- and what it had to finish is cut too
    require_recovery(stack, where)
  end
end

test(("up is killed at %d random moments, twice each"):format(MOMENTS), function()
  cut_at_random(fake_qemu.install {}, MOMENTS)
end, { timeout_ms = 300000 })

test(("up is killed at %d random moments while it starts real QEMUs"):format(REAL_MOMENTS), function()
  cut_at_random(tool.find("qemu-system-" .. host.architecture()) or skip("no QEMU here"), REAL_MOMENTS)
end, { timeout_ms = 300000 })

-- -- each call -----------------------------------------------------------------------------------------------------------

--- Kills `holos WORDS` as it enters `call` for the n-th time; false when it does not do so that often.
---@param ends integer[]?  how it may end when it is not killed; 0 unless given
local function cut_at_call(stack, words, call, n, ends)
  local env = stack:environment()
  env[#env + 1] = "ASAN_OPTIONS=detect_leaks=0"
  local result = tool.run({ "strace", "-o", "/dev/null", "-e", "trace=" .. call, "-e",
    ("inject=%s:signal=KILL:when=%d"):format(call, n), host.executable(), table.unpack(words) },
    { directory = stack.directory, env = env })
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  if result.signal == "KILL" then return true end
  ok(result.status == 0 or ends and ends[1] == result.status, result.stderr)
  return false
end

--- Kills `holos WORDS` at each call that changes something, each time in a new stack. `prepare(stack)` comes before,
--- `judge(stack, where, round)` afterwards.
local function sweep(words, prepare, judge, ends)
  if not tool.find "strace" then skip "strace is not installed" end
  local program, rounds = fake_qemu.install {}, 0
  for _, call in ipairs(IS_FULL and CHANGES or SOME_CHANGES) do
    local n, was_cut = 1, true
    while was_cut do
      local stack <close> = new_stack(program)
      prepare(stack)
      was_cut = cut_at_call(stack, words, call, n, ends)
      local where = ("killed at %s number %d"):format(call, n)
      require_no_twins(stack, where)
      judge(stack, where, rounds)
      equal(running(stack), {}, where)
      n, rounds = n + STEP, rounds + (was_cut and 1 or 0)
    end
  end
  ok(rounds > (IS_FULL and 10 or 0), "there are such calls")
end

--- Root disks in the trash: what was taken away is all there.
local function disks_in_trash(stack)
  return #files.below(stack.state .. "/trash", "/root%.qcow2$")
end

local SWEEP = { timeout_ms = 900000 }

test("up is killed as it enters each call that changes something", function()
  sweep({ "up", "--detach" }, function() end, require_recovery)
end, SWEEP)

test("down is killed as it enters each call that changes something; then comes another down, or an up", function()
  sweep({ "down" }, function(stack) stack:expect { "up", "-d" } end, function(stack, where, round)
    if round % 2 == 0 then require_recovery(stack, where) end
    local down = stack:run { "down" }
    ok(down.status == 0 or round % 2 == 0, where .. down.stderr)
    ok(disks_in_trash(stack) >= 3, where)
    ok(fs.stat(stack.state .. "/volumes/pair/data.qcow2"), where)
  end)
end, SWEEP)

test("down --volumes is killed as it enters each call that changes something; an up makes all anew", function()
  sweep({ "down", "--volumes" }, function(stack) stack:expect { "up", "-d" } end, require_recovery)
end, SWEEP)

--- The pair as it was, but for db's image or first steps.
local function changed(stack, from, to)
  stack:expect { "up", "-d" }
  assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 1 << 20 }))
  stack:write((YAML:gsub("db: {" .. from, "db: {" .. to)))
end

--- What db's disk was made from, where it stands now.
local function base_of_db(stack)
  local info = qcow2.info(stack.state .. "/instances/pair/db-0/root.qcow2")
  return info and info.backing:match("[^/]+$")
end

test("up --recreate is killed as it enters each call that changes something: the next up makes the new disk, or asks", function()
  sweep({ "up", "--detach", "--recreate" }, function(stack) changed(stack, "image: ./image", "image: ./other") end,
    function(stack, where)
      local next_up = stack:run { "up", "--detach" }
      ok(next_up.status == 0 or next_up.status == 3 and base_of_db(stack) == "image.qcow2", where .. next_up.stderr)
      if next_up.status == 3 then stack:expect { "up", "--detach", "--recreate=db" } end
      equal({ base_of_db(stack), running(stack) }, { "other.qcow2", ALL }, where)
      equal(#files.below(stack.state .. "/trash", "/db%-0/root%.qcow2$"), 1, where .. ": the old disk")
      require_recovery(stack, where)
    end)
end, SWEEP)

test("up --recreate is killed as it puts the old disk back: the next command finishes that", function()
  sweep({ "up", "--recreate", "--wait-timeout", "100ms" }, function(stack)
    changed(stack, "image: ./image", "image: ./other")
    fake_qemu.set(stack.qemu, { "db-0: fail=no such machine" })
  end, function(stack, where)
    fake_qemu.set(stack.qemu, {})
    stack:write(YAML)
    local next_up = stack:run { "up", "--detach" }
    if next_up.status == 3 then next_up = stack:run { "up", "--detach", "--recreate=db" } end -- the new one was begun with
    equal({ next_up.status, base_of_db(stack) }, { 0, "image.qcow2" }, where .. next_up.stderr)
    require_recovery(stack, where)
  end, { 1 })
end, SWEEP)

test("scale is killed as it enters each call that changes something: the next one gives what it was to give", function()
  local ONE = { "scale", "-d", "web=1" }
  sweep({ "scale", "-d", "web=3" }, function(stack) stack:expect { "up", "-d" } end, function(stack, where, round)
    local words = round % 2 == 0 and { "scale", "-d", "web=3" } or ONE
    local again = stack:run(words)
    local wanted = { "pair/db-0", "pair/web-0", table.unpack(words == ONE and {} or { "pair/web-1", "pair/web-2" }) }
    equal({ again.status, running(stack) }, { 0, wanted }, where .. again.stderr)
    require_recovery(stack, where)
  end)
end, SWEEP)

test("up that changes ports of what runs is killed as it enters each call that changes something: the next up finishes it",
  function()
    sweep({ "up", "--detach" }, function(stack)
      stack:expect { "up", "-d" }
      stack:write((YAML:gsub('"0:80"', '"0:81", "0:80"')))
    end, function(stack, where)
      local before = stack:pids()
      local next_up = stack:run { "up", "--detach" }
      equal({ next_up.status, stack:pids() }, { 0, before }, where .. next_up.stderr)
      for _, name in ipairs { "web-0", "web-1" } do equal(#stack:ps()[name].ports, 2, where) end
      equal(stack:run({ "plan", "--exit-code" }).status, 0, where)
      require_recovery(stack, where)
    end)
  end, SWEEP)

test("up --reprovision is killed as it enters each call that changes something: the next up runs the steps, or asks", function()
  sweep({ "up", "--detach", "--reprovision" }, function(stack) changed(stack, "", 'cloud_init: {runcmd: ["true"]}, ') end,
    function(stack, where)
      local next_up = stack:run { "up", "--detach" }
      if next_up.status == 3 then next_up = stack:run { "up", "--detach", "--reprovision=db" } end
      equal({ next_up.status, disks_in_trash(stack) }, { 0, 0 }, where .. next_up.stderr)
      equal(stack:run({ "plan", "--exit-code" }).status, 0, where)
      require_recovery(stack, where)
    end)
end, SWEEP)

test("trash restore is killed as it enters each call that changes something; another one finishes it", function()
  sweep({ "trash", "restore", "pair" }, function(stack)
    stack:expect { "up", "-d" }
    stack:expect { "down", "--volumes" }
  end, function(stack, where)
    local again = stack:run { "trash", "restore", "pair" }
    ok(again.status == 0 or again.stderr:find("the trash holds nothing of pair", 1, true), where .. ": " .. again.stderr)
    equal(disks_in_trash(stack), 0, where)
    local start = stack:run { "start", "-p", "pair" }
    equal({ start.status, running(stack) }, { 0, ALL }, where .. ": " .. start.stderr)
    equal(stack:run({ "down" }).status, 0, where)
  end)
end, SWEEP)
