--- Events, queues, semaphores, coroutines of scripts, and places where nothing can wait.

local err = require "holos.core.err"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local run, wait_ms = virtual.run, virtual.wait_ms

test("an event happens once; early and late waiters get its value", function()
  run(function(scope)
    local event, got = task.event(), {}
    for number = 1, 3 do
      scope:spawn("w" .. number, function() got[number] = event:wait() end)
    end
    wait_ms(1)
    equal(event:is_fired(), false)
    event:fire("first")
    event:fire("second")
    equal(task.wait(event), "first")
    equal(event:is_fired(), true)
    equal(got, { "first", "first", "first" })
  end)
end)

test("a queue keeps the order, and put waits while it is full", function()
  run(function(scope)
    local queue, taken, put_ms = task.queue(2), {}, {}
    scope:spawn("producer", function()
      for item = 1, 5 do
        queue:put(item)
        put_ms[item] = task.now_ms()
      end
      queue:close()
    end)
    scope:spawn("consumer", function()
      repeat
        wait_ms(10)
        local item = queue:take()
        taken[#taken + 1] = item
      until item == nil
    end)
    wait_ms(100)
    equal(taken, { 1, 2, 3, 4, 5 })
    equal(put_ms, { 0, 0, 10, 20, 30 })
    raises("the queue is closed", queue.put, queue, 6)
    raises("a queue holds no nil", queue.put, queue, nil)
    equal(queue:take(), nil)
  end)
end)

test("takers are served in the order in which they came, those who left are passed over", function()
  run(function(scope)
    local queue, got = task.queue(), {}
    local takers = {}
    for number = 1, 3 do
      takers[number] = scope:spawn("t" .. number, function() got[number] = queue:take() end)
    end
    wait_ms(1)
    takers[2]:cancel()
    queue:put("a")
    queue:put("b")
    queue:put("c")
    wait_ms(1)
    equal(got, { "a", nil, "b" })
    equal({ queue:count(), queue:take() }, { 1, "c" })
  end)
end)

test("putters that are cancelled leave their item out", function()
  run(function(scope)
    local queue = task.queue(1)
    queue:put("kept")
    local putter = scope:spawn("p1", function() queue:put("dropped") end)
    scope:spawn("p2", function() queue:put("waits") end)
    wait_ms(1)
    putter:cancel()
    equal({ queue:take(), queue:take(), queue:count() }, { "kept", "waits", 0 })
  end)
end)

test("a queue works from outside of tasks while it has room", function()
  local poller, queue = virtual.new(), task.queue()
  poller:at(10, function() queue:put("from a callback") end)
  poller:at(11, function() poller:ready(3, "r") end)
  task.run(poller, function(scope)
    scope:spawn("keeps the poller busy", function() task.wait { fd = 3 } end)
    equal({ queue:take(), task.now_ms() }, { "from a callback", 11 })
  end)
end)

test("a semaphore lets so many in, in order, and gets its permit back on errors and cancels", function()
  run(function(scope)
    local semaphore, inside, most = task.semaphore(2), 0, 0
    for number = 1, 5 do
      scope:spawn("t" .. number, function()
        pcall(semaphore.with, semaphore, function()
          inside = inside + 1
          most = math.max(most, inside)
          wait_ms(10)
          inside = inside - 1
          if number == 3 then err.raise "failed inside" end
        end)
      end)
    end
    local cancelled = scope:spawn("cancelled", function() semaphore:with(wait_ms, 1000) end)
    wait_ms(35)
    cancelled:cancel()
    equal(semaphore:with(function(a, b) return a + b end, 1, 2), 3)
    wait_ms(1)
    equal({ most, semaphore.permits }, { 2, 2 })
  end)
end)

-- -- places where nothing can wait --------------------------------------------------------------------------------

local CANNOT = "nothing can wait here: inside a sort comparator, a gsub callback, a required file or a finalizer"

test("a wait inside a sort comparator is an error that says so, and the task goes on", function()
  run(function()
    local problem = raises(CANNOT, table.sort, { 2, 1 }, function(a, b)
      task.wait { at_ms = 1 }
      return a < b
    end)
    ok(tostring(problem):find("task_sync_test.lua:%d+: "), tostring(problem))
    wait_ms(1)
    equal(task.now_ms(), 1)
  end)
end)

test("a wait inside a gsub callback is an error, inside __index it works", function()
  run(function()
    raises(CANNOT, string.gsub, "x", "x", function() wait_ms(1) end)
    local lazy = setmetatable({}, { __index = function(_, key) wait_ms(5); return key .. "!" end })
    equal({ lazy.name, task.now_ms() }, { "name!", 5 })
  end)
end)

test("a wait inside a finalizer is an error", function()
  local problem
  run(function()
    setmetatable({}, { __gc = function() problem = select(2, pcall(wait_ms, 1)) end })
    collectgarbage()
    collectgarbage()
  end)
  ok(tostring(problem):find(CANNOT, 1, true), tostring(problem))
end)

test("a wait inside a required file is an error", function()
  package.preload["test.waits"] = function() wait_ms(1) end
  run(function() raises(CANNOT, require, "test.waits") end)
  package.preload["test.waits"] = nil
end)

test("a bare coroutine.yield in a task is an error naming the task and the line; closers run", function()
  local closed = false
  local problem = raises("main/careless: a task yielded with coroutine.yield instead of a wait", run, function(scope)
    scope:spawn("careless", function()
      local _closer <close> = setmetatable({}, { __close = function() wait_ms(5); closed = true end })
      while true do coroutine.yield("what?") end
    end)
  end)
  ok(tostring(problem):find("task_sync_test.lua:%d+: main/careless"), tostring(problem))
  ok(closed)
end)

test("a wait inside a plain coroutine is an error, and its caller never sees the scheduler's token", function()
  run(function()
    local iterator = coroutine.wrap(function() wait_ms(1); coroutine.yield("item") end)
    raises("nothing can wait inside a plain coroutine: make it with task.coroutine", iterator)
    local inner = coroutine.wrap(function() task.coroutine.wrap(function() wait_ms(1) end)() end)
    raises("nothing can wait inside a plain coroutine", inner)
  end)
end)

-- -- task.coroutine -----------------------------------------------------------------------------------------------

test("a generator made with task.coroutine may wait between its items", function()
  run(function()
    local items = task.coroutine.wrap(function(first)
      for number = first, first + 2 do
        wait_ms(10)
        task.coroutine.yield(number, number * 2)
      end
    end)
    local seen = {}
    seen[1] = { items(5) }
    for a, b in items do seen[#seen + 1] = { a, b } end
    equal(seen, { { 5, 10 }, { 6, 12 }, { 7, 14 } })
    equal(task.now_ms(), 30)
  end)
end)

test("generators nest, and cancelling reaches the innermost wait and runs every closer", function()
  local seen = {}
  local function closer(name)
    return setmetatable({}, { __close = function() task.shield(50, wait_ms, 1); seen[#seen + 1] = name end })
  end
  run(function(scope)
    local child = scope:spawn("child", function()
      local _outer <close> = closer "task"
      task.coroutine.wrap(function()
        local _middle <close> = closer "outer coroutine"
        task.coroutine.wrap(function()
          local _inner <close> = closer "inner coroutine"
          wait_ms(1000)
        end)()
      end)()
    end)
    wait_ms(5)
    child:cancel()
  end)
  equal(seen, { "inner coroutine", "outer coroutine", "task" })
end)

test("resume, status, isyieldable, yield and errors behave as in the library", function()
  run(function()
    local co = task.coroutine
    local thread = co.create(function(a) local b = co.yield(a + 1); error("oops " .. b, 0) end)
    equal({ co.status(thread), co.resume(thread, 1) }, { "suspended", true, 2 })
    equal({ co.resume(thread, "x") }, { false, "oops x" })
    equal({ co.status(thread), co.resume(thread) }, { "dead", false, "cannot resume dead coroutine" })
    raises("attempt to yield from outside a coroutine", co.yield, 1)
    raises("oops", co.wrap(function() error "oops" end))
    raises("wants a function", co.create, 5)
  end)
end)

test("close runs the pending closers of a coroutine, and they may wait", function()
  run(function()
    local co, closed_ms = task.coroutine, nil
    local thread = co.create(function()
      local _closer <close> = setmetatable({}, { __close = function() wait_ms(7); closed_ms = task.now_ms() end })
      co.yield(1)
    end)
    co.resume(thread)
    equal({ co.close(thread), closed_ms, co.status(thread) }, { true, 7, "dead" })
    equal(co.close(co.create(print)), true)
    local stubborn = co.create(function() while true do pcall(co.yield, 1) end end)
    co.resume(stubborn)
    equal({ co.close(stubborn) }, { false, "coroutine yielded while it was closed" })
  end)
end)

test("the scheduler is not needed for task.coroutine", function()
  local items = task.coroutine.wrap(function() task.coroutine.yield(1); task.coroutine.yield(2) end)
  equal({ items(), items() }, { 1, 2 })
end)
