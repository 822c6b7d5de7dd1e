--- sys.fs: reading and looking, judged by stat(1), find(1), sha256sum(1) and the kernel's own files.

local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"

--- The second and third results of a refused call.
local function refusal(value, message, code)
  equal(value, nil)
  return { code, message }
end

test("fs.read: every byte, of files of all sizes around the chunks", function()
  local directory = tmpdir()
  for _, size in ipairs { 0, 1, 1023, 1024, 1025, 65536, 1000003 } do
    local path = directory .. "/" .. size
    run_tool({ "sh", "-c", "head -c " .. size .. " /dev/urandom > " .. path })
    local text = assert(fs.read(path))
    equal(#text, size)
    equal(hash.sha256(text), run_tool({ "sha256sum", path }).stdout:sub(1, 64))
  end
end)

test("fs.read: a file exactly as long as the cap is read, a longer one refused", function()
  local path = tmpdir() .. "/file"
  assert(fs.write_atomic(path, "12345"))
  equal(fs.read(path, { max_bytes = 5 }), "12345")
  equal(refusal(fs.read(path, { max_bytes = 4 })), { "EFBIG", path .. ": larger than 4 bytes" })
  equal(fs.read("/dev/null"), nil)
end)

test("fs.read: a sparse file of 1 GiB is refused without being read", function()
  local path = tmpdir() .. "/sparse"
  assert(fs.write_atomic(path, ""))
  assert(fs.truncate(path, 1 << 30))
  equal(refusal(fs.read(path))[1], "EFBIG")
  equal(#fs.read_at(path, (1 << 30) - 3, 10), 3)
  equal({ #fs.tail(path, 7), select(2, fs.tail(path, 7)) }, { 7, (1 << 30) - 7 })
end)

test("fs.read: files of /proc, whose size says 0, are read whole and capped too", function()
  equal(fs.stat("/proc/self/status").size_bytes, 0)
  ok(fs.read("/proc/self/status"):find("\nThreads:"))
  equal(fs.read("/proc/sys/kernel/pid_max"), run_tool({ "cat", "/proc/sys/kernel/pid_max" }).stdout)
  equal(refusal(fs.read("/proc/self/status", { max_bytes = 10 }))[1], "EFBIG")
end)

test("fs.read: what is no regular file is refused and never waited for", function()
  local directory = tmpdir()
  run_tool({ "mkfifo", directory .. "/fifo" })
  equal(refusal(fs.read(directory .. "/fifo")), { "EINVAL", directory .. "/fifo: not a regular file" })
  equal(refusal(fs.read("/dev/zero"))[1], "EINVAL")
  equal(refusal(fs.read(directory))[1], "EISDIR")
  equal(refusal(fs.tail(directory .. "/fifo", 10))[1], "EINVAL")
  equal(refusal(fs.read_at("/dev/zero", 0, 10))[1], "EINVAL")
  equal(refusal(fs.read(directory .. "/none"))[1], "ENOENT")
  equal(refusal(fs.read(directory .. "/none/below"))[1], "ENOENT")
  equal(refusal(fs.read("/dev/null/below"))[1], "ENOTDIR")
end)

test("fs.read: symbolic links are followed unless told otherwise; tail and read_at never do", function()
  local directory = tmpdir()
  assert(fs.write_atomic(directory .. "/file", "text"))
  assert(fs.symlink("file", directory .. "/link"))
  equal(fs.read(directory .. "/link"), "text")
  equal(refusal(fs.read(directory .. "/link", { nofollow = true }))[1], "ELOOP")
  equal(refusal(fs.tail(directory .. "/link", 2))[1], "ELOOP")
  equal(refusal(fs.read_at(directory .. "/link", 0, 2))[1], "ELOOP")
end)

test("fs.read: no permission is said", function()
  if host.uid() ~= 0 then skip "needs root to become somebody else" end
  local directory = tmpdir()
  assert(fs.copy(host.executable(), directory .. "/holos", { mode = tonumber("755", 8) }))
  assert(fs.write_atomic(directory .. "/script.lua", [[
    local fs = require "sys.fs"
    print(select(3, fs.read("/etc/shadow")), select(3, fs.write_atomic("/etc/holos-test", "")),
      select(3, fs.append("/etc/holos-test", "")), select(3, fs.mkdir_all("/etc/holos-test/a")),
      select(3, fs.list("/root")), select(3, fs.remove("/etc/passwd")))
  ]], { mode = tonumber("644", 8) }))
  assert(fs.chmod(directory, tonumber("755", 8)))
  local result = run_tool { "setpriv", "--reuid=65534", "--clear-groups", directory .. "/holos", "lua",
    directory .. "/script.lua" }
  if result.status ~= 0 then skip("another user cannot run holos: " .. result.stderr) end
  equal(result.stdout, ("EACCES\t"):rep(5) .. "EACCES\n")
end)

test("fs.read_at and fs.tail: parts, the end, and beyond", function()
  local path = tmpdir() .. "/file"
  assert(fs.write_atomic(path, "0123456789"))
  equal({ fs.read_at(path, 3, 4) }, { "3456", 3 })
  equal({ fs.read_at(path, 8, 100) }, { "89", 8 })
  equal({ fs.read_at(path, 10, 1) }, { "", 10 })
  equal({ fs.read_at(path, 1 << 40, 1) }, { "", 1 << 40 })
  equal({ fs.tail(path, 3) }, { "789", 7 })
  equal({ fs.tail(path, 10) }, { "0123456789", 0 })
  equal({ fs.tail(path, 1000) }, { "0123456789", 0 })
  raises("0 or more", fs.read_at, path, -1, 1)
  raises("1 byte", fs.tail, path, 0)
end)

test("fs: programmers' errors raise and name the field", function()
  raises("NUL", fs.read, "a\0b")
  raises("unknown option 'max'", fs.read, "/etc/passwd", { max = 1 })
  raises("bad field 'max_bytes'", fs.read, "/etc/passwd", { max_bytes = "1" })
  raises("is not in 0%.%.4095", fs.write_atomic, "/nonexistent/x", "", { mode = 4096 })
  raises("table expected", fs.read, "/etc/passwd", 1)
  raises("string expected", fs.read)
end)

test("fs.stat and fs.lstat: as stat(1) has it", function()
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && head -c 5000 /dev/zero > file && chmod 6751 file &&
    touch -d 2001-02-03T04:05:06.789Z file && ln -s file link && mkfifo fifo && mkdir dir &&
    truncate -s 1G sparse && ln file hard]], directory })
  for _, name in ipairs { "file", "link", "fifo", "dir", "sparse", "/dev/null", "/proc/1/stat" } do
    local path = name:sub(1, 1) == "/" and name or directory .. "/" .. name
    local facts = assert(fs.lstat(path))
    local values = { facts.size_bytes, ("%o"):format(facts.mode), facts.uid, facts.gid, facts.device, facts.inode,
      facts.links, facts.allocated_bytes // 512, facts.mtime_ns // 1000000000 }
    local judged = run_tool({ "stat", "-c", "%s %a %u %g %d %i %h %b %Y", path }).stdout
    equal(table.concat(values, " ") .. "\n", judged, name)
  end
  equal(fs.stat(directory .. "/link"), fs.lstat(directory .. "/hard"))
  equal(fs.stat(directory .. "/file").mtime_ns, 981173106789000000)
end)

test("fs.stat: times beyond 64 bits of nanoseconds do not wrap", function()
  local path = tmpdir() .. "/file"
  run_tool({ "touch", "-d", "2400-01-01", path })
  local seconds = tonumber((run_tool({ "stat", "-c", "%Y", path }).stdout))
  local facts = assert(fs.stat(path))
  equal(facts.mtime_ns, seconds > math.maxinteger // 1000000000 and math.maxinteger or seconds * 1000000000)
end)

test("fs.list: every name and type, sorted by bytes, as find(1) has it", function()
  local directory = tmpdir()
  run_tool({ "python3", "-c", [[
import os, socket, sys
os.chdir(sys.argv[1])
for name in ["b", "a", "B", "\u00e9", " ", "a\nb", ".hidden", "z" * 255]:
    open(name, "w").close()
os.mkdir("dir"); os.mkfifo("fifo"); os.symlink("nowhere", "link")
socket.socket(socket.AF_UNIX).bind("socket")
]], directory })
  local types = { f = "file", d = "directory", l = "symlink", s = "socket", p = "fifo" }
  local wanted = {}
  local found = run_tool({ "find", directory, "-mindepth", "1", "-printf", "%y%f\\0" }).stdout
  for type, name in found:gmatch("(.)(%Z*)%z") do
    wanted[#wanted + 1] = { name = name, type = types[type] }
  end
  table.sort(wanted, function(a, b) return a.name < b.name end)
  equal(fs.list(directory), wanted)
  equal(#wanted, 12)
end)

test("fs.list: an empty directory, /dev, and what is none", function()
  equal(fs.list(tmpdir()), {})
  local seen = {}
  for _, entry in ipairs(assert(fs.list("/dev"))) do seen[entry.name] = entry.type end
  equal(seen.null, "char")
  equal(refusal(fs.list("/etc/passwd"))[1], "ENOTDIR")
end)

test("fs.readlink, fs.realpath, fs.space: as readlink(1) and df(1) have it", function()
  local directory = tmpdir()
  assert(fs.symlink("../x/y", directory .. "/link"))
  equal(fs.readlink(directory .. "/link"), "../x/y")
  equal(refusal(fs.readlink(directory))[1], "EINVAL")
  equal(fs.realpath(directory .. "/./../" .. directory:match("[^/]+$")), fs.realpath(directory))
  equal(fs.realpath("/proc/self/cwd"), host.working_directory())
  equal(refusal(fs.realpath(directory .. "/link"))[1], "ENOENT")
  local size = run_tool({ "df", "-B1", "--output=size", "/proc" }).stdout:match("(%d+)%s*$")
  equal(fs.space("/proc").total_bytes, tonumber(size))
  local space = fs.space(directory)
  equal(space.total_bytes, tonumber((run_tool({ "df", "-B1", "--output=size", directory }).stdout:match("(%d+)%s*$"))))
  ok(space.free_bytes > 0 and space.free_bytes <= space.total_bytes)
end)

test("fs: nothing stays open, whatever the outcome", function()
  collectgarbage "stop"
  local before = #fs.list("/proc/self/fd")
  for _ = 1, 200 do
    fs.read("/etc/passwd"); fs.read("/etc/passwd", { max_bytes = 3 }); fs.read("/etc"); fs.read("/etc/none")
    fs.read_beneath("/etc", "passwd"); fs.read_beneath("/", "etc"); fs.read_beneath("/etc", "../etc/passwd")
    fs.tail("/etc/passwd", 10); fs.read_at("/etc/passwd", 0, 10); fs.list("/etc")
    fs.write_atomic("/proc/none", ""); fs.append("/proc", ""); fs.mkdir_all("/proc/none")
    fs.remove_tree("/proc/none/x"); fs.copy("/etc/passwd", "/proc/none"); fs.chmod("/proc/none", 0)
  end
  local after = #fs.list("/proc/self/fd")
  collectgarbage "restart"
  equal(after, before)
end)
