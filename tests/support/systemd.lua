--- Stand-ins for systemd's manager and for logind on sockets of their own, and a world that finds them: for what a real one
--- does once in years.
local dbus = require "holos.core.dbus"
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local real = require "holos.run.world"
local task = require "holos.core.task"

local M = {}

M.SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
local RUNTIME = "/run/user/1000"
--- Where holos looks, and the socket of ours that is there.
local SOCKETS = { ["/run/systemd/private"] = "system", ["/run/dbus/system_bus_socket"] = "bus",
  [RUNTIME .. "/systemd/private"] = "user", [RUNTIME .. "/bus"] = "user_bus" }

local function over(primitives, own) return setmetatable(own, { __index = primitives }) end

--- A host with systemd.
---@param options {uid: integer, env: table?, group: string?, has_no_systemd: boolean?, peer_uid: integer?}
---@return table host  world, directory, group (what /proc/self/cgroup says), connected (sockets that were tried)
function M.host(options)
  local host = { directory = tmpdir(), group = options.group or M.SESSION, connected = {} }
  local env = options.env or { XDG_RUNTIME_DIR = RUNTIME }
  host.world = over(real, {
    fs = over(real.fs, {
      read = function() return host.group end,
      stat = function(path) return path == "/run/systemd/system" and not options.has_no_systemd and {} or nil end,
    }),
    host = over(real.host, { uid = function() return options.uid end, env = function(name) return env[name] end }),
    net = over(real.net, {
      connect_unix = function(directory, name)
        local socket = SOCKETS[directory .. "/" .. name]
        table.insert(host.connected, socket or directory .. "/" .. name)
        if not socket then return nil, "no such socket", "ENOENT" end
        return real.net.connect_unix(host.directory, socket)
      end,
      peer = function() return { uid = options.peer_uid or options.uid } end,
    }),
  })
  return host
end

local Client = {}
Client.__index = Client

function Client:send(bytes) io_wait.write_all(self.fd, bytes) end

function Client:answer(call, signature, ...)
  self:send(dbus.encode { kind = "return", serial = 7, reply_serial = call.serial, signature = signature, body = { ... } })
end

function Client:refuse(call, name, text)
  self:send(dbus.encode { kind = "error", serial = 7, reply_serial = call.serial, error_name = name, signature = "s",
    body = { text } })
end

--- What a manager says of a job.
function Client:removed(job, result)
  self:send(dbus.encode { kind = "signal", serial = 8, path = "/org/freedesktop/systemd1", member = "JobRemoved",
    interface = "org.freedesktop.systemd1.Manager", signature = "uoss", body = { 1, job, "x.scope", result } })
end

--- Bytes up to and with `text`; nil when the client goes.
function Client:read_to(text)
  while not self.bytes:find(text, 1, true) do
    local more = io_wait.await(self.fd, "try_read", 4096)
    if not more or more == "" then return nil end
    self.bytes = self.bytes .. more
  end
  local last = select(2, self.bytes:find(text, 1, true))
  local head = self.bytes:sub(1, last)
  self.bytes = self.bytes:sub(last + 1)
  return head
end

--- The next call; nil when the client goes.
function Client:next()
  while #self.bytes < dbus.HEAD_BYTES or #self.bytes < dbus.size(self.bytes) do
    local more = io_wait.await(self.fd, "try_read", 4096)
    if not more or more == "" then return nil end
    self.bytes = self.bytes .. more
  end
  local size = dbus.size(self.bytes)
  local message = assert(dbus.decode(self.bytes:sub(1, size)))
  self.bytes = self.bytes:sub(size + 1)
  return message
end

-- Logs a client in as a bus or manager does, then answers its calls.
local function serve(fd, answer, login)
  local client <close> = setmetatable({ fd = fd, bytes = "" }, { __index = Client, __close = function() fd:close() end })
  if login then return login(client) end
  local asked = client:read_to "\r\n"
  if not asked then return end
  client.who = asked:match("^%zAUTH EXTERNAL (%x+)\r\n$")
  client:send "OK 0123456789abcdef0123456789abcdef\r\n"
  if not client:read_to "BEGIN\r\n" then return end
  for call in client.next, client do
    if call.member == "Hello" then client:answer(call, "s", ":1.7")
    elseif call.member == "AddMatch" then client:answer(call, "")
    elseif answer(client, call) == "goes" then return end
  end
end

--- Runs `body(host)` while sockets answer.
---@param answers table<string, function>  fn(client, call) by socket: "system", "user", "bus", "user_bus"; gives
---                                          "goes" to close the connection
---@param logins table<string, function>?  fn(client), instead of all else
function M.with(host, answers, logins, body)
  -- A task that never began closes nothing itself.
  local opened = setmetatable({}, { __close = function(list)
    for _, fd in ipairs(list) do fd:close() end
  end })
  local _opened <close> = opened
  return task.scope(function(scope)
    for socket, answer in pairs(answers) do
      local listener = assert(real.net.listen_unix(host.directory, socket, {}))
      opened[#opened + 1] = listener
      scope:spawn(socket, function()
        local acceptor = { fileno = function() return listener:fileno() end,
          try_accept = function() return real.net.accept(listener) end }
        while true do
          local fd = err.check(socket, io_wait.await(acceptor, "try_accept"))
          opened[#opened + 1] = fd
          scope:spawn("client", serve, fd, answer, (logins or {})[socket])
        end
      end)
    end
    local result = table.pack(body(host))
    scope:cancel "done"
    return table.unpack(result, 1, result.n)
  end)
end

return M
