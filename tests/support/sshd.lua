--- Real SSH servers on loopback ports for the time of a function: OpenSSH's sshd and Dropbear, with keys made by holos.
--- Effects: starts and kills a server.

local err = require "holos.core.err"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local net = require "sys.net"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local M = {}

local PRIVATE_MODE, HOME_MODE, DIRECTORY_MODE = tonumber("600", 8), tonumber("700", 8), tonumber("755", 8)
local CHUNK_BYTES = 65536
local START_MS = 20000

--- Writes a file that only we may read.
function M.write(path, text)
  err.check("test file", fs.write_atomic(path, text, { mode = PRIVATE_MODE, sync = false }))
end

--- A loopback port that nobody uses.
function M.free_port()
  local socket <close> = err.check("port", net.reserve_port("tcp", "127.0.0.1", 0))
  return net.bound_port(socket)
end

-- -- a server process ---------------------------------------------------------------------------------------------

local Server = {}
Server.__index = Server

--- What the server has written so far.
function Server:log() return table.concat(self.lines) end

--- What ssh.connect needs to get in; `changes` replaces fields.
function Server:target(changes)
  local target = {
    address = "127.0.0.1", port = self.port, user = "root", public = self.user.public, private = self.user.private,
    host_public = self.host.public, timeout_ms = 20000,
  }
  for name, value in pairs(changes or {}) do target[name] = value end
  return target
end

--- Waits until its log has `text` (plain).
function Server:await_log(text)
  task.within(START_MS, function()
    while not self:log():find(text, 1, true) do
      if self.ended then err.raise("the server ended: " .. self:log()) end
      self.changed:wait()
    end
  end)
end

local function collect_log(server, reader)
  repeat
    local text = err.check("server's log", io_wait.await(reader, "try_read", CHUNK_BYTES))
    table.insert(server.lines, text)
    server.ended = text == ""
    local changed = server.changed
    server.changed = task.event()
    changed:fire()
  until server.ended
end

local function reap(child)
  child:kill()
  task.shield(5000, function() io_wait.await(child, "try_wait") end)
  child:close()
end

local function home_of_root()
  return fs.read("/etc/passwd"):match("root:[^:]*:0:[^:]*:[^:]*:([^:]*)")
end

local function launched(options)
  local child, message, code = launch.prepare(options)
  if not child then return nil, message, code end
  local gone
  gone, message, code = child:go()
  if gone then return child end
  child:close()
  return nil, message, code
end

-- A server for which `home` is the home of root: it reads no start files of this machine. Where mounts are forbidden it
-- sees the real one; Dropbear cannot do with that, because it looks for keys there.
local function start(argv, log, home, needs_home)
  local writer <close> = log
  local program = tool.find(argv[1]) or tool.find("/usr/sbin/" .. argv[1])
  if not program then skip(argv[1] .. " is not installed") end
  local options = { program = program, argv = { table.unpack(argv, 2) }, env = { "PATH=/usr/bin:/bin" },
    stderr = writer, namespace = { { source = home, target = home_of_root() } } }
  local child, message, code = launched(options)
  if child or code ~= "EPERM" then return err.check(argv[1], child, message, code) end
  if needs_home then skip("mounts are forbidden here: " .. message) end
  options.namespace = nil
  return err.check(argv[1], launched(options))
end

-- Runs `body(server)` while the program runs; `ready` is what it writes when it listens.
local function serve(server, argv, ready, needs_home, body)
  local reader, writer = require("sys.fd").pipe()
  local _reader <close> = reader
  server.lines, server.changed = {}, task.event()
  local child = start(argv, writer, server.directory .. "/home", needs_home)
  return task.scope(function(scope)
    local _end <close> = setmetatable({}, { __close = function()
      reap(child)
      scope:cancel("the test is over")
    end })
    scope:spawn("log", collect_log, server, reader)
    server:await_log(ready)
    return body(server)
  end)
end

-- -- the two servers ----------------------------------------------------------------------------------------------

local function new_server(options)
  if host.uid() ~= 0 then skip "an SSH server that lets root in needs root" end
  local sshkey, directory = require "sys.sshkey", tmpdir()
  err.check("home", fs.mkdir_all(directory .. "/home/.ssh", HOME_MODE))
  return setmetatable({
    directory = directory, port = options.port or M.free_port(),
    host = options.host or sshkey.generate("host"), user = options.user or sshkey.generate("user"),
  }, Server)
end

--- Runs `body(server)` beside OpenSSH's sshd.
---@param options {config: string[]?, port: integer?, host: table?, user: table?, host_private: string?}  config: lines
---  that come before ours; host, user: pairs of keys; host_private: another host key than that
function M.openssh(options, body)
  local server = new_server(options)
  local directory = server.directory
  M.write(directory .. "/host", options.host_private or server.host.private)
  M.write(directory .. "/authorized_keys", server.user.public .. "\n")
  local config = table.move({
    "ListenAddress 127.0.0.1:" .. server.port, "HostKey " .. directory .. "/host", "UsePAM no", "StrictModes no",
    "AuthorizedKeysFile " .. directory .. "/authorized_keys", "PidFile none", "PermitRootLogin yes", "MaxSessions 50",
    "MaxStartups 100", "LogLevel VERBOSE",
  }, 1, 10, #(options.config or {}) + 1, { table.unpack(options.config or {}) })
  M.write(directory .. "/sshd_config", table.concat(config, "\n") .. "\n")
  err.check("sshd's directory", fs.mkdir_all("/run/sshd", DIRECTORY_MODE))
  local argv = { "sshd", "-D", "-e", "-f", directory .. "/sshd_config" }
  return serve(server, argv, "Server listening on", false, body)
end

--- Runs `body(server)` beside Dropbear, which reads keys from the user's home only.
function M.dropbear(body)
  local server = new_server {}
  local directory = server.directory
  M.write(directory .. "/host", server.host.private)
  local converted = tool.run { "dropbearconvert", "openssh", "dropbear", directory .. "/host", directory .. "/key" }
  equal(converted.status, 0, converted.stderr)
  M.write(directory .. "/home/.ssh/authorized_keys", server.user.public .. "\n")
  local argv = { "dropbear", "-F", "-E", "-m", "-r", directory .. "/key", "-p", "127.0.0.1:" .. server.port, "-P",
    directory .. "/pid" }
  return serve(server, argv, "Not backgrounding", true, body)
end

return M
