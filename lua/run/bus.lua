--- A connection to a D-Bus bus, or to a systemd manager's own socket, which speaks the same without a bus between. Effects:
--- talks over a unix socket. The caller sets the deadline (task.within); whatever comes in is checked before it is believed.
local dbus = require "holos.core.dbus"
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

local CHUNK_BYTES, MOST_LINE_BYTES = 16384, 512
--- So many messages come in on one of our connections, which live for a few calls; who sends more would keep us busy for ever.
local MOST_MESSAGES = 1000
local BUS = { destination = "org.freedesktop.DBus", path = "/org/freedesktop/DBus", interface = "org.freedesktop.DBus" }

---@class holos.BusPlace
---@field directory string
---@field name string
---@field is_direct boolean?  a manager's own socket: nobody to say hello to, and all its signals come without being asked for

local Bus = {}
Bus.__index = Bus

local function fail(bus, reason) err.raise { message = ("%s: %s"):format(bus.name, reason), code = "EDBUS" } end

local function read_more(bus)
  local more = err.check(bus.name, io_wait.await(bus.fd, "try_read", CHUNK_BYTES))
  if more == "" then fail(bus, "it closed the connection") end
  bus.bytes = bus.bytes .. more
end

local function write(bus, bytes) err.check(bus.name, io_wait.write_all(bus.fd, bytes)) end

local function read_line(bus)
  while true do
    local line, rest = bus.bytes:match("^([^\r\n]*)\r\n(.*)$")
    if line then
      bus.bytes = rest
      return line
    end
    if #bus.bytes > MOST_LINE_BYTES then fail(bus, "its answer to the login is no line") end
    read_more(bus)
  end
end

-- The kernel tells the other side who we are; the text says that this is whom we want to be. BEGIN goes along at once: a
-- manager that reads it together with a small first call leaves that lying until more comes in.
local function authenticate(bus, uid)
  local hex = tostring(uid):gsub(".", function(digit) return ("%02x"):format(digit:byte()) end)
  write(bus, "\0AUTH EXTERNAL " .. hex .. "\r\nBEGIN\r\n")
  local answer = read_line(bus)
  if not answer:find("^OK ") then fail(bus, "it does not let us in") end
end

-- Whoever made the socket could say anything; those are root and ourselves.
local function require_peer(world, bus)
  local peer = err.check(bus.name, world.net.peer(bus.fd))
  if peer.uid ~= 0 and peer.uid ~= world.host.uid() then fail(bus, ("user %d answers there"):format(peer.uid)) end
end

local function next_message(bus)
  task.yield() -- what has come in already is read without a wait, and a deadline is heard only at one
  while #bus.bytes < dbus.HEAD_BYTES do read_more(bus) end
  local size, reason = dbus.size(bus.bytes:sub(1, dbus.HEAD_BYTES))
  if not size then fail(bus, reason) end
  while #bus.bytes < size do read_more(bus) end
  local message, problem = dbus.decode(bus.bytes:sub(1, size))
  if not message then fail(bus, problem) end
  bus.bytes = bus.bytes:sub(size + 1)
  bus.count = bus.count + 1
  if bus.count > MOST_MESSAGES then fail(bus, "it sends messages without end") end
  return message
end

--- Sends a call; `reply` waits for what it comes to.
---@param call {destination: string, path: string, interface: string, member: string, signature: string?, body: any[]?}
---@return integer serial
function Bus:send(call)
  self.serial = self.serial + 1
  write(self, dbus.encode { kind = "call", serial = self.serial, destination = call.destination, path = call.path,
    interface = call.interface, member = call.member, signature = call.signature, body = call.body })
  return self.serial
end

-- What comes while something else is waited for is kept until somebody wants it; of no use is what answers nothing.
local function keep(bus, message)
  if message.kind == "signal" then table.insert(bus.signals, message) end
  if message.kind == "return" or message.kind == "error" then bus.replies[message.reply_serial] = message end
end

--- The values that a call gave; raises EDBUS with the error's `name`.
---@param signature string  what it has to be
---@return any[]
function Bus:reply(serial, signature)
  while not self.replies[serial] do keep(self, next_message(self)) end
  local message = self.replies[serial]
  self.replies[serial], self.answered = nil, message.sender
  if message.kind == "error" then
    local text = message.signature:find("^s") and message.body[1] or message.error_name
    err.raise { message = ("%s: %s"):format(self.name, text:gsub("[%c]", "?")), code = "EDBUS", name = message.error_name }
  end
  if message.signature ~= signature then fail(self, ("an answer of type '%s'"):format(message.signature)) end
  return message.body
end

--- As send and reply.
function Bus:call(call, signature) return self:reply(self:send(call), signature) end

--- The next signal for which `is_wanted(message)` holds, also of those that came while something else was waited for.
---@param sender string?  whose; nil for anybody's. `bus.answered` is who answered last, nil on a manager's own socket
function Bus:signal(sender, is_wanted)
  while true do
    local message = table.remove(self.signals, 1) or next_message(self)
    if message.kind == "signal" and (not sender or message.sender == sender) and is_wanted(message) then return message end
  end
end

--- Asks for signals; a manager's own socket gives them anyway.
---@param rule string  as of org.freedesktop.DBus.AddMatch
function Bus:listen(rule)
  if self.is_direct then return end
  self:call({ destination = BUS.destination, path = BUS.path, interface = BUS.interface, member = "AddMatch", signature = "s",
    body = { rule } }, "")
end

--- Closes the connection.
function Bus:close() self.fd:close() end
Bus.__close = Bus.close

--- Connects and logs in. Raises EDBUS, or as the socket does.
---@param place holos.BusPlace
---@return table bus  to be closed
function M.connect(world, place)
  local name = place.directory .. "/" .. place.name
  local fd = err.check(nil, world.net.connect_unix(place.directory, place.name))
  local bus = setmetatable({ fd = fd, name = name, bytes = "", serial = 0, count = 0, signals = {}, replies = {},
    is_direct = place.is_direct }, Bus)
  local ok, problem = xpcall(function()
    require_peer(world, bus)
    authenticate(bus, world.host.uid())
    if not place.is_direct then
      bus:call({ destination = BUS.destination, path = BUS.path, interface = BUS.interface, member = "Hello" }, "s")
    end
  end, err.trace)
  if ok then return bus end
  fd:close()
  error(problem, 0)
end

return M
