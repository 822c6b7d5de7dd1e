--- sys.fs: writing, copying and renaming, judged by stat(1), cmp(1), strace(1) and a disk that is full.

local fs = require "sys.fs"
local host = require "sys.host"
local program = require "tests.support.program"
local tool = require "tests.support.tool"

local function mode_of(path)
  return (run_tool({ "stat", "-c", "%a", path }).stdout:gsub("%s", ""))
end

local function names(directory)
  local list = {}
  for _, entry in ipairs(assert(fs.list(directory))) do list[#list + 1] = entry.name end
  return list
end

local function octal(text)
  return tonumber(text, 8)
end

--- A directory with a file system of its own, `bytes` large, unmounted with the scope.
local function small_disk(bytes)
  if host.uid() ~= 0 then skip "only root can mount a small file system" end
  local directory = tmpdir()
  local result = run_tool({ "mount", "-t", "tmpfs", "-o", "size=" .. bytes, "tmpfs", directory })
  if result.status ~= 0 then skip("no tmpfs can be mounted: " .. result.stderr) end
  return setmetatable({ path = directory }, { __close = function() run_tool({ "umount", directory }) end })
end

test("fs.write_atomic: contents and mode are exact, whatever the umask, and nothing else is left", function()
  local directory = tmpdir()
  local path = directory .. "/file"
  for _, mode in ipairs { "600", "644", "777", "400" } do
    local text = ("x\0y"):rep(octal(mode))
    assert(fs.write_atomic(path, text, { mode = octal(mode) }))
    equal({ fs.read(path), mode_of(path) }, { text, mode })
  end
  assert(fs.write_atomic(path, ""))
  equal({ fs.read(path), mode_of(path), names(directory) }, { "", "600", { "file" } })
end)

test("fs.write_atomic: syncs the file, then renames, then syncs the directory", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local directory = tmpdir()
  local script = tmpdir() .. "/script.lua"
  assert(fs.write_atomic(script, [[
    local fs, directory = require "sys.fs", ...
    fs.write_atomic(directory .. "/kept", "x", { sync = true })
    fs.write_atomic(directory .. "/quick", "x", { sync = false })
  ]]))
  local trace = run_tool({ "strace", "-f", "-y", "-e", "trace=openat,fsync,renameat,unlinkat",
    host.executable(), "lua", script, directory })
  if not trace.stderr:find("renameat") then skip("strace cannot trace here: " .. trace.stderr:sub(-80)) end
  local steps = {}
  for line in trace.stderr:gmatch("[^\n]+") do
    local call = line:match("(%l+)%(")
    if line:find(directory, 1, true) and not line:find "O_DIRECTORY" then
      steps[#steps + 1] = call .. (line:find("%.tmp") and " file" or " directory")
      if call == "openat" and line:find("%.tmp") then ok(line:find("O_EXCL") and line:find("O_NOFOLLOW"), line) end
    end
  end
  equal(steps, { "openat file", "fsync file", "renameat file", "fsync directory", "openat file", "renameat file" })
end)

test("fs.write_atomic: a symbolic link is replaced, not followed", function()
  local directory = tmpdir()
  assert(fs.write_atomic(directory .. "/victim", "old"))
  assert(fs.symlink("victim", directory .. "/link"))
  assert(fs.write_atomic(directory .. "/link", "new"))
  equal({ fs.read(directory .. "/victim"), fs.lstat(directory .. "/link").type }, { "old", "file" })
end)

test("fs.write_atomic: refusals name the path and leave nothing", function()
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/full/x"))
  for path, code in pairs { ["/full"] = "EISDIR", ["/none/x"] = "ENOENT", ["/new/"] = "EISDIR", ["/."] = "EINVAL",
    ["/" .. ("n"):rep(256)] = "ENAMETOOLONG" } do
    local value, message, got = fs.write_atomic(directory .. path, "text")
    equal({ value, got }, { nil, code }, path)
    ok(message:find(directory .. path, 1, true), message)
  end
  equal(names(directory), { "full" })
  equal(select(3, fs.write_atomic("", "text")), "ENOENT")
  assert(fs.write_atomic(directory .. "/" .. ("n"):rep(255), "text"))
end)

test("fs: a full disk is told, and what was there stays", function()
  local disk <close> = small_disk("256k")
  local path = disk.path .. "/record"
  assert(fs.write_atomic(path, "old"))
  local large = ("x"):rep(1 << 20)
  for _, sync in ipairs { true, false } do
    local value, message, code = fs.write_atomic(path, large, { sync = sync })
    equal({ value, message, code }, { nil, path .. ": No space left on device", "ENOSPC" })
    equal({ fs.read(path), names(disk.path) }, { "old", { "record" } })
  end
  local source = tmpdir() .. "/large"
  assert(fs.write_atomic(source, large))
  equal(select(3, fs.copy(source, path)), "ENOSPC")
  equal({ fs.read(path), names(disk.path) }, { "old", { "record" } })
  equal(select(3, fs.append(disk.path .. "/log", large)), "ENOSPC")
end)

test("fs.append: at the end, in one write, created 0600, never through a link", function()
  local directory = tmpdir()
  local path = directory .. "/log"
  assert(fs.append(path, "one\n"))
  assert(fs.append(path, "two\n"))
  equal({ fs.read(path), mode_of(path) }, { "one\ntwo\n", "600" })
  assert(fs.symlink("log", directory .. "/link"))
  equal(select(3, fs.append(directory .. "/link", "x")), "ELOOP")
  equal(select(3, fs.append(directory, "x")), "EISDIR")
  run_tool({ "mkfifo", directory .. "/fifo" })
  equal(select(3, fs.append(directory .. "/fifo", "x")), "EINVAL")
  equal(select(3, fs.append("/dev/null", "x")), "EINVAL")
end)

test("fs.append: the lines of four writers at once stay whole", function()
  local path = tmpdir() .. "/log"
  local script = [[
    local fs, path, letter = require "sys.fs", ...
    for _ = 1, 200 do assert(fs.append(path, letter:rep(997) .. "\n")) end
  ]]
  local file = tmpdir() .. "/writer.lua"
  assert(fs.write_atomic(file, script))
  do
    local first <close> = program.start { host.executable(), "lua", file, path, "a" }
    local second <close> = program.start { host.executable(), "lua", file, path, "b" }
    local third <close> = program.start { host.executable(), "lua", file, path, "c" }
    run_tool { host.executable(), "lua", file, path, "d" }
    for _, one in ipairs { first, second, third } do equal(one:ended(), { exit = 0 }) end
  end
  local counts = {}
  for line in fs.read(path):gmatch("([^\n]*)\n") do
    equal(line, line:sub(1, 1):rep(997))
    counts[line:sub(1, 1)] = (counts[line:sub(1, 1)] or 0) + 1
  end
  equal(counts, { a = 200, b = 200, c = 200, d = 200 })
end)

test("fs.truncate: both ways; a writer in append mode goes on at the new end, without a hole", function()
  local path = tmpdir() .. "/log"
  local writer <close> = assert(fs.open(path, { append = true, create = true }))
  equal(writer:try_write("123456"), 6)
  assert(fs.truncate(path, 0))
  equal(writer:try_write("78"), 2)
  equal(fs.read(path), "78")
  assert(fs.truncate(path, 4))
  equal(fs.read(path), "78\0\0")
  raises("0 or more", fs.truncate, path, -1)
end)

test("fs.copy: bytes, holes and mode, judged by cmp(1) and stat(1)", function()
  local directory = tmpdir()
  run_tool({ "python3", "-c", [[
import os, sys
with open(sys.argv[1], "wb") as file:
    for place in (0, 1 << 20, (64 << 20) + 12345):
        file.seek(place); file.write(os.urandom(70000))
    file.truncate(256 << 20)
]], directory .. "/from" })
  equal(fs.copy(directory .. "/from", directory .. "/to", { mode = octal "640" }), 256 << 20)
  equal(run_tool({ "cmp", directory .. "/from", directory .. "/to" }).status, 0)
  equal(mode_of(directory .. "/to"), "640")
  ok(fs.stat(directory .. "/to").allocated_bytes <= 2 * fs.stat(directory .. "/from").allocated_bytes, "holes are kept")
  equal(names(directory), { "from", "to" })
end)

test("fs.copy: empty files, other file systems, files of /proc, itself, and what cannot be copied", function()
  local directory = tmpdir()
  assert(fs.write_atomic(directory .. "/empty", ""))
  equal(fs.copy(directory .. "/empty", directory .. "/empty2"), 0)
  local size = fs.copy("/proc/self/environ", directory .. "/environ")
  equal(fs.read(directory .. "/environ"), fs.read("/proc/self/environ"))
  equal(size, #fs.read("/proc/self/environ"))
  assert(fs.write_atomic(directory .. "/file", "text"))
  equal({ fs.copy(directory .. "/file", directory .. "/file"), fs.read(directory .. "/file") }, { 4, "text" })
  if fs.stat("/dev/shm") then
    local other = "/dev/shm/holos-test-" .. require("sys.proc").self().pid
    equal(fs.copy(directory .. "/file", other), 4)
    equal(fs.copy(other, directory .. "/back"), 4)
    equal(fs.read(directory .. "/back"), "text")
    assert(fs.remove(other))
  end
  equal(select(3, fs.copy(directory, directory .. "/x")), "EISDIR")
  equal(select(3, fs.copy("/dev/zero", directory .. "/x")), "EINVAL")
  equal(select(3, fs.copy(directory .. "/none", directory .. "/x")), "ENOENT")
  equal(select(3, fs.copy(directory .. "/file", directory .. "/no/x")), "ENOENT")
  equal(fs.stat(directory .. "/x"), nil)
end)

test("fs.copy_part: slices make the file that cp(1) makes, and it is told when that is shorter than it was", function()
  local directory = tmpdir()
  run_tool({ "python3", "-c", [[
import os, sys
with open(sys.argv[1], "wb") as file:
    for place in (12345, 1 << 20, 9 << 20):
        file.seek(place); file.write(os.urandom(300000))
    file.truncate(64 << 20)
]], directory .. "/from" })
  local from <close> = assert(fs.open(directory .. "/from"))
  local to <close> = assert(fs.open(directory .. "/to", { write = true, create = true }))
  local at, slices, before = 0, 0
  repeat
    before, at = at, assert(fs.copy_part(from, to, at, 65536))
    slices = slices + 1
  until at == before
  equal(at, 64 << 20)
  ok(slices >= 3 * (300000 // 65536), slices .. " slices")
  equal(run_tool({ "cmp", directory .. "/from", directory .. "/to" }).status, 0)
  ok(fs.stat(directory .. "/to").allocated_bytes < 2 << 20, "holes are kept")
  assert(fs.truncate(directory .. "/from", 5))
  equal(select(3, fs.copy_part(from, to, at)), "EBUSY")
  raises("at least one byte", fs.copy_part, from, to, 0, 0)
end)

test("fs.rename: replaces, or refuses to; syncs both directories when asked", function()
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/a"))
  assert(fs.write_atomic(directory .. "/a/one", "1"))
  assert(fs.write_atomic(directory .. "/two", "2"))
  local value, message, code = fs.rename(directory .. "/a/one", directory .. "/two", { replace = false })
  equal({ value, code }, { nil, "EEXIST" })
  ok(message:find("a/one", 1, true) and message:find("/two", 1, true), message)
  assert(fs.rename(directory .. "/a/one", directory .. "/two", { sync = true }))
  equal({ fs.read(directory .. "/two"), names(directory .. "/a") }, { "1", {} })
  assert(fs.rename(directory .. "/a", directory .. "/b", { replace = false, sync = true }))
  equal(names(directory), { "b", "two" })
  equal(select(3, fs.rename(directory .. "/none", directory .. "/x")), "ENOENT")
end)

test("fs.link, fs.symlink, fs.remove, fs.chmod, fs.chown", function()
  local directory = tmpdir()
  local path = directory .. "/file"
  assert(fs.write_atomic(path, "text"))
  assert(fs.link(path, directory .. "/hard"))
  equal(fs.stat(path).links, 2)
  assert(fs.symlink(path, directory .. "/link"))
  assert(fs.chmod(path, octal "4711"))
  equal(mode_of(path), "4711")
  equal(select(3, fs.chmod(directory .. "/link", octal "777")), "ELOOP")
  equal(mode_of(path), "4711")
  assert(fs.chown(directory .. "/link", -1, -1))
  if host.uid() == 0 then
    assert(fs.chown(directory .. "/link", 1234, 4321))
    local link = fs.lstat(directory .. "/link")
    equal({ link.uid, link.gid, fs.stat(path).uid }, { 1234, 4321, 0 })
  end
  assert(fs.remove(directory .. "/link"))
  equal(fs.read(path), "text")
  equal(select(3, fs.remove(directory)), "ENOTEMPTY")
  equal(select(3, fs.remove(directory .. "/none")), "ENOENT")
end)

test("fs.open, fs.append, lock.open: what they create has the mode that was asked for, whatever the umask", function()
  local directory = tmpdir()
  assert(fs.write_atomic(directory .. "/script.lua", [[
    local fs, lock, directory = require "sys.fs", require "sys.lock", ...
    for _, name in ipairs { "/opened", "/exclusive" } do
      assert(fs.open(directory .. name, { write = true, create = true, exclusive = name == "/exclusive", mode = 420 })):close()
    end
    assert(fs.append(directory .. "/appended", "text", { mode = 432 }))
    assert(lock.open(directory .. "/locked")):close()
    assert(fs.open(directory .. "/opened", { write = true, create = true, mode = 511 })):close()
  ]]))
  local result = run_tool { "sh", "-c", 'umask 0777; exec "$@"', "sh", host.executable(), "lua", directory .. "/script.lua",
    directory }
  equal(result.status, 0, result.stderr)
  local modes = {}
  for _, name in ipairs { "opened", "exclusive", "appended", "locked" } do modes[name] = mode_of(directory .. "/" .. name) end
  equal(modes, { opened = "644", exclusive = "644", appended = "660", locked = "600" })
  assert(fs.symlink("nowhere", directory .. "/dangling"))
  equal(select(3, fs.open(directory .. "/dangling", { write = true, create = true })), "ENOENT")
  equal(fs.lstat(directory .. "/nowhere"), nil)
end)

test("fs.open: what was asked for", function()
  local directory = tmpdir()
  local path = directory .. "/file"
  equal(select(3, fs.open(path)), "ENOENT")
  local both <close> = assert(fs.open(path, { read = true, write = true, create = true, exclusive = true }))
  equal({ both:try_write("text"), mode_of(path) }, { 4, "600" })
  equal(select(3, fs.open(path, { write = true, create = true, exclusive = true })), "EEXIST")
  local reader <close> = assert(fs.open(path))
  equal({ reader:try_read(10), reader:try_read(10) }, { "text", "" })
  equal(select(3, reader:try_write("x")), "EBADF")
  assert(fs.open(path, { write = true, truncate = true })):close()
  equal(fs.read(path), "")
  equal(select(3, fs.open(path, { directory = true })), "ENOTDIR")
  assert(fs.symlink("file", directory .. "/link"))
  equal(select(3, fs.open(directory .. "/link", { nofollow = true })), "ELOOP")
  local opened <close> = assert(fs.open(directory, { directory = true }))
  equal(fs.list("/proc/self/fd/" .. opened:fileno()), fs.list(directory))
end)

test("fs: sync flushes a file to the disk, or says why not", function()
  local directory = tmpdir()
  local file = directory .. "/file"
  assert(fs.append(file, "text"))
  equal(fs.sync(file), true)
  equal(select(3, fs.sync(directory .. "/none")), "ENOENT")
  assert(fs.symlink("file", directory .. "/link"))
  equal(select(3, fs.sync(directory .. "/link")), "ELOOP")
  if not tool.find "strace" then return end
  assert(fs.write_atomic(directory .. "/sync.lua", "print(select(3, require('sys.fs').sync((...))))"))
  local result = run_tool { "strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", host.executable(), "lua",
    directory .. "/sync.lua", file }
  equal(result.stdout, "EIO\n")
end)

test("sys: calls that a signal interrupts are made again", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local directory = tmpdir()
  assert(fs.write_atomic(directory .. "/script.lua", [[
    local fs, hash, host, lock = require "sys.fs", require "sys.hash", require "sys.host", require "sys.lock"
    local path = ... .. "/file"
    print(fs.write_atomic(path, "text"), fs.append(path, "more"), fs.read(path), #host.random(9))
    print(fs.copy(path, path .. "2"), fs.read(path .. "2"), lock.open(path .. ".lock"):try_take())
    local file <close> = fs.open(path)
    print(hash.new("sha256"):try_update_from(file))
  ]]))
  local result = run_tool { "strace", "-f", "-o", "/dev/null", "-e",
    "trace=read,write,pread64,pwrite64,getrandom,flock,copy_file_range", "-e",
    "inject=read,write,pread64,pwrite64,getrandom,flock,copy_file_range:error=EINTR:when=1+2",
    host.executable(), "lua", directory .. "/script.lua", directory }
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  if result.stderr:find("error while loading shared libraries", 1, true) then
    skip "a dynamic build: the C library's loader does not try again"
  end
  equal(result.stdout, "true\ttrue\ttextmore\t9\n8\ttextmore\ttrue\n8\n")
end)
