--- make bench: what holos itself costs, on the stand-in for QEMU and beside a bare loop on the real one. Figures of
--- one run on one machine: they are compared with each other, never asserted.

local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local qcow2 = require "sys.qcow2"
local task = require "holos.core.task"

local ROUNDS = 5
local TIMEOUT_MS = 120000
local TICKS_PER_SECOND = 100 -- USER_HZ, which is 100 on every Linux that QEMU runs on

local directory

--- CPU of our ended and waited-for children so far, in ms: utime and stime of /proc/self/stat, fields 16 and 17.
local function children_cpu_ms()
  local text = assert(fs.read("/proc/self/stat", { max_bytes = 4096 }))
  local fields, rest = {}, text:match("^.*%) (.*)$")
  for field in rest:gmatch("%S+") do fields[#fields + 1] = tonumber(field) end
  return (fields[13] + fields[14]) * 1000 // TICKS_PER_SECOND
end

--- Runs holos; gives wall and CPU time of the process itself (its VMs are nobody's children) and its peak RSS.
local function run(words, env)
  local list = { "PATH=/usr/bin:/bin", "HOLOS_STATE_DIR=" .. directory .. "/state", table.unpack(env or {}) }
  local begun_ms, cpu_ms = task.now_ms(), children_cpu_ms()
  local child <close> = assert(launch.prepare { program = words.program or host.executable(), argv = words, env = list,
    directory = directory })
  assert(child:go())
  task.within(TIMEOUT_MS, task.wait, { fd = child:fileno(), dir = "r" })
  local ended = io_wait.await(child, "try_wait")
  if ended.exit ~= 0 then error(table.concat(words, " ") .. " failed") end
  return { wall_ms = task.now_ms() - begun_ms, cpu_ms = children_cpu_ms() - cpu_ms }
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function measure(rounds, body)
  local walls, cpus = {}, {}
  for round = 1, rounds do
    local got = body(round)
    walls[round], cpus[round] = got.wall_ms, got.cpu_ms
  end
  return median(walls), median(cpus)
end

local function say(what, wall_ms, cpu_ms, note)
  print(("%-44s %7d ms wall %7d ms CPU   %s"):format(what, wall_ms, cpu_ms, note or ""))
end

local function write(text) files.write(directory .. "/holos.yaml", text) end

local function stack(count, extra)
  return ("name: bench\nservices:\n  vm: {image: ./image.qcow2, image_os: plain, replicas: %d, stop_grace_period: 5s%s}\n")
    :format(count, extra or "")
end

local function bench_fake(qemu)
  local env = { "HOLOS_QEMU_SYSTEM=" .. qemu }
  for _, count in ipairs { 1, 10, 20, 50 } do
    write(stack(count))
    local downs = {}
    local wall_ms, cpu_ms = measure(ROUNDS, function()
      local up = run({ "up" }, env)
      downs[#downs + 1] = run({ "down", "--purge" }, env).wall_ms
      return up
    end)
    say(("up of %d VMs on the stand-in"):format(count), wall_ms, cpu_ms,
      ("%.1f ms CPU a VM; down %d ms"):format(cpu_ms / count, median(downs)))
  end
end

local function services(count)
  local lines = { "name: many", "services:" }
  for i = 1, count do
    lines[#lines + 1] = ("  s%d: {image: ./image.qcow2, image_os: plain, vm: {vcpu: 2, memory_mb: 256}, labels: {a: b}}"):format(i)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function bench_validate()
  for _, count in ipairs { 10, 100, 250 } do
    write(services(count))
    local times = count < 100 and 100 or 20
    local begun_cpu_ms, begun_ms = children_cpu_ms(), task.now_ms()
    for _ = 1, times do run { "validate", "-q" } end
    say(("validate of %d services"):format(count), (task.now_ms() - begun_ms) // times, 0,
      ("%.1f ms CPU each, over %d runs"):format((children_cpu_ms() - begun_cpu_ms) / times, times))
  end
end

local LOOP = [[
i=0
while [ $i -lt %d ]; do
  %s -machine q35 -accel tcg -m 64 -nodefaults -display none -S -daemonize -pidfile pid.$i \
    -qmp unix:qmp.$i,server=on,wait=off & i=$((i + 1))
done
wait
for f in pid.*; do kill "$(cat $f)"; done
]]

local function bench_real(count)
  local qemu = require("sys.qemu").find("qemu-system-" .. host.architecture())
  if not qemu then return print("no real QEMU here: left out") end
  write(stack(count, ", vm: {memory_mb: 64}"))
  local up = measure(3, function()
    local got = run { "up", "-d" }
    run { "down", "--purge", "-t", "0s" }
    return got
  end)
  files.write(directory .. "/loop.sh", LOOP:format(count, qemu))
  local loop = measure(3, function() return run { program = "/bin/sh", "loop.sh" } end)
  say(("up of %d real QEMUs"):format(count), up, 0, ("a bare parallel shell loop: %d ms; ratio %.2f"):format(loop, up / loop))
end

test("figures", function()
  directory = tmpdir()
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  local wall_ms, cpu_ms = measure(ROUNDS, function() return run { "version", "--short" } end)
  say("version", wall_ms, cpu_ms, ("binary %.2f MiB"):format(
    assert(fs.stat(host.executable())).size_bytes / 1048576))
  bench_validate()
  bench_fake(fake_qemu.install {})
  bench_real(10)
end, { timeout_ms = 900000 })
