--- sys.lock and holos.run.lock, judged by flock(1), by holders that are killed and by a counter that must not slip.

local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local locks = require "holos.run.lock"
local program = require "tests.support.program"
local sys_lock = require "sys.lock"
local task = require "holos.core.task"
local world = require "holos.run.world"

--- What flock(1) says: true when nobody holds the lock.
local function is_free(path)
  return run_tool({ "flock", "-n", path, "true" }).status == 0
end

-- Takes the lock arg[1] as "someone", says so, and holds it until its input ends.
local HOLDER = [[
  local lock = assert(require("sys.lock").open(arg[1]))
  assert(lock:try_take())
  lock:write_owner("someone")
  print "held" io.stdout:flush()
  io.stdin:read "a"
]]

local function hold(path)
  local script = tmpdir() .. "/holder.lua"
  assert(fs.write_atomic(script, HOLDER))
  local holder = program.start { host.executable(), "lua", script, path }
  equal(holder:line(), "held")
  return holder
end

test("lock: excludes flock(1) and is excluded by it; the file is 0600 and stays", function()
  local path = tmpdir() .. "/lock"
  local lock <close> = assert(sys_lock.open(path))
  ok(is_free(path))
  equal({ lock:try_take(), lock:is_held(), lock:try_take(), is_free(path) }, { true, true, true, false })
  equal({ lock:release(), lock:release(), lock:is_held(), is_free(path) }, { true, true, false, true })
  equal(("%o"):format(fs.stat(path).mode), "600")
  local other <close> = program.start { "flock", path, "sh", "-c", "echo held; cat" }
  equal(other:line(), "held")
  local second <close> = assert(sys_lock.open(path))
  equal({ second:try_take() }, { nil, "EAGAIN", "r" })
end)

test("lock.open: regular files only, no links", function()
  local directory = tmpdir()
  run_tool({ "sh", "-c", 'cd "$0" && touch victim && ln -s victim link && ln -s none dangling && mkfifo fifo',
    directory })
  local function code(path) return select(3, sys_lock.open(path)) end
  equal({ code(directory .. "/link"), code(directory .. "/dangling"), code(directory .. "/fifo"), code(directory),
    code("/dev/null"), code(directory .. "/none/lock") }, { "ELOOP", "ELOOP", "EINVAL", "EISDIR", "EINVAL", "ENOENT" })
  equal(fs.lstat(directory .. "/none"), nil)
end)

test("lock: whose it is can be read by all, and is gone when it is let go", function()
  local path = tmpdir() .. "/lock"
  local first <close> = assert(sys_lock.open(path))
  local second <close> = assert(sys_lock.open(path))
  raises("not held", first.write_owner, first, "me")
  assert(first:try_take())
  equal(second:read_owner(), "")
  for _, text in ipairs { "a longer name", "me" } do
    assert(first:write_owner(text))
    equal(second:read_owner(), text)
  end
  raises("too long", first.write_owner, first, ("x"):rep(4097))
  first:release()
  equal(second:read_owner(), "")
  raises("closed", first.try_take, first)
end)

test("lock: a child that still waits at its gate does not keep it", function()
  local path = tmpdir() .. "/lock"
  local lock <close> = assert(sys_lock.open(path))
  assert(lock:try_take())
  local child <close> = assert(launch.prepare { program = "/bin/sleep", argv = { "1000" } })
  local waiter <close> = assert(sys_lock.open(path))
  equal({ waiter:try_take() }, { nil, "EAGAIN", "r" })
  lock:release()
  equal(io_wait.await(waiter, "try_take"), true)
  waiter:release()
  ok(is_free(path))
  local again <close> = assert(sys_lock.open(path))
  assert(again:try_take())
  assert(child:go())
  again:release()
  ok(is_free(path))
  child:kill()
  io_wait.await(child, "try_wait")
end)

test("lock: letting go wakes a waiter, each time", function()
  local path = tmpdir() .. "/lock"
  for _ = 1, 50 do
    local first <close> = assert(sys_lock.open(path))
    local second <close> = assert(sys_lock.open(path))
    assert(first:try_take())
    task.all {
      function() equal(io_wait.await(second, "try_take"), true) end,
      function()
        task.wait { at_ms = task.now_ms() + 1 }
        first:release()
      end,
    }
    raises("not waiting", second.fileno, second)
  end
end)

local KILLS = files.environment("HOLOS_TESTS") == "all" and 1000 or 10

test(("run.lock: the locks of %d killed holders are taken when they end, whoever they were"):format(KILLS), function()
  local path = tmpdir() .. "/lock"
  for _ = 1, KILLS do
    local holder = hold(path)
    local told
    task.all {
      function()
        local lock <close> = locks.take(world, path, { timeout_ms = 60000, on_wait = function(owner) told = owner end })
        ok(lock:is_held())
      end,
      function()
        task.wait { at_ms = task.now_ms() + 2 }
        local _killed <close> = holder
      end,
    }
    equal(told, "someone")
  end
end, { timeout_ms = 600000 })

test("run.lock: a holder whose end no event tells of is waited for all the same", function()
  local path = tmpdir() .. "/lock"
  assert(fs.write_atomic(path, ""))
  -- flock(1) opens the file for reading only, so its closing is no close_write.
  local other <close> = program.start { "flock", path, "sh", "-c", "echo held; cat" }
  equal(other:line(), "held")
  task.all {
    function() locks.take(world, path, { timeout_ms = 60000 }):release() end,
    function() other.stdin:close() end,
  }
end)

test("run.lock: refuses in time, names the holder and the file", function()
  local path = tmpdir() .. "/lock"
  local _holder <close> = hold(path)
  local waits = 0
  for _, options in ipairs { { no_wait = true, timeout_ms = 1000 }, { timeout_ms = 0 }, { timeout_ms = 30 }, {} } do
    options.name, options.on_wait = "project web", function() waits = waits + 1 end
    local fine, problem = pcall(locks.take, world, path, options)
    equal({ fine, problem.code, problem.exit }, { false, "ELOCKED", 5 })
    ok(problem.message:find("project web is locked by someone", 1, true), problem.message)
    ok(problem.hint:find(path, 1, true), problem.hint)
  end
  equal(waits, 1)
  local fine, problem = pcall(locks.take, world, path .. "/none", {})
  equal({ fine, err.is(problem, "ENOTDIR") }, { false, true })
end)

test("run.lock: a holder's name cannot speak to the terminal", function()
  local path = tmpdir() .. "/lock"
  local first <close> = assert(sys_lock.open(path))
  assert(first:try_take())
  assert(first:write_owner("a\27[31m\nb"))
  local fine, problem = pcall(locks.take, world, path, { no_wait = true })
  equal({ fine, problem.message }, { false, path .. " is locked by a [31m b" })
end)

test("run.lock: writes who holds it, and does without on a full disk", function()
  local path = tmpdir() .. "/lock"
  do
    local lock <close> = locks.take(world, path, { owner_text = "holos up" })
    equal(lock:read_owner(), "holos up, pid " .. world.proc.self().pid)
  end
  if host.uid() ~= 0 then skip "only root can mount a small file system" end
  local disk = tmpdir()
  if run_tool({ "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk }).status ~= 0 then skip "no tmpfs" end
  local _unmounted <close> = setmetatable({}, { __close = function() run_tool({ "umount", disk }) end })
  local fill <close> = assert(fs.open(disk .. "/fill", { write = true, create = true }))
  while fill:try_write(("x"):rep(4096)) do end
  local lock <close> = locks.take(world, disk .. "/lock", {})
  equal(lock:is_held(), true)
end)

test("run.lock: a file that was removed meanwhile is made anew, so that there are never two holders", function()
  local path = tmpdir() .. "/lock"
  local first <close> = assert(sys_lock.open(path))
  assert(first:try_take())
  task.all {
    function()
      local second <close> = locks.take(world, path, { timeout_ms = 60000 })
      equal({ second:is_held(), is_free(path) }, { true, false })
    end,
    function()
      task.wait { at_ms = task.now_ms() + 1 }
      assert(fs.remove(path))
      first:release()
    end,
  }
end)

test("run.lock: a wait that is cancelled leaves nothing", function()
  local path = tmpdir() .. "/lock"
  local first <close> = assert(sys_lock.open(path))
  assert(first:try_take())
  local fine, problem = pcall(task.within, 20, locks.take, world, path, { timeout_ms = 60000 })
  equal({ fine, err.is(problem, "ETIMEDOUT") }, { false, true })
end)

test("run.lock: six processes count to 180 together, no step is lost", function()
  local directory = tmpdir()
  local script = directory .. "/count.lua"
  assert(fs.write_atomic(directory .. "/counter", "0"))
  assert(fs.write_atomic(script, [[
    local fs, locks, task, world = require "sys.fs", require "holos.run.lock", require "holos.core.task",
      require "holos.run.world"
    task.run(world.poller, function()
      for _ = 1, 30 do
        local lock <close> = locks.take(world, arg[1] .. "/lock", { timeout_ms = 60000 })
        local file = arg[1] .. "/counter"
        assert(fs.write_atomic(file, tostring(tonumber(fs.read(file)) + 1), { sync = false }))
      end
    end)
  ]]))
  task.map({ 1, 2, 3, 4, 5, 6 }, 6, function()
    local counter <close> = program.start { host.executable(), "lua", script, directory }
    equal(counter:ended(), { exit = 0 })
  end)
  equal(fs.read(directory .. "/counter"), "180")
end)
