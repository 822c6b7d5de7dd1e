--- sys.fd: descriptors as values, judged by /proc/self.

local fd = require "sys.fd"
local fs = require "sys.fs"
local pipe = require "tests.support.pipe"

local function flags_of(number)
  return tonumber(fs.read("/proc/self/fdinfo/" .. number):match("flags:%s*(%d+)"), 8)
end

local CLOEXEC, NONBLOCK = 524288, 2048 -- O_CLOEXEC and O_NONBLOCK of the generic Linux ABI

test("fd.pipe: what goes in comes out; nothing, the end, and a reader that left", function()
  local pair <close> = pipe()
  local reader, writer = pair.reader, pair.writer
  equal({ reader:try_read(10) }, { nil, "EAGAIN", "r" })
  equal({ writer:try_write("hello"), reader:try_read(2), reader:try_read(10) }, { 5, "he", "llo" })
  equal({ writer:try_write("hello", 4), writer:try_write("hello", 6), reader:try_read(10) }, { 2, 0, "lo" })
  writer:close()
  equal({ reader:try_read(10), reader:try_read(10) }, { "", "" })
  local other <close> = pipe()
  other.reader:close()
  equal(select(3, other.writer:try_write("x")), "EPIPE")
end)

test("fd: a full pipe takes a part, then says EAGAIN", function()
  local pair <close> = pipe()
  local reader, writer = pair.reader, pair.writer
  local text = ("x"):rep(1 << 20)
  local taken = assert(writer:try_write(text))
  ok(taken < #text)
  equal({ writer:try_write(text, taken + 1) }, { nil, "EAGAIN", "w" })
  equal(#reader:try_read(1 << 30), taken)
end)

test("fd: descriptors close on exec and do not block", function()
  local pair <close> = pipe()
  local reader, writer = pair.reader, pair.writer
  local copy <close> = assert(reader:dup())
  local file <close> = assert(fs.open("/etc/passwd"))
  local beneath <close> = assert(fs.open_beneath("/etc", "passwd"))
  for _, one in ipairs { reader, writer, copy, file, beneath } do
    local flags = flags_of(one:fileno())
    ok(flags & CLOEXEC ~= 0 and flags & NONBLOCK ~= 0, one:fileno())
  end
  assert(fd.nonblocking(file, false))
  equal(flags_of(file:fileno()) & NONBLOCK, 0)
  assert(fd.nonblocking(file:fileno(), true))
  ok(flags_of(file:fileno()) & NONBLOCK ~= 0)
end)

test("fd: closing twice is nothing, using a closed one raises, a copy lives on", function()
  local reader, writer = assert(fd.pipe())
  local copy <close> = assert(writer:dup())
  equal({ reader:is_open(), reader:close(), reader:close(), reader:is_open() }, { true, true, true, false })
  equal(writer:close(), true)
  for _, method in ipairs { "fileno", "dup", "try_read", "try_write" } do
    raises("closed", reader[method], reader, method == "try_write" and "x" or 1)
  end
  equal(copy:is_open(), true)
end)

test("fd: the end of a scope and the collector close", function()
  local before = #fs.list("/proc/self/fd")
  do local _pair <close> = pipe() end
  equal(#fs.list("/proc/self/fd"), before)
  for _ = 1, 10 do fd.pipe() end
  collectgarbage()
  equal(#fs.list("/proc/self/fd"), before)
end)

test("fd: programmers' errors raise", function()
  local pair <close> = pipe()
  local reader, writer = pair.reader, pair.writer
  raises("at least one byte", reader.try_read, reader, 0)
  raises("out of the text", writer.try_write, writer, "abc", 5)
  raises("out of the text", writer.try_write, writer, "abc", 0)
  raises("sys.fd expected", reader.try_read, io.stdout, 1)
  raises("not a descriptor", fd.nonblocking, -1, true)
  equal(select(3, fd.nonblocking(1000000, true)), "EBADF")
end)

test("fd: reading what is no file for reading is told", function()
  local directory <close> = assert(fs.open("/", { directory = true }))
  equal(select(3, directory:try_read(10)), "EISDIR")
  equal(select(3, directory:try_write("x")), "EBADF")
end)
