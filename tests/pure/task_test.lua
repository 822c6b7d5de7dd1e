--- The scheduler: order, time, scopes, errors, leaks. All on virtual time.

local err = require "holos.core.err"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local run, wait_ms = virtual.run, virtual.wait_ms

test("run gives the results of main", function()
  equal({ run(function() return 1, nil, 3 end) }, { 1, nil, 3 })
end)

test("run raises the error of main as it was", function()
  local problem = raises("no such image", run, function() err.raise { message = "no such image", code = "ENOENT" } end)
  ok(err.is(problem, "ENOENT"))
end)

test("a bug keeps the traceback of the place where it happened", function()
  local nothing = nil
  local function deep_inside() return nothing.field end
  local problem = raises("attempt to index a nil value", run, function()
    task.all { function() wait_ms(5); task.within(100, function() wait_ms(5); deep_inside() end) end }
  end)
  ok(problem.traceback:find("deep_inside"), problem.traceback)
end)

test("tasks run in the order in which they were spawned, then in the order in which they were woken", function()
  local seen = {}
  run(function(scope)
    for _, name in ipairs { "a", "b", "c" } do
      scope:spawn(name, function()
        seen[#seen + 1] = name
        wait_ms(name == "b" and 10 or 20)
        seen[#seen + 1] = name
      end)
    end
  end)
  equal(table.concat(seen), "abcbac")
end)

test("siblings wait at the same time", function()
  equal(run(function()
    task.all { function() wait_ms(300) end, function() wait_ms(200) end, function() wait_ms(100) end }
    return task.now_ms()
  end), 300)
end)

test("hundreds of tasks with random times end in the order of their times", function()
  local order = {}
  run(function(scope)
    for number = 1, 500 do
      local at_ms = (number * 7919) % 1009
      scope:spawn("t" .. number, function() task.wait { at_ms = at_ms }; order[#order + 1] = at_ms end)
    end
  end)
  equal(#order, 500)
  for i = 2, #order do ok(order[i - 1] <= order[i], "out of order at " .. i) end
end)

test("timers that are removed at random never fire", function()
  local timers = require("holos.core.task.timers").new()
  local set, fired, seed = {}, {}, 42
  for number = 1, 1000 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    set[number] = timers:add(seed % 5000, function() fired[number] = true end)
  end
  for number = 1, 1000, 3 do timers:remove(set[number]) end
  for now_ms = 0, 5000, 100 do timers:fire_due(now_ms) end
  for number = 1, 1000 do equal(fired[number] or false, number % 3 ~= 1) end
  equal(timers:count(), 0)
end)

test("waits for descriptors in both directions, many at a time", function()
  local seen = run(function(_, poller)
    poller:at(10, function() poller:ready(5, "w") end)
    poller:at(20, function() poller:drain(5); poller:ready(6, "r") end)
    poller:at(30, function() poller:drain(6); poller:ready(7, "r") end)
    return task.all {
      function() task.wait { fd = 6, dir = "r" }; return task.now_ms() end,
      function() task.wait { fd = 7, dir = "rw" }; return task.now_ms() end,
      function() task.wait { fd = 5, dir = "w" }; return task.now_ms() end,
    }
  end)
  equal(seen, { 20, 30, 10 })
end)

test("a descriptor object and a process are waited for by their number", function()
  run(function(_, poller)
    poller:at(5, function() poller:ready(9, "r") end)
    task.wait { fd = { fileno = function() return 9 end } }
    task.wait { process = { fileno = function() return 9 end } }
    equal(task.now_ms(), 5)
  end)
end)

test("a wrong source is named", function()
  raises("task.wait wants one of fd", run, function() task.wait {} end)
  raises("task.wait wants a source, got a number", run, function() task.wait(5) end)
  raises('dir is "r", "w" or "rw", got x', run, function() task.wait { fd = 1, dir = "x" } end)
end)

test("nothing waits outside of run", function()
  raises("task.run is not running", task.wait, { at_ms = 1 })
  raises("task.run is not running", task.scope, function() end)
  task.yield()
end)

test("all gives results in order, race those of the first, map at most so many at a time", function()
  run(function()
    equal(task.all { function() wait_ms(9) return "a" end, function() return "b" end }, { "a", "b" })
    local function slow() wait_ms(9) return "slow" end
    equal({ task.race { slow, function() wait_ms(1) return "fast", 2 end } }, { "fast", 2 })
    local inside, most = 0, 0
    local squares = task.map({ 1, 2, 3, 4, 5, 6, 7 }, 3, function(item, position)
      equal(item, position)
      inside = inside + 1
      most = math.max(most, inside)
      wait_ms(10 - item)
      inside = inside - 1
      return item * item
    end)
    equal(squares, { 1, 4, 9, 16, 25, 36, 49 })
    equal(most, 3)
    equal(task.all {}, {})
    equal(task.map({}, 0, error), {})
  end)
end)

test("the first error cancels the rest, whose closers run, and is raised by the scope", function()
  local seen = {}
  local problem = raises("second failed", run, function()
    task.all {
      function()
        local _closer <close> = setmetatable({}, { __close = function() seen[1] = "closed " .. task.now_ms() end })
        wait_ms(1000)
        seen[#seen + 1] = "never"
      end,
      function() wait_ms(10); err.raise { message = "second failed", code = "ESECOND" } end,
      function() wait_ms(20); err.raise "third failed" end,
    }
  end)
  ok(err.is(problem, "ESECOND"))
  equal(seen, { "closed 10" })
end)

test("an error in the body of a scope cancels the children", function()
  local closed_ms
  raises("body failed", run, function()
    task.scope(function(scope)
      scope:spawn("child", function()
        local _closer <close> = setmetatable({}, { __close = function() closed_ms = task.now_ms() end })
        wait_ms(1000)
      end)
      wait_ms(7)
      err.raise "body failed"
    end)
  end)
  equal(closed_ms, 7)
end)

test("an error in a child cancels the body", function()
  local body_saw
  raises("child failed", run, function()
    task.scope(function(scope)
      scope:spawn("child", function() wait_ms(3); err.raise "child failed" end)
      local fine, problem = pcall(wait_ms, 1000)
      body_saw = not fine and problem
    end)
  end)
  ok(err.is(body_saw, "ECANCELED"))
  equal(body_saw.message, "cancelled, because of: child failed")
end)

test("a scope ends when all its tasks have ended, those they spawned too", function()
  equal(run(function()
    task.scope(function(scope)
      scope:spawn("a", function() wait_ms(10); scope:spawn("b", function() wait_ms(10) end) end)
    end)
    return task.now_ms()
  end), 20)
end)

test("an ended scope spawns nothing", function()
  run(function()
    local kept
    task.scope(function(scope) kept = scope end)
    raises("scope of main has ended: it cannot spawn late", kept.spawn, kept, "late", function() end)
  end)
end)

test("a task can be waited for: results, or its error in another scope", function()
  run(function(scope)
    local child = scope:spawn("child", function() wait_ms(5); return "x", nil, "z" end)
    equal({ task.wait(child) }, { "x", nil, "z" })
    equal({ task.wait(child) }, { "x", nil, "z" })
    local stopped = scope:spawn("stopped", wait_ms, 100)
    stopped:cancel("not needed")
    raises("main/stopped: not needed", task.wait, stopped)
  end)
end)

test("yield gives others their turn once 10 ms of computing have passed since the last poll, not before", function()
  local seen = {}
  run(function(scope, poller)
    for _, name in ipairs { "a", "b" } do
      scope:spawn(name, function()
        for _ = 1, 4 do
          seen[#seen + 1] = name
          poller:spend(6)
          task.yield()
        end
      end)
    end
  end)
  equal(table.concat(seen), "aabaabbb")
end)

test("a deadlock names the tasks, what they wait for and where, and closers run", function()
  local closed
  local problem = raises("deadlock", run, function(scope)
    local _closer <close> = setmetatable({}, { __close = function() closed = true end })
    local never = task.event()
    scope:spawn("reader", function() task.queue():take() end)
    never:wait()
  end)
  equal(problem.code, "EDEADLK")
  ok(problem.message:find("main waits for an event at [^\n]*task_test.lua:%d+"), problem.message)
  ok(problem.message:find("main/reader waits for an item of a queue at [^\n]*task_test.lua:%d+"), problem.message)
  ok(closed)
end)

test("a poller that fails ends the run, naming the tasks it leaves", function()
  local poller = virtual.new()
  poller.wait = function(_, timeout_ms) return timeout_ms == 0 and {} or error("poll: out of memory") end
  local problem = raises("out of memory", task.run, poller, function(scope)
    scope:spawn("watcher", function() task.wait { fd = 4, dir = "w" } end)
  end)
  ok(problem.traceback:find("main waits for its children main/watcher"), problem.traceback)
  ok(problem.traceback:find("main/watcher waits for descriptor 4 %(w%) at"), problem.traceback)
end)

test("what outlives a run is named", function()
  local problem = raises("left at the end of task.run: 1 timers, 0 descriptors", run, function()
    -- A coroutine that is dropped inside `within` never leaves it.
    local generator = task.coroutine.wrap(function() task.within(50, task.coroutine.yield) end)
    generator()
  end)
  ok(problem)
end)

test("runs nest", function()
  local outer, inner = virtual.new(), virtual.new()
  equal(task.run(outer, function()
    wait_ms(5)
    local inner_ms = task.run(inner, function() wait_ms(100); return task.now_ms() end)
    wait_ms(5)
    return { inner_ms, task.now_ms() }
  end), { 100, 10 })
end)

test("a loop over many short deadlines keeps no timers", function()
  run(function()
    local timers
    task.scope(function(scope) timers = scope.owner.loop.timers end)
    for _ = 1, 1000 do task.within(60000, wait_ms, 1) end
    equal(timers:count(), 0)
  end)
end)
