--- QMP: greeting, commands with ids and deadlines, events. Effects: a connection to QEMU. The peer is not trusted: frames
--- are bounded, what is no reply of ours is passed over, and every wait has a deadline.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

local MAX_EVENTS, MAX_DEPTH = 256, 64

local Session = {}
Session.__index = Session

local function closed(session, message)
  err.raise { message = ("%s: the monitor was closed%s"):format(session.name, message and " (" .. message .. ")" or ""),
    code = "EPIPE" }
end

local function remember_event(session, event)
  if event.event == "SHUTDOWN" and type(event.data) == "table" then session.reason = event.data.reason end
  session.events[#session.events + 1] = event
  if #session.events > MAX_EVENTS then table.remove(session.events, 1) end
end

--- The next frame as a table; frames that are no JSON object end the session.
local function next_frame(session)
  local line, message, code = io_.await(session.connection, "try_receive")
  if not line then
    if code == "EPIPE" then closed(session) end
    err.raise { message = session.name .. ": " .. tostring(message), code = code or "EPROTO" }
  end
  local frame = session.world.json.decode(line, { max_depth = MAX_DEPTH })
  if type(frame) ~= "table" then closed(session, "it does not speak QMP") end
  return frame
end

local function await_reply(session, id)
  while true do
    local frame = next_frame(session)
    if type(frame.event) == "string" then
      remember_event(session, frame)
    elseif frame.id == id then
      return frame
    end
  end
end

--- Runs a command and gives what it returns.
---@param arguments table
---@param options {timeout_ms: integer}
function Session:execute(command, arguments, options)
  self.last_id = self.last_id + 1
  local id = self.last_id
  local text = self.world.json.encode({ execute = command, arguments = arguments, id = id }, {})
  local reply = task.within(options.timeout_ms, function()
    local sent, message, code = io_.await(self.connection, "try_send", text)
    if not sent then closed(self, code ~= "EPIPE" and message or nil) end
    return await_reply(self, id)
  end)
  if reply["return"] ~= nil then return reply["return"] end
  local problem = type(reply.error) == "table" and reply.error or {}
  err.raise { message = ("%s: %s: %s"):format(self.name, command, tostring(problem.desc or "failed")), code = "EQMP" }
end

--- Reads until the peer closes or the deadline; for the events that come at the end.
function Session:drain(timeout_ms)
  pcall(task.within, timeout_ms, function()
    while true do
      local frame = next_frame(self)
      if type(frame.event) == "string" then remember_event(self, frame) end
    end
  end)
end

--- The reason of the SHUTDOWN event, when one was seen: "guest-shutdown", "host-signal", "guest-panic", …
function Session:shutdown_reason()
  if not self.reason then self:drain(M.DRAIN_MS) end
  return self.reason
end

--- How long to look for events of a QEMU that is ending.
M.DRAIN_MS = 200

--- Ends the session. Idempotent.
function Session:close() self.connection:close() end
Session.__close = Session.close

local function shake_hands(session)
  local greeting = next_frame(session)
  if type(greeting.QMP) ~= "table" then closed(session, "no greeting") end
  session:execute("qmp_capabilities", {}, { timeout_ms = session.timeout_ms })
end

--- Connects to a monitor socket; the greeting is the proof of life.
---@param where {directory: string, name: string}
---@param options {timeout_ms: integer}
function M.connect(world, where, options)
  local fd = err.check(where.name, world.net.connect_unix(where.directory, where.name))
  local session = setmetatable({ world = world, name = where.name, connection = world.qmp.attach(fd), events = {},
    last_id = 0, timeout_ms = options.timeout_ms }, Session)
  local ok, problem = pcall(task.within, options.timeout_ms, shake_hands, session)
  if ok then return session end
  session:close()
  error(problem, 0)
end

return M
