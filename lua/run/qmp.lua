--- Connecting to QEMU's monitor. Effects: a connection to QEMU; see run/qmp/session for what can be done with it.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local sessions = require "holos.run.qmp.session"
local task = require "holos.core.task"

local M = {}

M.CONNECT_MS = 5000

local function shake_hands(session, timeout_ms)
  local deadline_ms = task.now_ms() + timeout_ms
  session:greet(timeout_ms)
  session:execute("qmp_capabilities", nil, { timeout_ms = math.max(1, deadline_ms - task.now_ms()) })
end

--- Connects, waits for the greeting and leaves the negotiation mode. The answer to that, not the greeting, is the proof
--- of life: QEMU greets before its accelerator runs.
---@param world table  needs net, qmp and json
---@param where {directory: string, name: string}|userdata  a socket's place; a connected descriptor is taken over
---@param options {timeout_ms: integer?, name: string?, max_frame_bytes: integer?}?  name begins error messages
---@return table session
function M.connect(world, where, options)
  options = options or {}
  local name = options.name or (type(where) == "table" and where.name) or "monitor"
  local fd = where
  if type(where) == "table" then fd = err.check(nil, world.net.connect_unix(where.directory, where.name)) end
  local connection = world.qmp.attach(fd, { max_frame_bytes = options.max_frame_bytes })
  local session = sessions.new(world, connection, name)
  local fine, problem = pcall(shake_hands, session, options.timeout_ms or M.CONNECT_MS)
  if fine then return session end
  session:close()
  error(problem, 0)
end

local NEGOTIATION, ASKED_ID = '{"execute":"qmp_capabilities","id":1}', 2
-- A monitor that says more before it answers leaves the others their turns.
local AT_ONCE = 16

local function answer_to(world, connection, id)
  for count = 1, math.maxinteger do
    if count > AT_ONCE then task.yield() end
    local line = err.check(nil, io_wait.await(connection, "try_receive"))
    local message = world.json.decode(line, { max_depth = sessions.MAX_DEPTH })
    if type(message) ~= "table" then err.raise { message = "the peer does not speak QMP", code = "EPROTO" } end
    if message.id == id and message.event == nil then return message end
  end
end

--- What one command answers, for those who want nothing else and ask many: it goes out together with the negotiation, and
--- no session is made. The caller sets a deadline.
---@param where {directory: string, name: string}
---@param command string  without arguments
---@return any answer
function M.ask(world, where, command)
  local fd = err.check(nil, world.net.connect_unix(where.directory, where.name))
  local connection <close> = world.qmp.attach(fd)
  for _, line in ipairs { NEGOTIATION, world.json.encode({ execute = command, id = ASKED_ID }, {}) } do
    err.check(nil, io_wait.await(connection, "try_send", line))
  end
  local message = answer_to(world, connection, ASKED_ID)
  return sessions.answer_of(where.name, command, message)
end

return M
