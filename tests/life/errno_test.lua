-- One call of `up` or `down` fails: the disk is full or broken, descriptors are used up, a signal came. The command says
-- so or does without; nothing is lost, nothing runs unknown, and the next one finishes.
local crash = require "tests.support.crash"
local errno = require "tests.support.errno"
local fake_qemu = require "tests.support.fake_qemu"
local tool = require "tests.support.tool"

local function fail_at(program, words, point, prepare)
  local stack <close> = crash.new_stack(program)
  prepare(stack)
  local before = crash.disks(stack)
  local result = crash.run_cut(stack, words, point, "error=" .. point.name)
  local where = ("holos %s, %s at %s number %d, such as %s"):format(table.concat(words, " "), point.name, point.call, point.n,
    point.line)
  ok(result.status and result.status < 64 and not result.stderr:find("internal error", 1, true),
    ("%s: %s: %s"):format(where, result.status or result.signal, result.stderr))
  ok(result.status == 0 or result.stderr:find("%S"), where .. ": says nothing")
  crash.require_no_orphans(stack, where)
  crash.require_kept(stack, before, where)
  if words[1] == "down" and result.status ~= 0 then stack:expect { "down" } end
  crash.require_recovery(stack, where)
  crash.require_kept(stack, before, where)
end

local function inject(words, prepare)
  if not tool.find "strace" then skip "strace is not installed" end
  local program = fake_qemu.install {}
  local points = errno.points(crash.points(program, words, errno.CALLS, prepare))
  crash.each(points, function(point) fail_at(program, words, point, prepare) end)
  ok(#points >= errno.IN_A_SAMPLE, "there are such calls")
  io.stdout:write(("        an error at %d points: holos %s\n"):format(#points, table.concat(words, " ")))
  io.stdout:flush()
end

test("up meets ENOSPC, EIO, EMFILE or EINTR at each open, write and rename", function()
  inject({ "up", "--detach" }, function() end)
end, crash.LONG)

test("down meets ENOSPC, EIO, EMFILE or EINTR at each open, write and rename", function()
  inject({ "down" }, function(stack) stack:expect { "up", "-d" } end)
end, crash.LONG)
