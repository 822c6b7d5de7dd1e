--- What disks cost: those that a machine gets, beside the tools that others make them with; and copies, beside qemu-img.

local block_work = require "holos.run.block_work"
local draft = require "holos.run.block.draft"
local files = require "tests.support.files"
local fs = require "sys.fs"
local iso = require "sys.iso"
local measure = require "tests.bench.measure"
local qcow2 = require "sys.qcow2"
local seed = require "holos.plan.seed"
local seed_spec = require "tests.support.seed_spec"
local task = require "holos.core.task"
local tool = require "tests.support.tool"
local world = require "holos.run.world"

local M = {}

local COUNT, ROUNDS = 50, 5
local DISK_BYTES, COPY_BYTES = 20 << 30, 512 << 20

-- How long fn() takes, on the clock and of our CPU.
local function timed(fn)
  local begun_ms, cpu_s = task.now_ms(), os.clock()
  fn()
  return { wall_ms = task.now_ms() - begun_ms, cpu_ms = (os.clock() - cpu_s) * 1000, peak_mib = 0 }
end

-- As run/disk does: the overlay is on the disk when it is there, the seed is not waited for.
local function make(directory, base, i)
  local spec = seed_spec.new("systemd")
  assert(qcow2.create(("%s/%d.qcow2"):format(directory, i), { size_bytes = DISK_BYTES, backing = base, backing_format = "qcow2" }))
  assert(iso.write(("%s/%d.iso"):format(directory, i), { volume = "cidata", time = 0, sync = false,
    files = seed.files(spec, seed_spec.KEYS, seed_spec.HOSTS) }))
end

local function run(directory, ...)
  local _, exit = measure.run_program(directory, tool.find((...)), { select(2, ...) })
  if exit ~= 0 then error(("%s ended with %s"):format((...), exit)) end
end

local function make_by_tools(directory, base, i)
  run(directory, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", i .. ".qcow2", tostring(DISK_BYTES))
  run(directory, "genisoimage", "-quiet", "-o", i .. ".iso", "-V", "cidata", "-J", "-r", "seed")
end

local function bench_new(directory, base)
  for _, file in ipairs(seed.files(seed_spec.new("systemd"), seed_spec.KEYS, seed_spec.HOSTS)) do
    files.write(directory .. "/seed/" .. file.name, file.data or "")
  end
  local ours = measure.rounds(ROUNDS, function(round)
    local place = ("%s/ours-%d"):format(directory, round)
    assert(fs.mkdir_all(place))
    return timed(function() for i = 1, COUNT do make(place, base, i) end end)
  end)
  local theirs = measure.rounds(ROUNDS, function()
    for i = 1, COUNT do fs.remove(("%s/%d.qcow2"):format(directory, i)) end
    return timed(function() for i = 1, COUNT do make_by_tools(directory, base, i) end end)
  end)
  print(("overlay and seed of a VM %31.2f ms wall, %.2f ms CPU"):format(ours.wall_ms / COUNT, ours.cpu_ms / COUNT))
  print(("  beside qemu-img create and genisoimage %17.2f ms; ratio %.2f"):format(theirs.wall_ms / COUNT,
    ours.wall_ms / theirs.wall_ms))
end

local function copy(directory, source)
  local made <close> = draft.beside(world, directory, { format = "qcow2", size_bytes = COPY_BYTES, what = "bench" })
  local program = world.fs.realpath(assert(world.qemu.find("qemu-system-" .. world.host.architecture())))
  block_work.copy(world, { program = program, source = { source }, target = { path = made.path, format = "qcow2" } }, "bench")
end

local function bench_copy(directory)
  local source = directory .. "/source.qcow2"
  assert(qcow2.create(source, { size_bytes = COPY_BYTES }))
  run(directory, "qemu-io", "-c", ("write -P 7 0 %d"):format(COPY_BYTES), source)
  local ours, theirs = {}, {}
  for round = 1, ROUNDS do -- in turns, so that both meet the same machine
    ours[round] = timed(function() copy(directory, { path = source, format = "qcow2" }) end)
    theirs[round] = timed(function()
      run(directory, "qemu-img", "convert", "-O", "qcow2", source, "converted.qcow2")
      run(directory, "sync", "converted.qcow2")
    end)
    fs.remove(directory .. "/converted.qcow2")
  end
  local a, b = measure.summary(ours), measure.summary(theirs)
  print(("a copy of a disk with 512 MiB in it %17d ms wall, flushed; holos itself %.0f ms CPU"):format(a.wall_ms, a.cpu_ms))
  print(("  beside qemu-img convert and sync %20d ms; ratio %.2f"):format(b.wall_ms, a.wall_ms / b.wall_ms))
end

--- Prints it.
function M.show()
  for _, name in ipairs { "qemu-img", "qemu-io", "genisoimage" } do
    if not tool.find(name) then return print(("no %s here: disks are left out"):format(name)) end
  end
  local directory = tmpdir()
  local base = directory .. "/base.qcow2"
  assert(qcow2.create(base, { size_bytes = 1 << 20 }))
  bench_new(directory, base)
  if world.qemu.find("qemu-system-" .. world.host.architecture()) then bench_copy(directory) end
end

return M
