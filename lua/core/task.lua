--- The scheduler: tasks that wait for descriptors, time, signals and each other, inside scopes that leave none behind.
-- Pure: the world comes in as a poller. `holos.core.task.loop` is the engine, this is what everybody calls.
--
-- * Children live inside a scope; it ends when all have. The first error cancels the rest, and the scope raises it.
-- * Cancelling raises {code="ECANCELED"} at the wait point, and again at every later wait: catching it changes nothing.
-- * Clean-up goes into <close> variables; they may wait, under task.shield(ms, fn).
-- * Waits raise inside sort comparators, gsub callbacks, required files, finalizers and plain coroutines.
--
-- A poller is {now_ms = function, wait = function(list, timeout_ms), signals = object?}. The list is {fd, dir, fd,
-- …}, and wait gives the positions of the ready pairs; a timeout of -1 is none. `signals` has fileno() and
-- try_next().

local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local frames = require "holos.core.task.frame"
local loops = require "holos.core.task.loop"
local relay = require "holos.core.task.relay"
local scopes = require "holos.core.task.scope"
local sources = require "holos.core.task.sources"
local sync = lazy "holos.core.task.sync"
local units = lazy "holos.core.units"

local M = {}

local SLICE_MS = 10              -- how long a task may compute before the others and the poller get their turn

--- Runs `main(scope, ...)` as the first task of a new scheduler; gives its results, or raises its error.
-- SIGINT, SIGTERM and SIGHUP, unless a task waits for them, cancel it ({code="ECANCELED", signal="INT"}); the second
-- one raises here at once. Raises when a task, timer or descriptor is left at the end, naming it.
function M.run(poller, main, ...)
  local loop = loops.new(poller)
  local root = loop:spawn("main", nil, nil, M.scope, main, ...)
  local fine, problem = xpcall(loop.drive, err.trace, loop, root)
  if not fine then
    if problem.traceback then problem.traceback = problem.traceback .. "\ntasks left:\n" .. loop:report() end
    error(problem, 0)
  end
  loop:check_leaks()
  if root.problem ~= nil then error(root.problem, 0) end
  return table.unpack(root.outcome, 2, root.outcome.n)
end

--- Runs `body(scope, ...)` and waits for all tasks it started with scope:spawn(name, fn, ...) -> task.
-- scope:cancel(why) cancels the children, task:cancel(why) one of them.
function M.scope(body, ...)
  return scopes.run(body, ...)
end

--- Waits for {fd=, dir="r"|"w"|"rw"}, {process=} (its end), {at_ms=}, {signal="WINCH"}, an event, a queue or a task.
-- Gives true, the signal's name, the event's value, the queue's item or the task's results; a failed task's error is
-- raised.
function M.wait(source)
  local wanted = sources.of(source)
  local value = loops.park(wanted)
  if wanted.outcome then return table.unpack(value, 2, value.n) end
  return value
end

-- Runs fn in a frame of its own, which is cancelled after `ms`.
local function bounded(ms, shield, fn, ...)
  local owner = loops.current()
  local clock, timers = owner.loop.poller, owner.loop.timers
  local frame, started_ms = frames.enter(owner, nil, shield), clock.now_ms()
  local timer = timers:add(started_ms + ms, function()
    local waited_ms = clock.now_ms() - started_ms
    local message = "timed out after " .. units.format_duration(waited_ms)
    frame:cancel(err.new { code = "ETIMEDOUT", waited_ms = waited_ms, message = message })
  end)
  local outcome = table.pack(xpcall(fn, err.trace, ...))
  timers:remove(timer)
  frame:leave()
  if not outcome[1] then error(outcome[2], 0) end
  if frame.raised then error(frame.failure, 0) end
  return table.unpack(outcome, 2, outcome.n)
end

--- Gives the results of `fn(...)`; its waits raise {code="ETIMEDOUT", waited_ms=} once `ms` have passed.
-- The nearest deadline around a wait counts. A finished fn counts, however late.
function M.within(ms, fn, ...)
  return bounded(ms, false, fn, ...)
end

--- As `within`, for clean-up: waits in `fn` work although the task is cancelled, for at most `ms`.
function M.shield(ms, fn, ...)
  return bounded(ms, true, fn, ...)
end

--- Runs all functions at the same time; gives the list of their first results.
function M.all(functions)
  return M.map(functions, #functions, function(fn) return fn() end)
end

--- Runs all functions at the same time; gives the results of the first that ends, and cancels the others.
function M.race(functions)
  if #functions == 0 then error("a race needs at least one function", 2) end
  return M.scope(function(scope)
    local done = M.event()
    for position, fn in ipairs(functions) do
      scope:spawn("race " .. position, function() done:fire(table.pack(fn())) end)
    end
    local winner = done:wait()
    scope:cancel("another was first")
    return table.unpack(winner, 1, winner.n)
  end)
end

local function name_of(item, position)
  return type(item) == "string" and item or tostring(position)
end

--- Gives the list of `fn(item, position)`, at most `limit` of them running at a time.
function M.map(list, limit, fn)
  local results = {}
  M.scope(function(scope)
    local places = M.semaphore(math.max(1, limit))
    for position, item in ipairs(list) do
      places:acquire()
      scope:spawn(name_of(item, position), function()
        results[position] = fn(item, position)
        places:release()
      end)
    end
  end)
  return results
end

--- Lets the others run when this task has computed for 10 ms; call it in long loops. Outside of a run it does nothing.
function M.yield()
  local task = loops.running()
  if task and task.loop.poller.now_ms() - task.loop.turn_ms >= SLICE_MS then loops.park(sources.TURN) end
end

--- The scheduler's clock.
function M.now_ms()
  return loops.current().loop.poller.now_ms()
end

--- fire(value), wait() -> value, is_fired(). Happens once.
function M.event() return sync.event() end

--- put(item), take() -> item | nil when closed and empty, close(), count(). put waits while `limit` items are in it.
function M.queue(limit) return sync.queue(limit) end

--- acquire(), release(), with(fn, …). At most `permits` at a time.
function M.semaphore(permits) return sync.semaphore(permits) end

--- The `coroutine` library for scripts: waits inside its coroutines reach the scheduler.
M.coroutine = relay

return M
