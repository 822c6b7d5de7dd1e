--- sys.fs: whole trees and paths that may not lead out, judged by find(1) and by somebody who swaps links meanwhile.

local fs = require "sys.fs"
local host = require "sys.host"
local program = require "tests.support.program"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local function octal(text)
  return tonumber(text, 8)
end

local function code_of(_, _, code)
  return code
end

local function found(directory)
  local lines = {}
  for line in run_tool({ "find", directory, "-mindepth", "1", "-printf", "%P %y\\n" }).stdout:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  table.sort(lines)
  return lines
end

test("fs.mkdir_all: missing parents get the mode, what is there keeps its own", function()
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/a//b/./c/", octal "711"))
  local modes = run_tool({ "stat", "-c", "%a", directory .. "/a", directory .. "/a/b", directory .. "/a/b/c" }).stdout
  equal(modes, "711\n711\n711\n")
  assert(fs.mkdir_all(directory .. "/a/b/d"))
  equal(run_tool({ "stat", "-c", "%a", directory .. "/a/b", directory .. "/a/b/d" }).stdout, "711\n700\n")
  assert(fs.mkdir_all("/"))
  assert(fs.mkdir_all("."))
end)

test("fs.mkdir_all: follows links that lead to a directory; files and dangling links are errors", function()
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/real"))
  assert(fs.symlink("real", directory .. "/link"))
  assert(fs.symlink("nowhere", directory .. "/dangling"))
  assert(fs.write_atomic(directory .. "/file", ""))
  assert(fs.mkdir_all(directory .. "/link/new"))
  ok(fs.stat(directory .. "/real/new"))
  equal(code_of(fs.mkdir_all(directory .. "/file/x")), "ENOTDIR")
  equal(code_of(fs.mkdir_all(directory .. "/file")), "ENOTDIR")
  ok(not fs.mkdir_all(directory .. "/dangling/x"))
  equal(fs.lstat(directory .. "/nowhere"), nil)
  equal(code_of(fs.mkdir_all(directory .. "/" .. ("n"):rep(256))), "ENAMETOOLONG")
  equal(code_of(fs.mkdir_all("")), "ENOENT")
end)

test("fs.remove_tree: everything in it, nothing that its links point to", function()
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && mkdir -p keep tree/a/b/c tree/d && echo x > keep/file &&
    ln -s ../../keep tree/a/link && ln -s "$0/keep" tree/absolute &&
    ln -s ../keep/file tree/d/file && mkfifo tree/d/fifo && echo y > tree/a/b/c/y &&
    ln keep/file tree/hard && ln -s loop tree/loop]], directory })
  assert(fs.remove_tree(directory .. "/tree"))
  equal(found(directory), { "keep d", "keep/file f" })
  equal(fs.read(directory .. "/keep/file"), "x\n")
end)

test("fs.remove_tree: a link, a file, nothing at all; not a root, not a dot", function()
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/keep/x"))
  assert(fs.symlink("keep", directory .. "/link"))
  assert(fs.write_atomic(directory .. "/file", ""))
  assert(fs.remove_tree(directory .. "/link/"))
  assert(fs.remove_tree(directory .. "/file"))
  assert(fs.remove_tree(directory .. "/none"))
  assert(fs.remove_tree(directory .. "/none/deeper"))
  equal(found(directory), { "keep d", "keep/x d" })
  for _, path in ipairs { "/", directory .. "/keep/.", directory .. "/keep/.." } do
    equal(code_of(fs.remove_tree(path)), "EINVAL", path)
  end
  equal(code_of(fs.remove_tree("")), "ENOENT")
end)

test("fs.remove_tree: 500 levels deep and 2,000 files wide, with few descriptors", function()
  local directory = tmpdir()
  run_tool({ "python3", "-c", [[
import os, sys
os.chdir(sys.argv[1]); os.mkdir("tree"); os.chdir("tree")
for i in range(2000): os.close(os.open("f%d" % i, os.O_CREAT))
for i in range(500):
    os.mkdir("d" * 50); os.chdir("d" * 50); os.mkdir("empty"); os.close(os.open("f", os.O_CREAT))
]], directory })
  assert(fs.write_atomic(directory .. "/script.lua", "print(require('sys.fs').remove_tree((...)))"))
  local result = run_tool { "sh", "-c", [[ulimit -n 24; exec "$0" lua "$1/script.lua" "$1/tree"]], host.executable(),
    directory }
  assert(fs.remove(directory .. "/script.lua"))
  equal({ result.stdout, result.stderr, found(directory) }, { "true\n", "", {} })
end)

test("fs.remove_tree: stops before another file system, also a mount of the same one", function()
  if host.uid() ~= 0 then skip "only root can mount" end
  local directory = tmpdir()
  run_tool({ "mkdir", "-p", directory .. "/tree/a/mount", directory .. "/other" })
  assert(fs.write_atomic(directory .. "/other/precious", "x"))
  for _, mount in ipairs { { "-t", "tmpfs", "tmpfs" }, { "--bind", directory .. "/other" } } do
    mount[#mount + 1] = directory .. "/tree/a/mount"
    if run_tool({ "mount", table.unpack(mount) }).status ~= 0 then skip "mounting is not allowed here" end
    fs.write_atomic(directory .. "/tree/a/mount/precious", "x")
    local _, message, code = fs.remove_tree(directory .. "/tree")
    local kept = fs.read(directory .. "/tree/a/mount/precious")
    run_tool({ "umount", directory .. "/tree/a/mount" })
    equal({ code, kept }, { "EXDEV", "x" })
    ok(message:find("file system", 1, true), message)
  end
  assert(fs.remove_tree(directory .. "/tree"))
  equal(fs.read(directory .. "/other/precious"), "x")
end)

-- Swaps `name` in argv[1] between a directory and a link to the outside, as fast as it can, until its input ends.
local SWAPPER = [[
import os, sys, select
os.chdir(sys.argv[1])
print("ready", flush=True)
while not select.select([0], [], [], 0)[0]:
    os.rename("name", "parked"); os.rename("link", "name")
    os.rename("name", "link"); os.rename("parked", "name")
]]

-- Fills argv[1]/name, puts a link to the outside in its place, and again.
local FILLER = [[
import os, sys, select
os.chdir(sys.argv[1])
print("ready", flush=True)
def attempt(action, *arguments):
    try: action(*arguments)
    except OSError: pass
while not select.select([0], [], [], 0)[0]:
    attempt(os.makedirs, "name/deep/er"); attempt(os.makedirs, "name/more")
    attempt(os.rename, "name", "parked"); attempt(os.symlink, "../outside", "name")
    attempt(os.unlink, "name"); attempt(os.rename, "parked", "name")
]]

local function swapped_directory()
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && mkdir -p outside inside/name && echo secret > outside/file &&
    mkdir -p outside/kept outside/deep/er && echo public > inside/name/file && ln -s "$0/outside" inside/link]],
    directory })
  return directory
end

--- What 1,000 tries gave, or more, until `enough(outcomes)`: text or code -> count. `read(inside)` is one try.
local function race(directory, script, read, enough)
  local swapper <close> = program.start { "python3", "-c", script, directory .. "/inside" }
  equal(swapper:line(), "ready")
  local outcomes, tries = {}, 0
  while tries < 1000 or enough and not enough(outcomes) do
    tries = tries + 1
    local value, _, code = read(directory .. "/inside")
    outcomes[tostring(value or code)] = (outcomes[tostring(value or code)] or 0) + 1
    task.yield()
  end
  return outcomes
end

test("fs.read_beneath: 1,000 reads while the directory becomes a link to the outside and back", function()
  local outcomes = race(swapped_directory(), SWAPPER, function(inside)
    return fs.read_beneath(inside, "name/file")
  end, function(outcomes) return outcomes["public\n"] and outcomes.EXDEV end)
  for outcome in pairs(outcomes) do
    ok(({ ["public\n"] = true, EXDEV = true, ENOENT = true, EBUSY = true })[outcome], outcome)
  end
end)

test("fs.remove_tree: never follows a link that takes a directory's place", function()
  local directory = swapped_directory()
  race(directory, FILLER, function(inside) return fs.remove_tree(inside .. "/name") end)
  equal(found(directory .. "/outside"), { "deep d", "deep/er d", "file f", "kept d" })
end)

-- Moves argv[1]/inside/name/a/b to the outside as soon as the first of its files is gone.
local MOVER = [[
import os, sys
os.chdir(sys.argv[1])
print("ready", flush=True)
while len(os.listdir("inside/name/a/b")) == 20: pass
os.rename("inside/name/a/b", "outside/b")
]]

test("fs.remove_tree: a directory that is moved away meanwhile does not take it to the outside", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local directory = swapped_directory()
  run_tool { "sh", "-c", 'mkdir -p "$0/a/b" && cd "$0/a/b" && touch $(seq 20)', directory .. "/inside/name" }
  assert(fs.write_atomic(directory .. "/script.lua", [[print(select(3, require("sys.fs").remove_tree((...))))]]))
  local mover <close> = program.start { "python3", "-c", MOVER, directory }
  equal(mover:line(), "ready")
  local result = run_tool { "strace", "-f", "-o", "/dev/null", "-e", "trace=unlinkat", "-e",
    "inject=unlinkat:delay_enter=10ms", host.executable(), "lua", directory .. "/script.lua",
    directory .. "/inside/name" }
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  equal(mover:ended(), { exit = 0 })
  equal(result.stdout, "ESTALE\n")
  equal(found(directory .. "/outside"), { "b d", "deep d", "deep/er d", "file f", "kept d" })
end)

test("fs.read_beneath: what stays beneath is read, what leads out is not", function()
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && mkdir -p in/a && echo text > in/a/file && echo secret > secret && cd in &&
    ln -s a/file good && ln -s ../file a/up && ln -s ../../secret a/out && ln -s "$0/in/a/file" absolute &&
    ln -s /proc/self/fd magic && mkfifo fifo]], directory })
  local base = directory .. "/in"
  for _, path in ipairs { "a/file", "good", "./a//file", "a/../a/file" } do
    equal(fs.read_beneath(base, path), "text\n")
  end
  for path, code in pairs { ["../secret"] = "EXDEV", ["a/../../secret"] = "EXDEV", ["a/out"] = "EXDEV",
    absolute = "EXDEV", ["/etc/passwd"] = "EXDEV", ["a/up"] = "ENOENT", ["magic/0"] = "EXDEV", a = "EISDIR",
    [""] = "ENOENT", fifo = "EINVAL", ["."] = "EISDIR", none = "ENOENT" } do
    local value, message, got = fs.read_beneath(base, path)
    equal({ value, got }, { nil, code }, path .. ": " .. tostring(message))
  end
  equal(code_of(fs.read_beneath(base, "a/file", { max_bytes = 2 })), "EFBIG")
  equal(code_of(fs.read_beneath(directory .. "/secret", "x")), "ENOTDIR")
end)

test("fs.open_beneath: a directory that is kept, whatever its path becomes", function()
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && mkdir -p in/a && echo text > in/a/file]], directory })
  local opened <close> = assert(fs.open_beneath(directory .. "/in", "a", { directory = true }))
  assert(fs.rename(directory .. "/in/a", directory .. "/in/b"))
  assert(fs.symlink("/etc", directory .. "/in/a"))
  equal(fs.list("/proc/self/fd/" .. opened:fileno()), { { name = "file", type = "file" } })
  equal(fs.read_beneath("/proc/self/fd/" .. opened:fileno(), "file"), "text\n")
  equal(code_of(fs.open_beneath(directory .. "/in", "a", { directory = true })), "EXDEV")
  equal(code_of(fs.open_beneath(directory .. "/in", "b/file", { directory = true })), "ENOTDIR")
end)

test("fs: on kernels without openat2 the same is refused, and links beneath as well", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local directory = tmpdir()
  run_tool({ "sh", "-c", [[cd "$0" && mkdir -p in/a tree/a/b && echo text > in/a/file && ln -s a/file in/good &&
    ln -s /etc in/etc && echo x > tree/a/b/c && ln -s /etc tree/a/etc]], directory })
  assert(fs.write_atomic(directory .. "/script.lua", [[
    local fs, directory = require "sys.fs", ...
    local function try(path)
      local text, _, code = fs.read_beneath(directory .. "/in", path)
      print(path, text and #text or code)
    end
    try "a/file" try "./a//file" try "good" try "etc/passwd"
    try "../x" try "a/../a/file" try "/etc/passwd" try "a" try ""
    print(fs.remove_tree(directory .. "/tree"), fs.stat(directory .. "/tree"))
  ]]))
  local result = run_tool { "strace", "-f", "-o", "/dev/null", "-e", "trace=openat2", "-e",
    "inject=openat2:error=ENOSYS", host.executable(), "lua", directory .. "/script.lua", directory }
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  equal(result.stdout, "a/file\t5\n./a//file\t5\ngood\tELOOP\netc/passwd\tENOTDIR\n../x\tEXDEV\na/../a/file\tEXDEV\n" ..
    "/etc/passwd\tEXDEV\na\tEISDIR\n\tENOENT\ntrue\tnil\t" .. directory .. "/tree: No such file or directory\tENOENT\n")
end)
