--- run/ssh where it must not get through, or not yet: wrong keys, silent, flooding and dying servers, guests that boot.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local sessions = require "holos.run.ssh.session"
local ssh = require "holos.run.ssh"
local sshd = require "tests.support.sshd"
local sshkey = require "sys.sshkey"
local task = require "holos.core.task"
local world = require "holos.run.world"

local KIB = 1024

-- A loopback server made of a function that gets each connection; `body(target)` runs beside it.
local function fake_server(serve, body)
  local listener <close> = err.check("listener", world.net.listen_tcp("127.0.0.1", 0))
  local host, user = sshkey.generate("host"), sshkey.generate("user")
  local target = { address = "127.0.0.1", port = world.net.bound_port(listener), user = "root", public = user.public,
    private = user.private, host_public = host.public, timeout_ms = 500 }
  task.scope(function(scope)
    scope:spawn("server", function()
      local accepting = { fileno = function() return listener:fileno() end,
        try_accept = function() return world.net.accept(listener) end }
      while true do
        local connection <close> = err.check("accept", io_wait.await(accepting, "try_accept"))
        serve(connection)
      end
    end)
    body(target)
    scope:cancel("the test is over")
  end)
end

-- Writes `text` again and again until the other side has enough; gives the number of bytes it took.
local function flood(connection, text)
  local count = 0
  while true do
    local written = io_wait.await(connection, "try_write", text)
    if not written then return count end
    count = count + written
  end
end

test("a wrong host key is refused before anything is sent, with both fingerprints", function()
  sshd.openssh({ config = { "LogLevel DEBUG1" } }, function(server)
    local other = sshkey.generate("other").public
    local problem = raises("the host key is not the one", ssh.connect, world, server:target { host_public = other })
    equal({ problem.code, problem.exit }, { "EHOSTKEY", 255 })
    ok(problem.message:find(sshkey.fingerprint(server.host.public), 1, true), problem.message)
    ok(problem.message:find(sshkey.fingerprint(other), 1, true), problem.message)
    server:await_log "Connection closed by"
    ok(not server:log():find("userauth-request", 1, true), server:log())
    raises("the host key is not the one", ssh.wait_ready, world, server:target { host_public = other })
  end)
end)

test("a refused user key and an unknown user are named, with the key's fingerprint", function()
  sshd.openssh({}, function(server)
    local other = sshkey.generate("other")
    for _, changes in ipairs { { public = other.public, private = other.private }, { user = "no_such_user" } } do
      local target = server:target(changes)
      local problem = raises("user " .. target.user .. " is refused", ssh.connect, world, target)
      equal({ problem.code, problem.exit }, { "EAUTH", 125 })
      ok(problem.message:find(sshkey.fingerprint(target.public), 1, true), problem.message)
    end
    raises("does not belong", ssh.connect, world, server:target { public = other.public })
    local of_booted = server:target { user = "no_such_user", timeout_ms = 60000, users_are_made = true }
    raises("^[^:]*:? ?ssh to [%d.:]+: user no_such_user is refused", ssh.wait_ready, world, of_booted)
  end)
end)

test("a server with other types of host keys only is refused in words", function()
  local file = tmpdir() .. "/key"
  for number, kind in ipairs { { "-t", "rsa", "-b", "2048" }, { "-t", "ed25519" } } do
    run_tool { "ssh-keygen", "-q", "-N", "", "-f", file .. number, table.unpack(kind) }
    sshd.openssh({ host_private = world.fs.read(file .. number) }, function(server)
      equal(raises("needs a host key of ECDSA P-256", ssh.connect, world, server:target()).code, "EPROTO")
    end)
  end
end)

test("nobody listens", function()
  local target = { address = "127.0.0.1", port = sshd.free_port(), user = "root", public = "", private = "",
    host_public = "" }
  local problem = raises("onnection refused", ssh.connect, world, target)
  equal({ problem.code, problem.exit }, { "ECONNREFUSED", 125 })
end)

test("a server that takes the connection and says nothing is given up", function()
  fake_server(function(connection) io_wait.await(connection, "try_read", KIB) task.event():wait() end, function(target)
    local started_ms = task.now_ms()
    local problem = raises("no greeting of an SSH server", ssh.connect, world, target)
    equal(problem.code, "ETIMEDOUT")
    ok(task.now_ms() - started_ms < 5000, "waited too long")
  end)
end)

test("a server that greets and then says nothing is given up", function()
  fake_server(function(connection)
    io_wait.write_all(connection, "hello\r\nSSH-2.0-silence\r\n")
    task.event():wait()
  end, function(target)
    equal(raises("no end of the SSH key exchange", ssh.connect, world, target).code, "ETIMEDOUT")
  end)
end)

test("floods instead of a greeting end after 64 KiB: lines, one long line, noise after the greeting", function()
  for _, text in ipairs { ("x"):rep(100) .. "\r\n", ("x"):rep(64 * KIB), ("\n"):rep(KIB) } do
    local taken
    fake_server(function(connection)
      taken = flood(connection, text)
    end, function(target)
      target.timeout_ms = 20000
      equal(raises("too much before authentication", ssh.connect, world, target).code, "EMSGSIZE")
    end)
    ok(taken == nil or taken < 64 * KIB * KIB, "the flood was swallowed")
  end
  fake_server(function(connection)
    io_wait.write_all(connection, "SSH-2.0-noise\r\n")
    flood(connection, ("\255\0\7"):rep(1000))
  end, function(target)
    equal(raises("ssh handshake", ssh.connect, world, target).code, "EPROTO")
  end)
end)

test("a server that hangs up early", function()
  fake_server(function() end, function(target)
    equal(raises("closed the connection", ssh.connect, world, target).code, "ECONNRESET")
  end)
end)

test("a server that dies under a command: its last output comes, then exit 255", function()
  sshd.openssh({}, function(server)
    local session <close> = ssh.connect(world, server:target())
    local text = ""
    local seen = task.event()
    local problem = raises("ssh read", session.exec, session, "echo before; read line; kill -KILL $PPID", {
      stdout = function(chunk)
        text = text .. chunk
        seen:fire("go\n")
      end,
      stdin = function() return seen:wait() end,
    })
    equal({ problem.code, problem.exit, text }, { "ECONNRESET", 255, "before\n" })
  end)
end)

-- Runs `body` with another deadline for what comes before a command.
local function with_start_timeout(timeout_ms, body)
  local before = sessions.START_TIMEOUT_MS
  local _undo <close> = setmetatable({}, { __close = function() sessions.START_TIMEOUT_MS = before end })
  sessions.START_TIMEOUT_MS = timeout_ms
  body()
end

test("a server that stops between the login and the command is given up; a command takes the time that it takes", function()
  sshd.openssh({}, function(server)
    local session <close> = ssh.connect(world, server:target())
    local pid = ""
    with_start_timeout(2000, function()
      local until_ms = task.now_ms() + 2200
      equal(session:exec("echo $PPID; read line; exit 6", { stdout = function(chunk) pid = pid .. chunk end,
        stdin = function() task.wait { at_ms = until_ms } end }), { status = 6 })
    end)
    local _end <close> = setmetatable({}, { __close = function() run_tool { "kill", "-KILL", (pid:gsub("%s", "")) } end })
    run_tool { "kill", "-STOP", (pid:gsub("%s", "")) }
    for _, method in ipairs { "exec", "shell" } do
      with_start_timeout(300, function()
        local problem = raises("no session within 0.3s", session[method], session, method == "exec" and "true" or {})
        equal({ problem.code, problem.exit }, { "ETIMEDOUT", 125 })
      end)
    end
    raises("timed out after 0", session.exec, session, "true", { timeout_ms = 200 })
  end)
end)

test("what the server says when it ends the connection is passed on", function()
  sshd.openssh({ config = { "MaxAuthTries 0" } }, function(server)
    local other = sshkey.generate("other")
    local problem = raises("Too many authentication failures", ssh.connect, world,
      server:target { public = other.public, private = other.private })
    equal(problem.code, "ECONNRESET")
  end)
end)

test("a guest that boots is waited for, and each reason is said once", function()
  local port, reasons = sshd.free_port(), {}
  local keys = { host = sshkey.generate("host"), user = sshkey.generate("user") }
  local started, done = task.event(), task.event()
  task.all {
    function()
      started:wait()
      sshd.openssh({ port = port, host = keys.host, user = keys.user }, function() task.wait(done) end)
    end,
    function()
      local session <close> = ssh.wait_ready(world, { address = "127.0.0.1", port = port, user = "root",
        public = keys.user.public, private = keys.user.private, host_public = keys.host.public, timeout_ms = 30000,
        on_progress = function(text)
          reasons[#reasons + 1] = text
          started:fire()
        end })
      equal(session:exec("exit 4"), { status = 4 })
      done:fire()
    end,
  }
  ok(reasons[1]:find("refused", 1, true), reasons[1])
end)

test("a guest that never comes is given up at the deadline, with the last reason", function()
  local connections = 0
  fake_server(function() connections = connections + 1 end, function(target)
    target.timeout_ms = 2000
    local problem = raises("not ready after 2s: ", ssh.wait_ready, world, target)
    equal({ problem.code, problem.exit }, { "ETIMEDOUT", 125 })
  end)
  ok(connections >= 3 and connections <= 6, connections .. " connections in 2 s")
end)

test("Dropbear: commands, status, signals, streams, terminal, a wrong host key", function()
  sshd.dropbear(function(server)
    local function all(session, command, options)
      local parts = {}
      local wanted = { stdout = function(chunk) parts[#parts + 1] = chunk end }
      for name, value in pairs(options or {}) do wanted[name] = value end
      return session:exec(command, wanted), table.concat(parts)
    end
    local session <close> = ssh.connect(world, server:target())
    equal(all(session, "exit 7"), { status = 7 })
    equal(all(session, "kill -KILL $$"), { signal = "KILL" })
    local data = ("0123456789abcdef"):rep(320 * KIB)
    local result, text = all(session, "cat", { stdin = data })
    equal({ result.status, text == data }, { 0, true })
    local _, size = all(session, "stty size", { pty = { term = "xterm", columns = 101, rows = 33 } })
    equal(size, "33 101\r\n")
    raises("the host key is not the one", ssh.connect, world,
      server:target { host_public = sshkey.generate("other").public })
  end)
end)
