--- Heavy work on disk images by the real QEMU without a machine, judged by qemu-img.

local block_job = require "holos.run.block.job"
local block_work = require "holos.run.block_work"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local task = require "holos.core.task"
local world = require "holos.run.world"

local ROOT = world.host.uid() == 0

local function program()
  local found = world.qemu.find(os.getenv "HOLOS_QEMU_SYSTEM" or "qemu-system-x86_64")
  return found and world.fs.realpath(found) or skip "no qemu-system-x86_64"
end

local function tool(...) equal(run_tool({ ... }).status, 0, table.concat({ ... }, " ")) end

-- A disk of 64 MiB with patterns in a few places, and zeros that were written.
local function written(path, format)
  tool("qemu-img", "create", "-q", "-f", format or "qcow2", path, "64M")
  tool("qemu-io", "-f", format or "qcow2", "-c", "write -P 7 1M 3M", "-c", "write -P 9 40M 200k", "-c", "write -z 2M 64k", "-c",
    "write -P 0 8M 16M", path)
  return { path = path, format = format or "qcow2" }
end

local function same(a, b) tool("qemu-img", "compare", "-q", "-f", a.format, "-F", b.format, a.path, b.path) end

local function copy(directory, source, format, more)
  local made <close> = draft.beside(world, directory, { format = format, size_bytes = 64 << 20, what = "copy" })
  local work = { program = program(), source = source, target = { path = made.path, format = format } }
  for name, value in pairs(more or {}) do work[name] = value end
  block_work.copy(world, work, "copying", work.tell)
  made:commit(directory .. "/copy." .. format)
  return { path = directory .. "/copy." .. format, format = format }
end

local function names_in(directory)
  local names = {}
  for i, entry in ipairs(world.fs.list(directory)) do names[i] = entry.name end
  return table.concat(names, " ")
end

test("a disk is copied whole and sparse, as qcow2, compressed, and raw; all of it is told", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local last
  local copied = copy(directory, { source }, "qcow2", { tell = function(progress) last = progress end })
  same(source, copied)
  tool("qemu-img", "check", "-q", copied.path)
  ok(world.qcow2.info(copied.path).allocated_bytes < 5 << 20)
  ok(last.done_bytes == last.total_bytes and last.total_bytes > 3 << 20, last.done_bytes .. " of " .. last.total_bytes)
  world.fs.remove(copied.path)
  copied = copy(directory, { source }, "qcow2", { compress = true })
  same(source, copied)
  ok(world.qcow2.info(copied.path).allocated_bytes < 1 << 20)
  copied = copy(directory, { source }, "raw")
  same(source, copied)
  equal(world.fs.stat(copied.path).size_bytes, 64 << 20)
  ok(world.fs.stat(copied.path).allocated_bytes < 5 << 20, "zeros take room in a raw copy")
  equal(names_in(directory), "copy.qcow2 copy.raw source.qcow2")
end)

test("a raw disk is copied as what it is, whatever its first bytes say", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.raw", "raw")
  files.write(directory .. "/head", files.read(written(directory .. "/other.qcow2").path):sub(1, 65536))
  tool("dd", "status=none", "conv=notrunc", "if=" .. directory .. "/head", "of=" .. source.path)
  same(source, copy(directory, { source }, "qcow2"))
end)

test("one file is made of a disk and what it rests on; the names inside are not followed", function()
  local directory = tmpdir()
  local base = written(directory .. "/base.qcow2")
  local top = { path = directory .. "/top.qcow2", format = "qcow2" }
  tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", base.path, "-F", "qcow2", top.path)
  tool("qemu-io", "-c", "write -P 3 50M 1M", top.path)
  local copied = copy(directory, { top, base }, "qcow2")
  same(top, copied)
  equal(world.qcow2.info(copied.path).backing, nil)
  local alone = copy(tmpdir(), { top }, "qcow2") -- a backing file that nobody named is none
  local result = run_tool { "qemu-io", "-c", "read -P 0 1M 1M", "-c", "read -P 3 50M 1M", alone.path }
  ok(not result.stdout:find("verification failed", 1, true), result.stdout)
end)

test("QEMU works confined: seccomp, no new rights, no uid of ours, no files but those it got", function()
  local directory = tmpdir()
  local source, seen = written(directory .. "/source.qcow2"), nil
  copy(directory, { source }, "qcow2", { tell = function()
    local pid = files.read("/proc/thread-self/children"):match("%d+")
    seen = seen or { status = files.read("/proc/" .. pid .. "/status"), environ = files.read("/proc/" .. pid .. "/environ") }
  end })
  ok(seen.status:find("Seccomp:\t2", 1, true) and seen.status:find("NoNewPrivs:\t1", 1, true), seen.status)
  ok(not ROOT or seen.status:find("Uid:\t65534\t65534", 1, true), seen.status)
  ok(not seen.environ:find("HOLOS", 1, true), seen.environ)
end)

test("a disk that another process writes to is refused, and nothing is left", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local holder = { path = source.path, format = "qcow2" }
  local other = tmpdir()
  local refused
  -- It is the target of one copy, and the source of another meanwhile.
  block_work.copy(world, { program = program(), source = { written(other .. "/from.qcow2") }, target = holder }, "first",
    function()
      if refused then return end
      local _, problem = pcall(copy, directory, { source }, "qcow2")
      refused = problem
    end)
  ok(err.is(refused, "EBUSY"), tostring(refused))
  equal(tostring(refused), "copying: another process has the disk open")
  equal(names_in(directory), "source.qcow2")
end)

test("a copy that is cancelled ends at once: no QEMU and no file stays", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local fine, problem = pcall(task.within, 700, copy, directory, { source }, "qcow2", { bytes_per_s = 65536 })
  equal({ fine, problem.code }, { false, "ETIMEDOUT" })
  equal(files.read("/proc/thread-self/children"), "")
  equal(names_in(directory), "source.qcow2")
end)

test("QEMU is killed in the middle: that is said, and nothing is left", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local _, problem = pcall(copy, directory, { source }, "qcow2", { bytes_per_s = 65536, tell = function()
    local pid = math.tointeger(tonumber(files.read("/proc/thread-self/children"):match("%d+")))
    local process <close> = world.proc.open(pid, world.proc.identity(pid).start_time)
    process:signal("KILL")
  end })
  equal({ err.is(problem, "EPIPE"), tostring(problem) }, { true, "copying: QEMU has closed the monitor" })
  equal(names_in(directory), "source.qcow2")
end)

test("a program that is no QEMU, and images that are none, are told in a sentence", function()
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local _, problem = pcall(copy, directory, { source }, "qcow2", { program = "/bin/false" })
  ok(err.is_failure(problem), tostring(problem))
  files.write(directory .. "/broken.qcow2", "QFI\xfb" .. ("\xff"):rep(200))
  _, problem = pcall(copy, directory, { { path = directory .. "/broken.qcow2", format = "qcow2" } }, "qcow2")
  ok(err.is(problem, "EBLOCK") and tostring(problem):find("copying: ", 1, true) == 1, tostring(problem))
  equal(names_in(directory), "broken.qcow2 source.qcow2")
end)

test("what a killed copy has left beside its target goes with the next one", function()
  local directory = tmpdir()
  local old, young = "/.holos-0123456789abcdef.part", "/.holos-fedcba9876543210.part"
  files.write(directory .. old, "x")
  files.write(directory .. young, "x")
  tool("touch", "-d", "2 hours ago", directory .. old)
  copy(directory, { written(directory .. "/source.qcow2") }, "raw")
  ok(not world.fs.lstat(directory .. old) and world.fs.lstat(directory .. young))
end)

-- What becomes of a copy with the stand-in for QEMU, and how long that takes.
local function with_fake(settings)
  local directory = tmpdir()
  local source = written(directory .. "/source.qcow2")
  local fine, problem = pcall(copy, directory, { source }, "qcow2", { program = fake_qemu.install(settings) })
  equal(names_in(directory), fine and "copy.qcow2 source.qcow2" or "source.qcow2")
  return fine and "done" or tostring(problem.code) .. " " .. tostring(problem)
end

test("a QEMU that misbehaves is told in a sentence, within its time, and leaves nothing", function()
  local start_ms, stall_ms = block_work.START_MS, block_job.STALL_MS
  local _back <close> = setmetatable({}, { __close = function()
    block_work.START_MS, block_job.STALL_MS = start_ms, stall_ms
  end })
  block_work.START_MS, block_job.STALL_MS = 500, 0
  equal(with_fake { "job=stall" }, "ETIMEDOUT copying: nothing has moved for 0 minutes")
  block_job.STALL_MS = stall_ms
  for settings, wanted in pairs {
    ["job=done"] = "done",
    ["job=No space left on device"] = "ENOSPC copying: No space left on device",
    ["job=Input/output error"] = "EIO copying: Input/output error",
    ["job=lost"] = "EPROTO QEMU has forgotten the job work",
    ["greeting=never"] = "ETIMEDOUT copying: no greeting (does another client hold the monitor?) within 0.5 s",
    ["greeting=garbage"] = "EPROTO copying: the peer does not speak QMP",
    ["answer=hang"] = "ETIMEDOUT copying: no answer to blockdev-backup within 0.5 s",
    ["fail=out of luck"] = "EBLOCK copying: out of luck",
  } do equal(with_fake { settings }, wanted) end
end)
