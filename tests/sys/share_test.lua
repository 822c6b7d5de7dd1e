--- run/share: what virtiofsd is made to serve, seen from its root directory.

local facts = require "holos.run.facts"
local fs = require "sys.fs"
local host = require "sys.host"
local proc = require "sys.proc"
local share = require "holos.run.share"
local task = require "holos.core.task"
local world = require "holos.run.world"

local virtiofsd = facts.virtiofsd(world) or skip "virtiofsd is not installed"
if host.uid() ~= 0 then skip "only root can look into the root directory of another process" end

--- Whether two paths lead to one directory, whatever its name is in another mount namespace.
local function is_same(one, other)
  local a, b = assert(fs.stat(one)), assert(fs.stat(other))
  return a.device == b.device and a.inode == b.inode
end

--- Starts a share of `path` and calls look(root) with the root directory that its virtiofsd has got.
local function serve(path, read_only, look)
  local directory = tmpdir()
  local launching = { spec = { name = "web-0" }, virtiofsd = virtiofsd, shares = {}, on_share = function() end }
  local socket <close> = assert(share.connect(world, launching, directory, { tag = "share0", path = path,
    read_only = read_only }))
  local started = launching.shares[1]
  local process <close> = assert(proc.open(started.pid, started.start_time))
  local root = ("/proc/%d/root"):format(started.pid)
  task.within(20000, function()
    while is_same(root, "/") do task.wait { at_ms = task.now_ms() + 10 } end
  end)
  look(root)
  socket:close()
  task.within(20000, task.wait, { process = process })
  ok(proc.reap(started.pid))
end

test("share: a directory behind a symbolic link is served, readable only when asked so", function()
  local base = fs.realpath(tmpdir())
  assert(fs.mkdir_all(base .. "/real", 493))
  assert(fs.write_atomic(base .. "/real/file", "text", { mode = 420 }))
  assert(fs.symlink("real", base .. "/link"))
  for _, read_only in ipairs { true, false } do
    serve(base .. "/link", read_only, function(root)
      ok(is_same(root, base .. "/real"))
      equal(fs.read(root .. "/file"), "text")
      equal(select(3, fs.append(root .. "/new", "x")), read_only and "EROFS" or nil)
    end)
  end
end)

test("share: a real name that virtiofsd would cut is refused", function()
  local base = tmpdir()
  assert(fs.mkdir_all(base .. "/a,b", 493))
  assert(fs.symlink("a,b", base .. "/link"))
  local problem = raises("virtiofsd cannot share", serve, base .. "/link", true)
  ok(problem.hint:find("driver: 9p", 1, true))
end)
