-- holos is killed at any moment: the next command finishes what it began, there is never a second QEMU on a disk, and
-- `down` leaves none behind. Many who do the same at the same time come to one result.
local clock = require "sys.clock"
local crash = require "tests.support.crash"
local fake_qemu = require "tests.support.fake_qemu"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local MOMENTS, REAL_MOMENTS = crash.IS_FULL and 50 or 10, crash.IS_FULL and 5 or 2
local AT_ONCE, ROUNDS = crash.IS_FULL and 50 or 10, crash.IS_FULL and 10 or 2

--- Starts `holos up` and kills it after `after_ms`.
local function cut_up(stack, after_ms)
  local child <close> = stack:spawn { "up", "--detach" }
  pcall(task.within, after_ms, task.wait, { fd = child:fileno(), dir = "r" })
  local process <close> = proc.open(child.pid, child.start_time)
  if process then process:signal("KILL") end
  io_wait.await(child, "try_wait")
end

--- How long `up` takes here and now when nobody kills it.
local function length_of_up_ms(program)
  local stack <close> = crash.new_stack(program)
  local begun_ms = clock.monotonic_ms()
  stack:expect { "up", "--detach" }
  local took_ms = clock.monotonic_ms() - begun_ms
  stack:expect { "down", "--timeout", "200ms" }
  return took_ms
end

local function cut_at_random(program, rounds)
  local random, seed, longest_ms = math.random, math.randomseed(), length_of_up_ms(program)
  for round = 1, rounds do
    local stack <close> = crash.new_stack(program)
    local first_ms, second_ms = random(1, longest_ms), random(1, longest_ms)
    local where = ("seed %d, round %d, killed after %d and %d ms"):format(seed, round, first_ms, second_ms)
    cut_up(stack, first_ms)
    crash.require_no_orphans(stack, where)
    cut_up(stack, second_ms) -- and what it had to finish is cut too
    crash.require_recovery(stack, where)
  end
end

test(("up is killed at %d random moments, twice each"):format(MOMENTS), function()
  cut_at_random(fake_qemu.install {}, MOMENTS)
end, crash.LONG)

test(("up is killed at %d random moments while it starts real QEMUs"):format(REAL_MOMENTS), function()
  cut_at_random(tool.find("qemu-system-" .. host.architecture()) or skip("no QEMU here"), REAL_MOMENTS)
end, crash.LONG)

--- So many of the same command, all begun before any has ended; all come to `status`.
local function at_once(stack, words, count)
  local runs = {}
  for i = 1, count do runs[i] = function() return stack:run(words, { timeout_ms = crash.LONG.timeout_ms }) end end
  for _, result in ipairs(task.all(runs)) do
    equal({ result.status, result.status ~= 0 and result.stderr or "" }, { 0, "" }, table.concat(words, " "))
  end
end

test(("%d times up at the same time, %d rounds: exactly the wanted VMs"):format(AT_ONCE, ROUNDS), function()
  local stack <close> = crash.new_stack(fake_qemu.install {})
  for round = 1, ROUNDS do
    at_once(stack, { "up", "--detach" }, AT_ONCE)
    equal(crash.running(stack), crash.ALL, "round " .. round)
    crash.require_no_orphans(stack, "round " .. round)
    if round % 2 == 0 then stack:expect { "stop" } else stack:expect { "down" } end
    equal(crash.running(stack), {}, "round " .. round)
  end
end, crash.LONG)
