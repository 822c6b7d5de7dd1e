-- A user's own file gets another text: all of it or nothing, and it stays the file that it was.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local tool = require "tests.support.tool"

local SCRIPT = [[
  local replace, task, world = require "holos.run.replace", require "holos.core.task", require "holos.run.world"
  local fine, problem = pcall(task.run, world.poller, replace.text, world, ...)
  if not fine then io.stderr:write(tostring(problem)) end
  return fine and 0 or 1
]]

-- The body of a task gets its scope first.
local function script_in(directory)
  files.write(directory .. "/script.lua", (SCRIPT:gsub("replace%.text, world, %.%.%.",
    "function(_, ...) replace.text(world, ...) end, ...")))
  return directory .. "/script.lua"
end

local function replace(directory, words, before)
  local argv = table.move(before or {}, 1, #(before or {}), 1, {})
  table.move({ host.executable(), "lua", script_in(directory), table.unpack(words) }, 1, 3 + #words, #argv + 1, argv)
  local lua_path = files.environment("HOLOS_LUA_PATH") or ""
  return run_tool(argv, { env = { "ASAN_OPTIONS=detect_leaks=0", "HOLOS_LUA_PATH=" .. lua_path } })
end

local OLD, NEW = "old\n", ("new text\n"):rep(1000)

test("a file is replaced, with its mode and owner, through symbolic links", function()
  local directory = tmpdir()
  local file = directory .. "/file"
  files.write(file, OLD)
  ok(fs.chmod(file, tonumber("604", 8)))
  if host.uid() == 0 then ok(fs.chown(file, 1234, 4321)) end
  local before = fs.stat(file)
  ok(fs.symlink("file", directory .. "/link"))
  ok(fs.symlink("link", directory .. "/second"))
  equal(replace(directory, { directory .. "/second", NEW, OLD }).stderr, "")
  local after = fs.stat(file)
  equal({ files.read(file), after.mode, after.uid, after.gid }, { NEW, before.mode, before.uid, before.gid })
  ok(after.inode ~= before.inode, "written in place")
  equal({ fs.lstat(directory .. "/link").type, fs.lstat(directory .. "/second").type }, { "symlink", "symlink" })
  equal(#fs.list(directory), 4)
end)

test("a file with two names keeps both, and a shorter text leaves nothing behind it", function()
  local directory = tmpdir()
  files.write(directory .. "/file", NEW)
  ok(fs.link(directory .. "/file", directory .. "/other"))
  equal(replace(directory, { directory .. "/file", OLD, NEW }).stderr, "")
  equal({ files.read(directory .. "/other"), fs.stat(directory .. "/file").links }, { OLD, 2 })
end)

local function need_strace()
  if not tool.find "strace" then skip "strace is not installed" end
end

test("a full disk leaves the old text, where it is replaced and where it is written in place", function()
  need_strace()
  for _, links in ipairs { 1, 2 } do
    local directory = tmpdir()
    local file = directory .. "/file"
    files.write(file, OLD)
    if links == 2 then ok(fs.link(file, directory .. "/other")) end
    local fault = { "strace", "-f", "-o", "/dev/null", "-P", file, "-e", "inject=write:error=ENOSPC:when=1" }
    if links == 1 then fault = { "strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=ENOSPC" } end
    local result = replace(directory, { file, NEW, OLD }, fault)
    equal({ result.status, result.stderr:find("No space left on device", 1, true) ~= nil }, { 1, true })
    equal({ files.read(file), #fs.list(directory) }, { OLD, 1 + links })
  end
end)

test("where no file can be made beside it, it is written in place", function()
  need_strace()
  local directory = tmpdir()
  local file = directory .. "/file"
  files.write(file, OLD)
  local inode = fs.stat(file).inode
  local fault = { "strace", "-f", "-o", "/dev/null", "-e", "inject=renameat,renameat2,rename:error=EACCES" }
  equal(replace(directory, { file, NEW, OLD }, fault).stderr, "")
  equal({ files.read(file), fs.stat(file).inode, #fs.list(directory) }, { NEW, inode, 2 })
end)
