--- make bench: what holos itself costs, on the stand-in for QEMU and beside a bare loop on the real one. Figures of
--- one run on one machine: they are compared with each other, never asserted. TMPDIR says where state lies: fsync and
--- the making of files cost what the file system there takes for them.

local disks = require "tests.bench.disks"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local json = require "sys.json"
local lifecycle = require "tests.bench.lifecycle"
local measure = require "tests.bench.measure"
local qcow2 = require "sys.qcow2"
local shell_loop = require "tests.bench.shell_loop"

local ROUNDS = 5

local directory

local function run(words, env, status) return measure.run(directory, words, env, status) end

local function say(what, took, note)
  print(("%-44s %7.0f ms wall %8.1f ms CPU %6.1f MiB   %s"):format(what, took.wall_ms, took.cpu_ms, took.peak_mib, note or ""))
end

local function write(text) files.write(directory .. "/holos.yaml", text) end

local function stack(count, extra)
  return ("name: bench\nservices:\n  vm: {image: ./image.qcow2, image_os: plain, replicas: %d, stop_grace_period: 5s%s}\n")
    :format(count, extra or "")
end

-- Every round has a state of its own, and nothing is deleted meanwhile: some file systems remember what was. The first
-- command of a state asks QEMU what it can do; that is not part of an `up`.
local function in_fresh_state(name, env)
  local with_state = { "HOLOS_STATE_DIR=" .. directory .. "/" .. name, table.unpack(env or {}) }
  run({ "plan" }, with_state)
  return with_state
end

local function bench_fake(qemu)
  for _, count in ipairs { 1, 10, 50 } do
    write(stack(count))
    local downs = {}
    local up = measure.rounds(ROUNDS, function(round)
      local env = in_fresh_state(("fake-%d-%d"):format(count, round), { "HOLOS_QEMU_SYSTEM=" .. qemu })
      local took = run({ "up" }, env)
      downs[round] = run({ "down" }, env)
      return took
    end)
    say(("up of %d VMs on the stand-in"):format(count), up, ("%.1f ms CPU a VM"):format(up.cpu_ms / count))
    say(("down of %d VMs"):format(count), measure.summary(downs))
  end
end

-- -- reading files: on one line each what it takes, and beside it what it is to take at most ------------------------------

local function services(count, line)
  local lines = { "name: many", "services:" }
  for i = 1, count do lines[#lines + 1] = ("  s%d: {%s}"):format(i, line) end
  return table.concat(lines, "\n") .. "\n"
end

local MACHINES = "image: ./image.qcow2, image_os: plain, vm: {vcpu: 2, memory_mb: 256}, labels: {a: b}"
local LAYERS = { MACHINES, "environment: {A: '1', B: x}, labels: {c: d}", "vm: {vcpu: 4}, labels: {a: e}, hostname: h" }

-- A billion laughs.
local function bomb()
  local lines = { services(1, MACHINES), "x-a0: &a0 [x, x, x, x, x, x, x, x, x]" }
  for level = 1, 12 do
    lines[#lines + 1] = ("x-a%d: &a%d [%s]"):format(level, level, (("*a%d, "):format(level - 1)):rep(9))
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The words that name files with these texts.
local function files_of(texts)
  local words = {}
  for i, text in ipairs(texts) do
    local name = ("%s/%d.yaml"):format(directory, i)
    files.write(name, text)
    table.move({ "-f", name }, 1, 2, #words + 1, words)
  end
  return words
end

local function layers(count)
  local texts = {}
  for i, line in ipairs(LAYERS) do texts[i] = services(count, line) end
  return texts
end

-- One project has room for 253 instances: with 1000 services everything is read and checked, and then that is said.
local READING = {
  { "validate", 10, { "validate", "-q" } }, { "validate", 100, { "validate", "-q" }, aim = "5 ms" },
  { "validate with its tables", 100, { "validate" } }, { "validate", 1000, { "validate", "-q" }, status = 2 },
  { "validate, three files each", 100, { "validate", "-q" }, layers = true },
  { "validate, three files each", 1000, { "validate", "-q" }, layers = true, status = 2, aim = "150 ms" },
  { "config", 100, { "config" } },
}

local function bench_reading()
  print(("%-44s %9s %9s %9s   %s"):format("", "median", "least", "memory", "aim"))
  local function row(what, words, rounds, status, aim)
    local took = measure.rounds(rounds, function() return run(words, nil, status) end)
    print(("%-44s %6.1f ms %6.1f ms %5.1f MiB   %s"):format(what, took.cpu_ms, took.least.cpu_ms, took.peak_mib, aim or "-"))
  end
  row("version", { "version", "--short" }, 50)
  for _, case in ipairs(READING) do
    local what, count, words = table.unpack(case)
    local named = files_of(case.layers and layers(count) or { services(count, MACHINES) })
    row(("%s: %d services"):format(what, count), table.move(named, 1, #named, #words + 1, { table.unpack(words) }),
      count < 1000 and 50 or 5, case.status, case.aim)
  end
  local named = files_of { bomb() }
  row("a YAML bomb", { "validate", "-q", table.unpack(named) }, 20, 2, "100 ms, 64 MiB")
end

local function record_of(state)
  return assert(json.decode(assert(fs.read(state .. "/projects/bench.json", {})), {}))
end

-- One after the other within a round, so that all meet the same machine.
local function real_round(round, count, program)
  local state = ("%s/real-%d"):format(directory, round)
  local loops = { bare = directory .. "/bare-" .. round, same = directory .. "/same-" .. round }
  local env = in_fresh_state("real-" .. round)
  local up = run({ "up", "-d" }, env)
  for _, loop in pairs(loops) do assert(fs.mkdir_all(loop, tonumber("700", 8))) end
  files.write(loops.bare .. "/loop.sh", shell_loop.bare(loops.bare, program, count))
  files.write(loops.same .. "/loop.sh", shell_loop.same(loops.same, program, record_of(state), state .. "/instances/bench"))
  local down = run({ "down", "-t", "0s" }, env)
  local took = { up_ms = up.wall_ms, both_ms = up.wall_ms + down.wall_ms }
  for name, loop in pairs(loops) do
    local exit
    took[name .. "_ms"], exit = measure.run_program(directory, "/bin/sh", { loop .. "/loop.sh" })
    if exit ~= 0 then error(("the %s loop ended with %s"):format(name, exit)) end
  end
  took.to_bare, took.to_same = took.both_ms / took.bare_ms, took.both_ms / took.same_ms
  return took
end

local function bench_real(count)
  local program = require("sys.qemu").find("qemu-system-" .. host.architecture())
  if not program then return print("no real QEMU here: left out") end
  write(stack(count, ", vm: {memory_mb: 64}"))
  local list = {}
  for round = 1, ROUNDS do list[round] = real_round(round, count, program) end
  local function middle(name) return measure.median(list, name) end
  print(("up and down of %d real QEMUs %31d ms wall, %d of them up"):format(count, middle "both_ms", middle "up_ms"))
  print(("  beside a shell loop of the same machines %19d ms; ratio %.2f"):format(middle "same_ms", middle "to_same"))
  print(("  beside a shell loop of the barest machines %17d ms; ratio %.2f"):format(middle "bare_ms", middle "to_bare"))
end

test("figures", function()
  directory = tmpdir()
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  print(("binary %.2f MiB"):format(assert(fs.stat(host.executable())).size_bytes / 1048576))
  lifecycle.show()
  bench_reading()
  bench_fake(fake_qemu.install {})
  bench_real(10)
  disks.show()
end, { timeout_ms = 900000 })
