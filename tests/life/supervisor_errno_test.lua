-- One call of a supervisor fails while it adopts a machine and starts another again: the disk is full or broken, descriptors
-- are used up, a signal came. It goes on, or says why it does not and the next command starts another; no machine is lost,
-- none runs twice, and the one that is to run again does, once.
local crash = require "tests.support.crash"
local errno = require "tests.support.errno"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local WORDS, WEB = { "supervise", "pair" }, "web-0"
local WANTED_POINTS = 100

-- Two machines run, nobody looks after them, and one of them has ended.
local function prepared(program)
  local stack = crash.new_stack(program, supervised.RESTARTED)
  stack:expect { "up" }
  supervised.kill(supervised.supervisor(stack))
  local pids = { db = supervised.runtime(stack, "db-0").pid, web = supervised.runtime(stack, WEB).pid }
  supervised.kill(pids.web)
  return stack, pids
end

local function boots(stack)
  local text = files.read(stack.state .. "/instances/pair/web-0/console.log") or ""
  return select(2, text:gsub("web%-0 boots", ""))
end

-- Runs a supervisor, with `options` of strace, until web-0 runs again and the project is taken down.
local function supervise(stack, pids, options, where)
  local result
  task.all {
    function() result = crash.strace(stack, WORDS, options) end,
    function()
      local function runs() return supervised.runs_anew(stack, WEB, pids.web) end
      stack:eventually(where .. ": it has started web-0 again, or ended", function() return result or runs() end)
      if result then stack:expect { "ps" } end
      stack:eventually(where .. ": web-0 runs again", runs)
      crash.require_no_orphans(stack, where)
      equal(crash.running(stack), { "pair/db-0", "pair/web-0" }, where)
      equal(supervised.runtime(stack, "db-0").pid, pids.db, where .. ": db-0 was left alone")
      pids.boots = boots(stack)
      stack:expect { "down" }
      equal(crash.running(stack), {}, where)
      stack:eventually(where .. ": it ends when nothing is to run", function() return result end)
    end,
  }
  return result
end

-- Whether a launch failed and was begun again, which is told.
local function has_failed_launch(stack)
  for _, event in ipairs(supervised.events(stack, "instance.exited")) do
    if event.how == "launch failed" then return true end
  end
  return false
end

local function fail_at(program, point)
  local stack <close>, pids = prepared(program)
  local where = ("%s at %s number %d, such as %s"):format(point.name, point.call, point.n, point.line)
  local result = supervise(stack, pids, crash.injection(point, "error=" .. point.name), where)
  ok(result.status and result.status < 64 and not result.stderr:find("internal error", 1, true),
    ("%s: %s: %s"):format(where, result.status or result.signal, result.stderr))
  ok(result.status == 0 or result.stderr:find("%S"), where .. ": says nothing")
  ok(pids.boots == 2 or has_failed_launch(stack), ("%s: it was started %d times"):format(where, pids.boots))
end

local function all_points(program)
  local stack <close>, pids = prepared(program)
  return crash.points_of(stack, errno.CALLS, function(options) supervise(stack, pids, options, "without a fault") end)
end

test("a supervisor meets ENOSPC, EIO, EMFILE or EINTR at each open, write and rename", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local program = fake_qemu.install {}
  local points = errno.points(all_points(program))
  crash.each(points, function(point) fail_at(program, point) end)
  ok(not crash.IS_FULL or #points >= WANTED_POINTS, ("there were %d"):format(#points))
  io.stdout:write(("        an error at %d points: holos supervise\n"):format(#points))
  io.stdout:flush()
end, crash.LONG)
