--- A QMP session: commands with ids and deadlines, several in flight, and a bounded list of events.
--- Effects: a connection to QEMU. The peer is not trusted: what is no message ends the session, what answers nothing of
--- ours is passed over, and every wait has a deadline.
---
--- There is no task in the background: of the tasks that wait one reads for all, and hands that on with its own answer.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

M.COMMAND_MS = 5000
M.EVENTS_KEPT = 256
--- Of what QEMU says in an error no more than this is passed on.
M.TEXT_BYTES = 1000
--- How long to look for the last events of a QEMU that is ending.
M.DRAIN_MS = 200
--- QEMU's deepest answer, query-qmp-schema, has 6 levels with 7.2.
M.MAX_DEPTH = 64

local Session = {}
Session.__index = Session

--- A session over an attached connection; `name` begins its error messages.
function M.new(world, connection, name)
  return setmetatable({
    json = world.json, connection = connection, name = name, last_id = 0,
    sending = task.semaphore(1),
    users = 0,           -- tasks that wait for the connection now
    asked = {},          -- id -> the waiter that wants the answer
    waiting = {},        -- waiters in the order in which they came; the reader is among them
    events = {}, dropped_events = 0,
  }, Session)
end

-- -- what comes in ----------------------------------------------------------------------------------------------------

--- Ends the session for good: every waiter, now and later, gets this error.
local function fail(session, code, text)
  if session.failure then return end
  session.failure = err.new { message = ("%s: %s"):format(session.name, text), code = code }
  for _, waiter in ipairs(session.waiting) do waiter.wake:fire() end
end

local function keep_event(session, message)
  local event = { event = message.event, data = type(message.data) == "table" and message.data or {} }
  if event.event == "SHUTDOWN" then session.shutdown = event.data end
  if event.event == "WATCHDOG" and event.data.action == "poweroff" then session.shutdown = { reason = "watchdog" } end
  if session.wanted and not session.wanted[event.event] then return end
  if #session.events >= M.EVENTS_KEPT then
    table.remove(session.events, 1)
    session.dropped_events = session.dropped_events + 1
  end
  session.events[#session.events + 1] = event
  for _, waiter in ipairs(session.waiting) do
    if waiter.event then waiter.wake:fire() end
  end
end

--- An error without an id answers a line that QEMU could not read: we do not know which.
local function keep_answer(session, message)
  local waiter = message.id ~= nil and session.asked[message.id]
  if waiter then
    session.asked[message.id] = nil
    waiter.answer = message
    waiter.wake:fire()
  elseif message.id == nil and message.error ~= nil then
    fail(session, "EPROTO", "QEMU could not read a command")
  end
end

local function take_message(session, line)
  local message = line:find("%S") and session.json.decode(line, { max_depth = M.MAX_DEPTH })
  if type(message) ~= "table" then
    if line:find("%S") then fail(session, "EPROTO", "the peer does not speak QMP") end
  elseif type(message.event) == "string" then
    keep_event(session, message)
  elseif type(message.QMP) == "table" then
    session.greeting = session.greeting or message.QMP
  else
    keep_answer(session, message)
  end
end

local function leave_connection(session)
  session.users = session.users - 1
  if session.closing and session.users == 0 then session.connection:close() end
end

--- io.await on the connection, which is not closed while a task waits for it.
local function await(session, ...)
  session.users = session.users + 1
  local _use <close> = setmetatable({}, { __close = function() leave_connection(session) end })
  return io_wait.await(session.connection, ...)
end

local function read_message(session)
  local line, message, code = await(session, "try_receive")
  if line then
    take_message(session, line)
    task.yield()                 -- a peer that never stops talking must not keep the others from their turns
  elseif code == "EPIPE" then
    fail(session, code, "QEMU has closed the monitor")
  else
    fail(session, code or "EPROTO", tostring(message))
  end
end

-- -- waiting for it ---------------------------------------------------------------------------------------------------

--- Takes a waiter out. When nobody reads then, the next one is woken to do so.
local function leave(session, waiter)
  for position, other in ipairs(session.waiting) do
    if other == waiter then table.remove(session.waiting, position) break end
  end
  if session.reader == waiter then session.reader = nil end
  if not session.reader and session.waiting[1] then session.waiting[1].wake:fire() end
end

local function read_or_sleep(session, waiter)
  if session.reader and session.reader ~= waiter then
    waiter.wake:wait()
    waiter.wake = task.event()
  else
    session.reader = waiter
    read_message(session)
  end
end

--- Waits until `done()` gives something, and gives that. Raises the session's failure when nothing more can come.
local function wait_for(session, waiter, done)
  waiter.wake = task.event()
  table.insert(session.waiting, waiter)
  local _place <close> = setmetatable({}, { __close = function() leave(session, waiter) end })
  while true do
    local value = done()
    if value ~= nil then return value end
    if session.failure then error(session.failure, 0) end
    read_or_sleep(session, waiter)
  end
end

--- Runs fn within `timeout_ms`; says what was waited for when the deadline was this one.
local function bounded(session, timeout_ms, what, fn)
  local started_ms = task.now_ms()
  local outcome = table.pack(pcall(task.within, timeout_ms, fn))
  if outcome[1] then return table.unpack(outcome, 2, outcome.n) end
  local problem, waited_ms = outcome[2], task.now_ms() - started_ms
  if not err.is(problem, "ETIMEDOUT") or waited_ms < timeout_ms then error(problem, 0) end
  err.raise { code = "ETIMEDOUT", waited_ms = waited_ms,
    message = ("%s: no %s within %.1f s"):format(session.name, what, timeout_ms / 1000) }
end

--- Waits for the greeting.
function Session:greet(timeout_ms)
  return bounded(self, timeout_ms, "greeting (does another client hold the monitor?)", function()
    return wait_for(self, {}, function() return self.greeting end)
  end)
end

-- -- commands ---------------------------------------------------------------------------------------------------------

--- Sends one line. A line that was cut off would spoil the next one, so then the session is over. A closed peer is left
--- to the reader: its last events may still be there.
local function send(session, line, fd)
  local whole = false
  local _guard <close> = setmetatable({}, { __close = function()
    if not whole then fail(session, "EPIPE", "a command was cut off") end
  end })
  local sent, message, code = await(session, "try_send", line, fd)
  whole = sent ~= nil or code == "EPIPE"
  if not whole then fail(session, code, message) end
end

--- What a command returns, by the message that answers it; raises EQMP with QEMU's words (and `class`).
---@param name string  begins error messages
function M.answer_of(name, command, message)
  if message["return"] ~= nil then return message["return"] end
  local problem = type(message.error) == "table" and message.error or {}
  local text = tostring(problem.desc or "failed"):sub(1, M.TEXT_BYTES)
  err.raise { message = ("%s: %s: %s"):format(name, command, text), code = "EQMP",
    class = type(problem.class) == "string" and problem.class or nil }
end

--- Runs a command and gives what it returns. Raises EQMP with QEMU's words (and `class`), ETIMEDOUT, or EPIPE when the
--- session is over. After a timeout the session can still be used: a late answer is passed over.
---@param command string
---@param arguments table?
---@param options {timeout_ms: integer?, fd: userdata?}?  fd is passed along, for add-fd
function Session:execute(command, arguments, options)
  options = options or {}
  if self.failure then error(self.failure, 0) end
  self.last_id = self.last_id + 1
  local id, waiter = self.last_id, {}
  local line = self.json.encode({ execute = command, arguments = arguments, id = id }, {})
  local _asked <close> = setmetatable({}, { __close = function() self.asked[id] = nil end })
  self.asked[id] = waiter
  waiter.wake = task.event()
  local message = bounded(self, options.timeout_ms or M.COMMAND_MS, "answer to " .. command, function()
    self.sending:with(send, self, line, options.fd)
    return wait_for(self, waiter, function() return waiter.answer end)
  end)
  return M.answer_of(self.name, command, message)
end

--- Runs a command of the human monitor, whose errors are text, and gives what it prints.
function Session:human(command_line, options)
  return tostring(self:execute("human-monitor-command", { ["command-line"] = command_line }, options))
end

--- Adds a port forward while the VM runs: "tcp:127.0.0.1:8080-:80". QEMU reports failures as text in a success.
---@param netdev string  id of the user-mode network, "net0"
function Session:add_forward(netdev, rule, options)
  local text = self:human(("hostfwd_add %s %s"):format(netdev, rule), options):match("^%s*(.-)%s*$")
  if text == "" then return true end
  err.raise { message = ("%s: %s"):format(self.name, text),
    code = text:find("Could not set up", 1, true) and "EADDRINUSE" or "EINVAL" }
end

--- Takes a port forward back: "tcp:127.0.0.1:8080". False when there was none.
function Session:remove_forward(netdev, rule, options)
  return self:human(("hostfwd_remove %s %s"):format(netdev, rule), options):find("removed", 1, true) ~= nil
end

-- -- events -----------------------------------------------------------------------------------------------------------

--- Keeps only these events from now on; nil keeps all.
---@param names string[]?
function Session:subscribe(names)
  self.wanted = names and {}
  for _, name in ipairs(names or {}) do self.wanted[name] = true end
end

--- The next event, {event=, data=}, in order. Without `timeout_ms` it waits until there is one. The oldest of more than
--- EVENTS_KEPT unread ones are dropped, and counted in `dropped_events`.
function Session:next_event(timeout_ms)
  local function next_one()
    return wait_for(self, { event = true }, function() return table.remove(self.events, 1) end)
  end
  if not timeout_ms then return next_one() end
  return bounded(self, timeout_ms, "event", next_one)
end

--- What QEMU said in its SHUTDOWN event, "guest-shutdown", "host-signal", … (see plan/shutdown). nil when it said
--- nothing, which for a QEMU that is gone means that it crashed or was killed.
function Session:shutdown_reason()
  if not self.shutdown then
    pcall(task.within, M.DRAIN_MS, function()
      wait_for(self, {}, function() return self.shutdown end)
    end)
  end
  local reason = self.shutdown and self.shutdown.reason
  return type(reason) == "string" and reason or nil
end

--- Ends the session; those who wait are told. Idempotent.
function Session:close()
  fail(self, "EPIPE", "the session is closed")
  self.closing = true
  if self.users > 0 then self.connection:shutdown() else self.connection:close() end
end
Session.__close = Session.close

return M
