--- The scheduler's loop: which task runs next, what the others wait for. Pure: the poller is passed in.
--
-- A task is a coroutine. It stops in one place only, M.park, which arms a source and yields TOKEN; the source wakes it
-- exactly once, with a failure to raise or a value to give. Tasks that are ready run in batches, first woken first run;
-- between batches the poller is asked about descriptors, and due timers fire.

local err = require "holos.core.err"
local frames = require "holos.core.task.frame"
local relay = require "holos.core.task.relay"
local sources = require "holos.core.task.sources"
local timers = require "holos.core.task.timers"
local watch = require "holos.core.task.watch"

local M = {}

local CANNOT_WAIT = "nothing can wait here: inside a sort comparator, a gsub callback, a required file or a finalizer"
local NOT_RELAYED = "nothing can wait inside a plain coroutine: make it with task.coroutine"

-- What ends a run when no task waits for it, and the status a shell gives a process ended by it (128 + number).
local ENDING_SIGNALS = { HUP = 129, INT = 130, TERM = 143 }

local active                       -- the task that runs now; saved around each turn, so that runs can nest

-- -- tasks --------------------------------------------------------------------------------------------------------

local Task = { __name = "task" }
Task.__index = Task

--- Cancels the task: its wait raises {code="ECANCELED"}, and so does every later one.
---@param why string?
function Task:cancel(why)
  self.base:cancel(err.new { code = "ECANCELED", message = ("%s: %s"):format(self.name, why or "cancelled") })
end

--- Wakes a waiting task, once: its wait raises `failure`, or gives `value`. False when it was not waiting.
function Task:wake(failure, value)
  local source = self.source
  if not source then return false end
  self.source = nil
  source:disarm(self)
  self.loop:make_ready(self, failure, value)
  return true
end

--- Makes the task raise what its frames say, if it waits and what it waits for may be given up.
function Task:interrupt()
  if self.source and not self.source.unbreakable then self:wake(self.frame:take_failure()) end
end

-- The innermost line of a task that is not the scheduler's own.
local function place_of(thread)
  for level = 0, 50 do
    local info = debug.getinfo(thread, level, "Sl")
    if not info then break end
    if info.currentline > 0 and not info.source:find("core/task", 1, true) then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return "?"
end

--- "main/db-0 waits for descriptor 5 (r) at run/ssh.lua:12"
function Task:describe()
  local doing = self.source and "waits for " .. self.source:describe() or "is ready to run"
  return ("%s %s at %s"):format(self.name, doing, place_of(self.thread))
end

-- A waiting task as a source: waiting for a task to end.
function Task:arm(waiter)
  if self.outcome then waiter:wake(self.problem, self.outcome) else self.waiters:push(waiter) end
end

function Task:disarm(waiter)
  self.waiters:remove(waiter)
end

-- -- the running task ---------------------------------------------------------------------------------------------

-- Whether every coroutine between this one and the task's own passes waits on.
local function is_relayed(task)
  local thread = coroutine.running()
  while thread and thread ~= task.thread do thread = relay.resumer(thread) end
  return thread ~= nil
end

--- The task that runs now, or nil outside of a run.
function M.running()
  return active
end

--- The task that runs now; raises outside of a run.
function M.current()
  return active or error("there is no task here: task.run is not running", 3)
end

--- Parks the running task until `source` wakes it; gives what it was woken with, or raises.
--
-- A cancelled task does not wait, but still takes its turn: a loop that swallows the error cannot freeze the others.
---@param source table  arm(task), disarm(task), describe(), unbreakable?
function M.park(source)
  local task = M.current()
  if not coroutine.isyieldable() then error(CANNOT_WAIT, 3) end
  if not is_relayed(task) then error(NOT_RELAYED, 3) end
  local failure = not source.unbreakable and task.frame:take_failure() or nil
  if failure then
    task.loop:make_ready(task, failure)
  else
    task.source = source
    source:arm(task)
  end
  local problem, value = coroutine.yield(relay.TOKEN)
  if problem ~= nil then error(problem, 0) end
  return value
end

-- -- the loop -----------------------------------------------------------------------------------------------------

local Loop = {}
Loop.__index = Loop

--- A loop without tasks.
---@param poller {now_ms: function, wait: function, signals: table?}  see holos.core.task
function M.new(poller)
  local loop = setmetatable({
    poller = poller, ready = {}, tasks = {}, made = 0, timers = timers.new(),
    watch = watch.new(),
    signal_waiters = {},             -- signal name -> waiters
  }, Loop)
  if poller.signals then loop.watch:add(loop, poller.signals:fileno(), "r") end
  loop.turn_ms = poller.now_ms()
  return loop
end

-- The outcome of a task's body: {true, results…} or {false, problem}. One cancelled before its first turn never
-- starts.
local function run_body(task, fn, arguments)
  local failure = task.base:take_failure()
  if failure then return { false, failure, n = 2 } end
  return table.pack(xpcall(fn, err.trace, table.unpack(arguments, 1, arguments.n)))
end

--- Makes a task that runs `fn(...)` when its turn comes.
---@param parent_frame table?  of the scope it belongs to
---@param on_end function?     called with the task when it has ended
function Loop:spawn(name, parent_frame, on_end, fn, ...)
  self.made = self.made + 1
  local task = setmetatable({
    name = name, loop = self, number = self.made, on_end = on_end, waiters = sources.waiters(),
  }, Task)
  local arguments = table.pack(...)
  task.base = frames.enter(task, parent_frame)
  task.thread = coroutine.create(function() return run_body(task, fn, arguments) end)
  self.tasks[task] = true
  self:make_ready(task)
  return task
end

--- Lets a task run in the next batch; its wait raises `failure` or gives `value`.
function Loop:make_ready(task, failure, value)
  task.failure, task.value = failure, value
  self.ready[#self.ready + 1] = task
end

local function end_task(task, outcome)
  task.frame = task.base                                       -- an abandoned coroutine may have kept one entered
  task.base:leave()
  task.loop.tasks[task] = nil
  local swallowed = outcome[1] and task.base.raised          -- it was cancelled and went on as if nothing had happened
  task.problem = swallowed and task.base.failure or not outcome[1] and outcome[2] or nil
  task.outcome = outcome
  if task.on_end then task.on_end(task) end
  task.waiters:wake_all(task.problem, outcome)
end

-- A plain coroutine.yield in a task: nobody would ever resume it. The error is raised where it yielded, by a hook that
-- runs once, so that the task's closers run as after any other error.
local function refuse_yield(task)
  local thread = task.thread
  local message = ("%s: a task yielded with coroutine.yield instead of a wait"):format(task.name)
  debug.sethook(thread, function()
    debug.sethook()
    error(message, 2)
  end, "", 1)
  task.loop:make_ready(task)
end

local function give_turn(task)
  local outer = active
  active = task
  local fine, result = coroutine.resume(task.thread, task.failure, task.value)
  active = outer
  if not fine then return end_task(task, { false, err.trace(result), n = 2 }) end      -- an error in err.trace itself
  if coroutine.status(task.thread) == "dead" then return end_task(task, result) end
  if not rawequal(result, relay.TOKEN) then refuse_yield(task) end
end

local function run_batch(loop)
  local batch = loop.ready
  loop.ready = {}
  for _, task in ipairs(batch) do give_turn(task) end
end

-- -- signals, descriptors, timers ---------------------------------------------------------------------------------

-- The first ending signal cancels the run, the second ends it at once.
local function end_by_signal(loop, name)
  local again = loop.interruption
  loop.interruption = again or err.new {
    code = "ECANCELED", message = "interrupted", signal = name, exit = ENDING_SIGNALS[name],
  }
  if again then err.raise(again) end
  loop.main.base:cancel(loop.interruption)
end

-- What the loop itself is woken for. A signal that a task waits for is that task's.
local function take_signals(loop)
  local name = loop.poller.signals:try_next()
  while name do
    local waiters = loop.signal_waiters[name]
    local taken = waiters and waiters:wake_all(nil, name)
    if not taken and ENDING_SIGNALS[name] then end_by_signal(loop, name) end
    name = loop.poller.signals:try_next()
  end
end

-- No task can run, no timer is set, no descriptor is watched: the tasks wait for each other.
local function break_deadlock(loop)
  local report = loop:report()
  if loop.main.base.failure then error("the scheduler is stuck:\n" .. report, 0) end
  loop.main.base:cancel(err.new {
    code = "EDEADLK", message = "deadlock, no task can go on:\n" .. report, exit = 70,
  })
end

local function poll(loop)
  local timeout_ms, due_ms = -1, loop.timers:next_ms()
  if #loop.ready > 0 then timeout_ms = 0
  elseif due_ms then timeout_ms = math.max(0, math.ceil(due_ms - loop.poller.now_ms())) end
  if timeout_ms < 0 and loop:watched() == 0 then return break_deadlock(loop) end
  for _, watcher in ipairs(loop.watch:at(loop.poller.wait(loop.watch.polled, timeout_ms))) do
    if watcher == loop then take_signals(loop) else watcher:wake(nil, true) end
  end
  loop.turn_ms = loop.poller.now_ms()
  loop.timers:fire_due(loop.turn_ms)
end

--- Runs until `main` has ended.
function Loop:drive(main)
  self.main = main
  run_batch(self)
  while not main.outcome do
    poll(self)
    run_batch(self)
  end
end

--- One line for each task, with what it waits for and where.
function Loop:report()
  local list, lines = {}, {}
  for task in pairs(self.tasks) do list[#list + 1] = task end
  table.sort(list, function(a, b) return a.number < b.number end)
  for _, task in ipairs(list) do lines[#lines + 1] = "  " .. task:describe() end
  return table.concat(lines, "\n")
end

--- How many descriptors tasks wait for.
function Loop:watched()
  return self.watch:count() - (self.poller.signals and 1 or 0)
end

--- Raises when a task, a timer or a descriptor outlived the run.
function Loop:check_leaks()
  if next(self.tasks) == nil and self.timers:count() == 0 and self:watched() == 0 then return end
  error(("left at the end of task.run: %d timers, %d descriptors, tasks:\n%s")
    :format(self.timers:count(), self:watched(), self:report()), 0)
end

return M
