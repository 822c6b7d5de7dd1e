--- A server that takes more than a minute to answer, as an emulated guest on a busy host does to open a session.
local files = require "tests.support.files"
local io_wait = require "holos.run.io"
local net = require "sys.net"
local ssh = require "holos.run.ssh"
local sshd = require "tests.support.sshd"
local task = require "holos.core.task"
local world = require "holos.run.world"

-- More than libssh2's own minute.
local SLOW_MS = 62000
local CHUNK_BYTES = 65536

local function wait_ms(duration_ms) task.wait { at_ms = task.now_ms() + duration_ms } end

-- Carries what comes; where `line` is slow, the first piece takes its time, and its first byte comes alone.
local function carry(from, to, line)
  repeat
    local piece = assert(io_wait.await(from, "try_read", CHUNK_BYTES))
    if line and line.is_slow and piece ~= "" then
      line.is_slow = false
      wait_ms(SLOW_MS)
      io_wait.write_all(to, piece:sub(1, 1))
      wait_ms(500)
      piece = piece:sub(2)
    end
    io_wait.write_all(to, piece)
  until piece == ""
end

-- One connection to a server, by way of this; gives the port.
local function relay(scope, server, line)
  local listener = assert(net.listen_tcp("127.0.0.1", 0, { backlog = 1 }))
  scope:spawn("relay", function()
    local _listener <close> = listener
    task.wait { fd = listener:fileno(), dir = "r" }
    local client <close> = assert(net.accept(listener))
    local behind <close> = assert(net.connect_tcp("127.0.0.1", server.port))
    task.wait { fd = behind:fileno(), dir = "w" }
    scope:spawn("to the server", carry, client, behind)
    carry(behind, client, line)
  end)
  return assert(net.bound_port(listener))
end

test("a server that takes more than a minute to open a session is waited for, also when its answer comes in pieces", function()
  if files.environment("HOLOS_TESTS") ~= "all" then skip("only with HOLOS_TESTS=all: it takes more than a minute") end
  sshd.openssh({}, function(server)
    task.scope(function(scope)
      local line = {}
      local session <close> = ssh.connect(world, server:target { port = relay(scope, server, line) })
      equal(session:exec("true", {}).status, 0)
      line.is_slow = true
      equal({ session:exec("exit 7", {}).status, line.is_slow }, { 7, false })
      scope:cancel "the test is over"
    end)
  end)
end, { timeout_ms = 4 * SLOW_MS })
