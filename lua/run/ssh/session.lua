--- An SSH session: commands and shells in a guest, several at once. Effects: sends, receives, calls back.
local err = require "holos.core.err"
local sources = require "holos.core.task.sources"
local streams = require "holos.run.ssh.streams"
local task = require "holos.core.task"
local terminals = require "holos.run.ssh.terminal"
local units = require "holos.core.units"

local M = {}

local KEEPALIVE_LEAST_MS = 3000      -- libssh2 counts in seconds and sends no two within two of them
local FAREWELL_MS = 500              -- for telling the server that we go; it may be gone itself

--- For all answers of the server until a command runs. An emulated guest of a busy host may need a minute for one; one that is
--- paused gives none.
M.START_TIMEOUT_MS = 120000

---@class holos.SshSession
local Session = {}
Session.__index = Session

--- A session over an authenticated connection, which it owns.
---@param raw userdata  of sys.ssh
---@param label string  how messages call the other side
function M.new(world, raw, label)
  return setmetatable({ world = world, raw = raw, label = label, waiters = sources.waiters() }, Session)
end

-- -- waiting ------------------------------------------------------------------------------------------------------

-- The socket, or a sign from another task of this session. What one task takes from the socket may be for another.
local Readiness = { __name = "ssh.readiness" }
Readiness.__index = Readiness

function Readiness:arm(waiter)
  waiter.loop.watch:add(waiter, self.fd, self.direction)
  self.waiters:push(waiter)
end

function Readiness:disarm(waiter)
  self.waiters:remove(waiter)
  waiter.loop.watch:remove(waiter)
end

function Readiness:describe() return ("ssh descriptor %d (%s)"):format(self.fd, self.direction) end

--- Calls `object:method(...)`, of the session or of one of its channels, until it no longer answers EAGAIN.
---@return any result, string? message, string? code  as the primitive gave them
function Session:await(object, method, ...)
  local raw = self.raw
  while true do
    local received = raw:received()
    local results = table.pack(object[method](object, ...))
    local is_done = results[1] ~= nil or results[2] ~= "EAGAIN"
    -- Others wait for "r" only: they have to send what is left of our bytes, too.
    if raw:received() ~= received or is_done and raw:directions() == "rw" then self.waiters:wake_all(nil, true) end
    if is_done then return table.unpack(results, 1, results.n) end
    task.wait(setmetatable({ fd = raw:fileno(), direction = results[3], waiters = self.waiters }, Readiness))
  end
end

--- Gives back the results of a primitive, or raises: exit 125 when the server refuses a request, else 255 (DESIGN
--- §10).
function Session:check(value, message, code, ...)
  if value ~= nil then return value, message, code, ... end
  err.raise { message = ("%s: %s"):format(self.label, message), code = code, exit = code == "EPERM" and 125 or 255 }
end

-- -- commands -----------------------------------------------------------------------------------------------------

-- A command that is given up is told to end, and then not waited for: a server may keep the channel as long as the
-- command lives.
local function let_go(session, channel, problem)
  pcall(task.shield, FAREWELL_MS, function()
    if problem == nil then return session:await(channel, "try_close") end
    session:await(channel, "try_signal", err.is(problem, "ETIMEDOUT") and "KILL" or "TERM")
  end)
  channel:close()
end

-- Three answers missing in a row: the server or the way to it is dead.
local function watch_pulse(session, wanted_ms)
  local interval_ms, missing = math.max(wanted_ms, KEEPALIVE_LEAST_MS), 0
  while missing < 3 do
    session:check(session:await(session.raw, "try_keepalive"))
    local received = session.raw:received()
    task.wait { at_ms = task.now_ms() + interval_ms }
    missing = session.raw:received() == received and missing + 1 or 0
  end
  session:check(nil, ("no sign of life for %d s"):format(3 * interval_ms // 1000), "ETIMEDOUT")
end

local function relay(session, channel, options)
  task.scope(function(scope)
    scope:spawn("stdin", streams.feed, session, channel, options.stdin)
    if options.terminal then scope:spawn("window", terminals.follow, session, channel) end
    if options.keepalive_ms then scope:spawn("keepalive", watch_pulse, session, options.keepalive_ms) end
    streams.drain(session, channel, options)
    session:check(session:await(channel, "try_wait"))
    scope:cancel("the command has ended")
  end)
  return channel:exit() or session:check(nil, "the server did not say how the command ended", "ECONNRESET")
end

-- Runs what comes before the command; nobody waits for that without an end.
local function soon(session, fn)
  local started_ms = task.now_ms()
  local ok, problem = pcall(task.within, M.START_TIMEOUT_MS, fn)
  if ok then return end
  if not err.is(problem, "ETIMEDOUT") or task.now_ms() - started_ms < M.START_TIMEOUT_MS then error(problem, 0) end
  err.raise { message = ("%s: no session within %s"):format(session.label, units.format_duration(M.START_TIMEOUT_MS)),
    code = "ETIMEDOUT", exit = 125 }
end

local function run(session, options, method, command)
  local channel
  local _guard <close> = setmetatable({}, { __close = function(_, problem)
    if channel then let_go(session, channel, problem) end
  end })
  soon(session, function()
    channel = session:check(session:await(session.raw, "try_open"))
    terminals.request(session, channel, options)
    session:check(session:await(channel, method, command))
  end)
  return relay(session, channel, options)
end

local function within(options, fn, ...)
  if options.timeout_ms then return task.within(options.timeout_ms, fn, ...) end
  return fn(...)
end

---@class holos.SshStreams
---@field stdin nil|string|(fun(): string?)|table  text, a function that gives chunks and then nil, or an object with
---                            try_read(max_bytes) and fileno(); absent = nothing
---@field stdout fun(chunk: string)?  absent = thrown away
---@field stderr fun(chunk: string)?
---@field terminal boolean?    a terminal of the size of ours, which follows it; the caller puts ours into raw mode
---@field pty {term: string, columns: integer, rows: integer}?  a terminal of this size
---@field timeout_ms integer?  then {code="ETIMEDOUT"}, and the command is killed; the server's answers before it runs are
---                            waited for two minutes at most in any case: {code="ETIMEDOUT", exit=125}
---@field keepalive_ms integer?  asks for signs of life so often, at least 3000; ETIMEDOUT after three without one

--- Runs a command line by the user's login shell and gives how it ended, when all its output is read.
---@param command string          see ssh.command_line
---@param options holos.SshStreams?
---@return {status: integer?, signal: string?}  one of them; signal as "KILL"
function Session:exec(command, options)
  return within(options or {}, run, self, options or {}, "try_exec", command)
end

--- Runs the user's login shell; as exec.
---@param options holos.SshStreams?
function Session:shell(options)
  return within(options or {}, run, self, options or {}, "try_shell")
end

--- Ends the session. Idempotent; also __close.
function Session:close()
  if self.closed then return end
  self.closed = true
  pcall(task.shield, FAREWELL_MS, function() self:await(self.raw, "try_disconnect") end)
  self.raw:close()
end

function Session:__close() self:close() end

return M
