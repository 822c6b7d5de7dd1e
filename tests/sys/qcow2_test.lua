-- Creating and growing disks: what is refused, what QEMU's tools say of the result, and what every write leaves behind
-- when it is the last one.

local qcow2 = require "sys.qcow2"
local disks = require "tests.support.disk_images"
local files = require "tests.support.files"

local GIB = 1 << 30

local function names_in(directory)
  return run_tool({ "find", directory, "-mindepth", "1", "-printf", "%m %f\\n" }).stdout
end

test("a new disk is private unless told otherwise, and takes a few blocks", function()
  local directory = tmpdir()
  ok(qcow2.create(directory .. "/a", { size_bytes = GIB }))
  equal(names_in(directory), "600 a\n")
  local info = qcow2.info(directory .. "/a")
  equal(info.file_bytes, 4 * 65536)
  ok(info.allocated_bytes <= 65536, info.allocated_bytes)
  ok(qcow2.create(directory .. "/b", { size_bytes = GIB, mode = 420 }))
  equal(run_tool({ "stat", "-c", "%a", directory .. "/b" }).stdout, "644\n")
end)

test("nothing is ever replaced", function()
  local directory = tmpdir()
  files.write(directory .. "/a", "precious")
  local made, message, code = qcow2.create(directory .. "/a", { size_bytes = GIB })
  equal({ made, message, code }, { nil, directory .. "/a: File exists", "EEXIST" })
  equal(files.read(directory .. "/a"), "precious")
  run_tool { "ln", "-s", directory .. "/nowhere", directory .. "/link" }
  equal(select(3, qcow2.create(directory .. "/link", { size_bytes = GIB })), "EEXIST")
  equal(names_in(directory), names_in(directory):gsub("%.tmp", ""))
end)

test("what cannot be a disk is refused in words and leaves nothing", function()
  local directory = tmpdir()
  local function refusal(options)
    local _, message, code = qcow2.create(directory .. "/a", options)
    return code, message
  end
  equal(refusal { size_bytes = (1 << 51) + 1 }, "EFBIG")
  equal(refusal { size_bytes = math.maxinteger }, "EFBIG")
  for _, name in ipairs { "", "nbd:localhost:1", "json:{}", "a:b/c", ("x"):rep(1024) } do
    equal(refusal { size_bytes = 1, backing = name, backing_format = "raw" }, "EINVAL")
  end
  equal(refusal { size_bytes = 1, backing = "/x", backing_format = "vmdk" }, "EINVAL")
  equal(names_in(directory), "")
  equal(select(3, qcow2.create(directory .. "/missing/a", { size_bytes = 1 })), "ENOENT")
  equal(select(3, qcow2.create(directory .. "/" .. ("x"):rep(256), { size_bytes = 1 })), "ENAMETOOLONG")
end)

test("wrong arguments raise and name the field", function()
  local path = tmpdir() .. "/a"
  raises("bad field 'size_bytes'", qcow2.create, path, {})
  raises("bad field 'size_bytes'", qcow2.create, path, { size_bytes = 0 })
  raises("bad field 'size_bytes'", qcow2.create, path, { size_bytes = 1.5 })
  raises("unknown option 'size'", qcow2.create, path, { size = 1 })
  raises("go together", qcow2.create, path, { size_bytes = 1, backing = "/x" })
  raises("go together", qcow2.create, path, { size_bytes = 1, backing_format = "raw" })
  raises("contains a NUL byte", qcow2.create, path, { size_bytes = 1, backing = "/x\0", backing_format = "raw" })
  raises("size in bytes", qcow2.grow, path, 0)
end)

test("an overlay with a relative backing name is found beside the image", function()
  disks.need_tools()
  local directory = tmpdir()
  disks.img("create", "-q", "-f", "raw", directory .. "/base, a:b.raw", "1M")
  ok(qcow2.create(directory .. "/top", { size_bytes = 1 << 20, backing = "./base, a:b.raw", backing_format = "raw" }))
  disks.io(directory .. "/top", "qcow2", "read -P 0 0 1M")
  ok(qcow2.grow(directory .. "/top", 2 << 20))
  equal(select(3, qcow2.grow(directory .. "/top", 1 << 20)), "EINVAL")
end)

-- Images that must not be grown, made by qemu-img's options or by commands on an image of 64 MiB.
local UNGROWABLE = {
  { "it has internal snapshots", {}, function(file) disks.img("snapshot", "-c", "one", file) end },
  { "its data is in another file", { "-o", "data_file=%s.data" } },
  { "it is encrypted", { "--object", "secret,id=s,data=abc", "-o", "encrypt.format=luks,encrypt.key-secret=s,"
    .. "encrypt.iter-time=10" } },
  { "it has dirty bitmaps", {}, function(file) disks.img("bitmap", "--add", file, "b") end },
  { "it was not closed cleanly", { "-o", "lazy_refcounts=on" }, function(file)
    run_tool { "qemu-io", "-f", "qcow2", "-c", "write 0 1M", "-c", "abort", file }
  end },
}

for _, case in ipairs(UNGROWABLE) do
  test("not grown: " .. case[1], function()
    disks.need_tools()
    local file, options = tmpdir() .. "/a", {}
    for index, word in ipairs(case[2]) do options[index] = word:gsub("%%s", file) end
    table.move({ "-q", "-f", "qcow2", file, "64M" }, 1, 5, #options + 1, options)
    disks.img("create", table.unpack(options))
    if case[3] then case[3](file) end
    local before = files.read(file)
    local _, message, code = qcow2.grow(file, GIB)
    equal(code, "EOPNOTSUPP")
    ok(message:find("cannot be grown: " .. case[1], 1, true), message)
    ok(files.read(file) == before)
  end)
end

test("a backing file larger than its overlay would come to light, so that is not grown", function()
  disks.need_tools()
  local directory = tmpdir()
  for _, format in ipairs { "raw", "qcow2" } do
    local base, top = directory .. "/base." .. format, directory .. "/top." .. format
    disks.img("create", "-q", "-f", format, base, "2M")
    ok(qcow2.create(top, { size_bytes = 1 << 20, backing = base, backing_format = format }))
    local _, message = qcow2.grow(top, 4 << 20)
    ok(message:find("its backing file is larger", 1, true), message)
    run_tool { "rm", base }
    equal(select(3, qcow2.grow(top, 4 << 20)), "ENOENT")
    ok(qcow2.grow(top, 1 << 20), "the same size changes nothing")
  end
end)

test("a disk that a QEMU has open is not grown", function()
  disks.need_tools()
  local directory = tmpdir()
  local file, fifo = directory .. "/a", directory .. "/commands"
  ok(qcow2.create(file, { size_bytes = 1 << 20 }))
  run_tool { "mkfifo", fifo }
  -- Opened for reading and writing, the fifo never ends, so qemu-io waits for a command and holds its locks.
  local started = run_tool { "sh", "-c", 'qemu-io -f qcow2 "$1" <>"$2" >"$1.log" 2>&1 & echo $!', "sh", file, fifo }
  local pid = started.stdout:match("%d+")
  repeat local opened = run_tool({ "qemu-img", "info", file }).status ~= 0 until opened
  local _, message, code = qcow2.grow(file, GIB)
  run_tool { "kill", pid }
  equal({ message, code }, { file .. ": in use by another process, a running VM?", "EBUSY" })
end)

test("a version 2 image and one of virtual size 0 can be grown", function()
  disks.need_tools()
  local directory = tmpdir()
  for _, made in ipairs { { "compat=0.10", "64M" }, { "compat=1.1", "0" }, { "compat=1.1,extended_l2=on", "1M" } } do
    local file = directory .. "/" .. made[1] .. made[2]
    disks.img("create", "-q", "-f", "qcow2", "-o", made[1], file, made[2])
    ok(qcow2.grow(file, 5 << 40))
    disks.check(file)
    equal(disks.facts(file)["virtual-size"], 5 << 40)
    disks.io(file, "qcow2", "write -P 3 4T 1M", "read -P 3 4T 1M", "read -P 0 0 1M")
    disks.check(file)
  end
end)

test("a table that is full, or refcounts of another width, are said", function()
  disks.need_tools()
  local directory = tmpdir()
  disks.img("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", directory .. "/small", "1M")
  local _, message, code = qcow2.grow(directory .. "/small", 1 << 36)
  equal(code, "EOPNOTSUPP")
  ok(message:find("its refcount table is full", 1, true), message)
  disks.img("create", "-q", "-f", "qcow2", "-o", "refcount_bits=8,cluster_size=512", directory .. "/wide", "1M")
  _, message = qcow2.grow(directory .. "/wide", 1 << 30)
  ok(message:find("its refcounts have not 16 bits", 1, true), message)
  equal(select(3, qcow2.grow(directory .. "/small", math.maxinteger)), "EFBIG")
  disks.check(directory .. "/small")
end)
