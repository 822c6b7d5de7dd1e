--- Whether a disk is blank: what is read for that, and what is told meanwhile.
local blank = require "holos.run.blank"
local err = require "holos.core.err"
local files = require "tests.support.files"
local foreign = require "holos.run.foreign"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"
local world = require "holos.run.world"

local KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

-- A file of holes, but for what is put at offsets.
local function sparse(size_bytes, bytes)
  local path = tmpdir() .. "/disk.raw"
  files.write(path, "")
  assert(fs.truncate(path, size_bytes))
  local file <close> = assert(io.open(path, "r+b"))
  for offset, text in pairs(bytes or {}) do
    file:seek("set", offset)
    file:write(text)
  end
  return path
end

local function skip_zeros(path, ...)
  local fd <close> = assert(fs.open(path))
  return { fd:skip_zeros(...) }
end

test("fd.skip_zeros: the first byte that is not zero, wherever it stands in a block", function()
  for _, at in ipairs { 0, 1, 63, 64, 4095, 128 * KIB - 1, 128 * KIB, 128 * KIB + 65, MIB - 1 } do
    local path = sparse(MIB, { [0] = ("\0"):rep(MIB), [at] = "x" })
    local got = skip_zeros(path, 0, MIB, 2 * MIB)
    equal({ got[1], got[2] }, { at, true })
    equal(skip_zeros(path, 0, at, 2 * MIB), { at, false, at }, "what is behind the end is not looked at")
    equal(skip_zeros(path, at + 1, MIB, 2 * MIB)[2], false)
  end
end)

test("fd.skip_zeros reads no more than it is asked for, and no holes; a file that ends before is an error", function()
  local path = sparse(4 * MIB, { [0] = ("\0"):rep(4 * MIB) })
  equal(skip_zeros(path, 0, 4 * MIB, MIB), { MIB, false, MIB })
  equal(select(3, table.unpack(skip_zeros(path, 0, 5 * MIB, 8 * MIB))), "ENODATA")
  equal(select(3, table.unpack(skip_zeros(sparse(4 * MIB), 0, 5 * MIB, 8 * MIB))), "ENODATA")
  equal(skip_zeros(sparse(64 * GIB), 0, 64 * GIB, MIB), { 64 * GIB, false, 0 })
end)

-- A disk of `size_bytes` with one byte at each of `data`, which takes time to read; parts that were read are noted.
local function slow_world(poller, size_bytes, data, parts)
  local fd = setmetatable({}, { __close = function() end })
  function fd.skip_zeros(_, from, to, most_bytes)
    parts[#parts + 1] = from
    local stop = math.min(to, from + most_bytes)
    poller:spend((stop - from) // MIB * 10) -- 100 MiB a second
    for _, at in ipairs(data) do
      if at >= from and at < stop then return at, true, at - from + 1 end
    end
    return stop, false, stop - from
  end
  return { fs = { open = function() return fd end, size = function() return size_bytes end } }
end

local function look(size_bytes, data, options)
  local poller, parts, result = virtual.new(), {}, nil
  task.run(poller, function()
    result = blank.look(slow_world(poller, size_bytes, data, parts), { path = "/disk", format = "raw" }, options)
  end)
  return result, parts
end

test("a disk in use is known by its signs, before the rest is read", function()
  for _, at in ipairs { 0x438, 0x10040, 8 * MIB + KIB + 56, 128 * MIB + 56, 64 * MIB + 0x40, 10 * GIB - 512 } do
    local content, parts = look(10 * GIB, { 5 * GIB, at })
    equal(content, "data")
    ok(#parts <= 2 + #blank.SIGNS, #parts)
    equal(parts[1], 0)
  end
  local content, parts = look(10 * GIB, { 5 * GIB + 1 })
  equal({ content, parts[#parts] }, { "data", 5 * GIB }) -- and no further
  equal(look(10 * GIB, {}), "blank")
end)

test("who may read a part only is told that the rest is not known", function()
  local content, parts = look(10 * GIB, { 5 * GIB }, { most_bytes = 256 * MIB })
  equal({ content, parts[#parts] }, { "unknown", 255 * MIB })
  equal(look(256 * MIB, {}, { most_bytes = 256 * MIB }), "blank")
end)

test("a long reading is told with its rate and what is left", function()
  local told = {}
  look(GIB, {}, { tell = function(progress) told[#told + 1] = progress end })
  ok(#told >= 30 and #told <= 52, #told)
  local half = told[#told // 2]
  equal(half.total_bytes, GIB)
  ok(half.bytes_per_s >= 90 * MIB and half.bytes_per_s <= 110 * MIB, half.bytes_per_s)
  ok(math.abs(half.eta_ms - (GIB - half.done_bytes) * 10 // MIB) < 1000, half.eta_ms)
end)

test("a long reading ends when it is cancelled, and others run meanwhile", function()
  local poller, parts, turns, problem = virtual.new(), {}, 0, nil
  task.run(poller, function()
    local _, raised = pcall(task.within, 1000, task.scope, function(scope)
      scope:spawn("reads", blank.look, slow_world(poller, 1 << 40, {}, parts), { path = "/disk", format = "raw" })
      for _ = 1, 50 do
        task.wait { at_ms = task.now_ms() + 10 }
        turns = turns + 1
      end
    end)
    problem = raised
  end)
  ok(err.is(problem, "ETIMEDOUT"), tostring(problem))
  equal(turns, 50)
  ok(#parts < 150, #parts)
end)

-- A volume as holos makes it, with bytes put at offsets of its header.
local function volume(bytes)
  local path = tmpdir() .. "/volume.qcow2"
  assert(qcow2.create(path, { size_bytes = 64 * MIB }))
  local file <close> = assert(io.open(path, "r+b"))
  for offset, text in pairs(bytes) do
    file:seek("set", offset)
    file:write(text)
  end
  return path
end

local L1_SIZE_AT, L1_OFFSET_AT, SIZE_AT = 36, 40, 24

test("an image whose header is damaged is refused by its name, one without a table is not blank, and a bug is neither", function()
  local function look_at(bytes) return blank.look(world, { path = volume(bytes), format = "qcow2" }) end
  equal(look_at {}, "blank")
  equal(look_at { [SIZE_AT] = (">I8"):pack(0), [L1_SIZE_AT] = (">I4"):pack(0) }, "data")
  for _, bytes in ipairs { { [0] = ("\0"):rep(4 * KIB) }, { [L1_SIZE_AT] = (">I4"):pack(0) },
    { [L1_SIZE_AT] = (">I4"):pack(1 << 28) }, { [L1_OFFSET_AT] = (">I8"):pack(1 << 63) } } do
    local good, problem = pcall(look_at, bytes)
    ok(not good and err.is_failure(problem), tostring(problem))
    ok(problem.message:find("/volume.qcow2: ", 1, true), problem.message)
  end
end)

test("a volume that cannot be read is nobody's to format, and stops nobody who writes down what is there", function()
  local state, record = { volume = function() return volume { [0] = "no image" } end }, { name = "p", instances = {},
    volumes = { data = {} } }
  foreign.adopt(world, state, record, { "data" })
  equal(record.volumes.data, { is_copied = true })
end)
