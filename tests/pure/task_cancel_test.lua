--- Cancelling, deadlines, shields, closers that wait, signals. All on virtual time.

local err = require "holos.core.err"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local run, wait_ms = virtual.run, virtual.wait_ms

local function on_close(fn)
  return setmetatable({}, { __close = function(_, problem) fn(problem) end })
end

test("cancel raises at the wait point, with its reason", function()
  local seen
  run(function(scope)
    local child = scope:spawn("child", function()
      local fine, problem = pcall(wait_ms, 1000)
      seen = { fine, problem.code, problem.message, task.now_ms() }
    end)
    wait_ms(5)
    child:cancel("no longer wanted")
  end)
  equal(seen, { false, "ECANCELED", "main/child: no longer wanted", 5 })
end)

test("cancel is sticky: every later wait raises again, without waiting", function()
  local raised, after = 0, false
  run(function(scope)
    local child = scope:spawn("child", function()
      for _ = 1, 3 do
        if not pcall(wait_ms, 1000) then raised = raised + 1 end
      end
      equal(task.now_ms(), 5)
      wait_ms(1000)
      after = true
    end)
    wait_ms(5)
    child:cancel()
    raises("main/child: cancelled", task.wait, child)
  end)
  equal({ raised, after }, { 3, false })
end)

test("a task that swallows its cancel and returns counts as cancelled", function()
  run(function(scope)
    local child = scope:spawn("child", function() pcall(wait_ms, 1000); return "as if nothing had happened" end)
    wait_ms(5)
    child:cancel("stop")
    raises("main/child: stop", task.wait, child)
  end)
end)

test("a loop that swallows every cancel does not freeze the others", function()
  local turns = 0
  run(function(scope)
    local child = scope:spawn("stubborn", function()
      while turns < 10 do pcall(wait_ms, 1000) end
    end)
    scope:spawn("other", function()
      wait_ms(5)
      for _ = 1, 10 do
        turns = turns + 1
        wait_ms(0)
      end
    end)
    wait_ms(5)
    child:cancel()
  end)
  equal(turns, 10)
end)

test("a task cancelled before its first turn never starts", function()
  local started = false
  run(function(scope)
    scope:spawn("late", function() started = true end):cancel()
  end)
  equal(started, false)
end)

test("a task can cancel itself; its next wait raises", function()
  run(function(scope)
    local child
    child = scope:spawn("child", function()
      child:cancel("enough")
      wait_ms(1)
      error("not reached")
    end)
    raises("enough", task.wait, child)
  end)
end)

test("closers run in order when a task is cancelled, and may wait under a shield", function()
  local seen = {}
  run(function(scope)
    local child = scope:spawn("child", function()
      local _first <close> = on_close(function()
        task.shield(1000, wait_ms, 20)
        seen[#seen + 1] = "first closed at " .. task.now_ms()
      end)
      local _second <close> = on_close(function(problem)
        task.shield(1000, wait_ms, 10)
        seen[#seen + 1] = problem.code .. ", second closed at " .. task.now_ms()
      end)
      wait_ms(100000)
    end)
    wait_ms(5)
    child:cancel()
  end)
  equal(seen, { "ECANCELED, second closed at 15", "first closed at 35" })
end)

test("a closer that waits without a shield raises in a cancelled task, and the other closers still run", function()
  local first_closed = false
  run(function(scope)
    local child = scope:spawn("child", function()
      local _first <close> = on_close(function() first_closed = true end)
      local _second <close> = on_close(function() wait_ms(10) end)
      wait_ms(1000)
    end)
    wait_ms(5)
    child:cancel("bye")
    raises("bye", task.wait, child)
  end)
  ok(first_closed)
end)

test("closers also run, and may wait, when the task fails by itself", function()
  local closed_ms
  raises("broken", run, function()
    task.all { function()
      local _closer <close> = on_close(function() wait_ms(10); closed_ms = task.now_ms() end)
      err.raise "broken"
    end }
  end)
  equal(closed_ms, 10)
end)

test("closers wait on the ordinary way out too", function()
  equal(run(function()
    do
      local _closer <close> = on_close(function() wait_ms(10) end)
    end
    return task.now_ms()
  end), 10)
end)

test("a shield ends: its waits time out, and again at every later wait in it", function()
  local problem, waits
  run(function(scope)
    local child = scope:spawn("child", function()
      local _closer <close> = on_close(function()
        waits = 0
        local _
        _, problem = pcall(task.shield, 50, function()
          while not pcall(wait_ms, 1000) and waits < 3 do waits = waits + 1 end
        end)
      end)
      wait_ms(10000)
    end)
    wait_ms(5)
    child:cancel()
  end)
  ok(err.is(problem, "ETIMEDOUT"))
  equal({ problem.waited_ms, waits }, { 50, 3 })
end)

test("a shielded task finishes its block, then raises at the next wait", function()
  local seen = {}
  run(function(scope)
    local child = scope:spawn("child", function()
      task.shield(1000, function() wait_ms(50); seen[1] = task.now_ms() end)
      wait_ms(1)
      seen[2] = "never"
    end)
    wait_ms(5)
    child:cancel()
  end)
  equal(seen, { 50 })
end)

test("within raises when its time is over, saying how long it waited", function()
  run(function()
    local problem = raises("timed out", task.within, 30, function() wait_ms(100) end)
    ok(err.is(problem, "ETIMEDOUT"))
    equal({ problem.waited_ms, task.now_ms() }, { 30, 30 })
    wait_ms(10)                                             -- over: later waits work again
    equal(task.now_ms(), 40)
  end)
end)

test("within gives results that come in time, errors as they were", function()
  run(function()
    equal({ task.within(100, function(a) wait_ms(5); return a, nil, 3 end, 1) }, { 1, nil, 3 })
    raises("own error", task.within, 100, err.raise, "own error")
  end)
end)

test("the nearest of nested deadlines counts, whichever is inside", function()
  run(function()
    raises("timed out after 20ms", task.within, 20, task.within, 50, wait_ms, 100)
    equal(task.now_ms(), 20)
    raises("timed out after 20ms", task.within, 50, task.within, 20, wait_ms, 100)
    equal(task.now_ms(), 40)
  end)
end)

test("a swallowed deadline of the outer block still ends the outer block", function()
  run(function()
    local inner_went_on = false
    raises("timed out after 20ms", task.within, 20, function()
      pcall(task.within, 50, wait_ms, 100)
      inner_went_on = true
    end)
    ok(inner_went_on)
  end)
end)

test("a deadline reaches the tasks of a scope inside it", function()
  run(function()
    local closed = 0
    local problem = raises("timed out after 20ms", task.within, 20, task.all, { function()
      local _closer <close> = on_close(function() closed = closed + 1 end)
      wait_ms(100)
    end, function()
      local _closer <close> = on_close(function() task.shield(50, wait_ms, 5); closed = closed + 1 end)
      wait_ms(100)
    end })
    ok(err.is(problem, "ETIMEDOUT"))
    equal({ closed, task.now_ms() }, { 2, 25 })
  end)
end)

test("what comes after a scope that was cut short does not run", function()
  run(function()
    raises("timed out", task.within, 20, function()
      local results = task.all { function() wait_ms(100) return {} end }
      return results[1].field                            -- would be an error of ours
    end)
  end)
end)

test("losers of a race are cancelled, and their closers have run before race gives the result", function()
  run(function()
    local closed_ms
    local winner = task.race {
      function()
        local _closer <close> = on_close(function() task.shield(100, wait_ms, 7); closed_ms = task.now_ms() end)
        wait_ms(1000)
      end,
      function() wait_ms(3) return "winner" end,
    }
    equal({ winner, closed_ms, task.now_ms() }, { "winner", 10, 10 })
  end)
end)

test("an error is an outcome of a race, and nobody can win an empty one", function()
  run(function()
    raises("a race needs at least one function", task.race, {})
    local function lose() err.raise "lost the connection" end
    raises("lost the connection", task.race, { function() wait_ms(100) end, lose })
  end)
end)

test("an error in the middle of all: the ready ones are cut, none stays, nothing starts afterwards", function()
  local seen = {}
  raises("three", run, function()
    task.map({ 1, 2, 3, 4, 5, 6 }, 3, function(item)
      seen[#seen + 1] = "start " .. item
      wait_ms(item == 1 and 100 or 10)
      if item == 3 then err.raise "three" end
      wait_ms(10)
      seen[#seen + 1] = "end " .. item
    end)
  end)
  equal(seen, { "start 1", "start 2", "start 3" })
end)

test("an error of a closer replaces the cancel and counts as a failure", function()
  raises("cannot unlock", run, function(scope)
    local child = scope:spawn("child", function()
      local _closer <close> = on_close(function() err.raise "cannot unlock" end)
      wait_ms(100)
    end)
    wait_ms(1)
    child:cancel()
    wait_ms(100)
  end)
end)

test("scope:cancel stops the children, also those that come later, and the body goes on", function()
  local started = false
  equal(run(function(scope)
    scope:spawn("background", function() wait_ms(1000) end)
    wait_ms(5)
    scope:cancel("done")
    scope:spawn("late", function() started = true end)
    wait_ms(5)
    return task.now_ms()
  end), 10)
  equal(started, false)
end)

test("a cancel that comes after the wake does not take the value away", function()
  local got
  run(function(scope)
    local queue = task.queue()
    local child = scope:spawn("taker", function()
      got = queue:take()
      wait_ms(1)
      got = "not reached"
    end)
    wait_ms(1)
    queue:put("item")
    child:cancel()
  end)
  equal(got, "item")
end)

test("SIGINT cancels the run; closers run; the error names the signal and the exit status", function()
  local closed_ms
  local problem = raises("interrupted", run, function(scope, poller)
    poller:at(10, function() poller:signal("INT") end)
    scope:spawn("child", function()
      local _closer <close> = on_close(function() task.shield(100, wait_ms, 5); closed_ms = task.now_ms() end)
      wait_ms(1000)
    end)
    wait_ms(1000)
  end, { signals = true })
  equal({ problem.code, problem.signal, problem.exit, closed_ms }, { "ECANCELED", "INT", 130, 15 })
end)

test("SIGTERM exits 143, and a swallowed signal still ends the run", function()
  local problem = raises("interrupted", run, function(_, poller)
    poller:at(10, function() poller:signal("TERM") end)
    pcall(wait_ms, 1000)
    return "as if nothing had happened"
  end, { signals = true })
  equal({ problem.signal, problem.exit }, { "TERM", 143 })
end)

test("the second signal ends the run at once", function()
  local closer_ended = false
  local problem = raises("interrupted", run, function(_, poller)
    poller:at(10, function() poller:signal("INT") end)
    poller:at(20, function() poller:signal("INT") end)
    local _closer <close> = on_close(function() task.shield(5000, wait_ms, 5000); closer_ended = true end)
    wait_ms(1000)
  end, { signals = true })
  equal({ problem.exit, closer_ended }, { 130, false })
end)

test("a signal that a task waits for is that task's; others are ignored", function()
  local seen = {}
  run(function(scope, poller)
    for at_ms, name in pairs { [10] = "WINCH", [20] = "INT", [30] = "CHLD" } do
      poller:at(at_ms, function() poller:signal(name) end)
    end
    scope:spawn("resizer", function() seen[task.wait { signal = "WINCH" }] = task.now_ms() end)
    scope:spawn("attached", function() seen[task.wait { signal = "INT" }] = task.now_ms() end)
    wait_ms(40)
  end, { signals = true })
  equal(seen, { WINCH = 10, INT = 20 })
end)
