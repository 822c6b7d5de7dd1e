--- run/ssh over sys.ssh, judged by Debian's sshd and tools behind it: commands, streams, terminals, many at once.
local err = require "holos.core.err"
local fs = require "sys.fs"
local hash = require "sys.hash"
local proc = require "sys.proc"
local ssh = require "holos.run.ssh"
local sshd = require "tests.support.sshd"
local task = require "holos.core.task"
local world = require "holos.run.world"

local MIB = 1 << 20

-- A function that keeps chunks, and one that gives them all.
local function sink()
  local parts = {}
  return function(chunk) parts[#parts + 1] = chunk end, function() return table.concat(parts) end
end

-- Runs a command with its outputs as texts.
local function exec(session, command, options)
  local out, out_text = sink()
  local error_out, error_text = sink()
  local wanted = { stdout = out, stderr = error_out }
  for name, value in pairs(options or {}) do wanted[name] = value end
  local result = session:exec(command, wanted)
  return { status = result.status, signal = result.signal, stdout = out_text(), stderr = error_text() }
end

local function with_session(config, body)
  sshd.openssh({ config = config }, function(server)
    local session <close> = ssh.connect(world, server:target())
    body(session, server)
  end)
end

-- Bytes of all values without a short period.
local function noise(count)
  local parts, state = {}, 42
  for i = 1, count do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    parts[i] = string.char(state >> 16 & 255)
  end
  return table.concat(parts)
end

test("words with spaces, quotes and newlines arrive whole; streams and status are apart", function()
  with_session({}, function(session)
    local words = { "a  b", "c'd", 'e"f', "$HOME", "*", "a=b", "-n", "", "two\nlines", "\\", "é", "`id`", "!" }
    local result = exec(session, ssh.command_line {
      "sh", "-c", [[printf '<%s>' "$@"; echo failed >&2; exit 7]], "sh", table.unpack(words) })
    equal(result, { status = 7, stdout = "<" .. table.concat(words, "><") .. ">", stderr = "failed\n" })
    equal(exec(session, ssh.command_line { "if" }).status, 127)
    equal(exec(session, "true").status, 0)
  end)
end)

test("a command killed by a signal says so; one that only ignores its streams does not end early", function()
  with_session({}, function(session)
    equal(exec(session, "kill -KILL $$"), { signal = "KILL", stdout = "", stderr = "" })
    equal(exec(session, "kill -SEGV $$").signal, "SEGV")
    equal(exec(session, "exec >&- 2>&-; read line; exit 3", { stdin = "x\n" }).status, 3)
    equal(exec(session, "exit 5", { stdin = ("x"):rep(5 * MIB) }).status, 5)
  end)
end)

test("1 MiB through stdin and back is the same, from text, function, file, pipe and nothing", function()
  with_session({}, function(session)
    local data, path = noise(MIB), tmpdir() .. "/data"
    sshd.write(path, data)
    local left = data
    local function pieces()
      local piece = left:sub(1, 100001)
      left = left:sub(100002)
      return piece ~= "" and piece or nil
    end
    local file <close> = err.check("file", fs.open(path, { read = true }))
    local null <close> = err.check("null", fs.open("/dev/null", { read = true }))
    for _, input in ipairs { data, pieces, file } do
      local result = exec(session, "cat", { stdin = input })
      equal(result.status, 0)
      ok(result.stdout == data, "other bytes came back")
    end
    equal(exec(session, "cat | wc -c", { stdin = null }).stdout, "0\n")
    equal(exec(session, "wc -c").stdout, "0\n")
  end)
end)

test("a pipe on stdin is read when it has something, and its end is the command's", function()
  with_session({}, function(session)
    local reader, writer = world.fd.pipe()
    local _reader <close> = reader
    local _writer <close> = writer
    local seen = task.event()
    local text = ""
    local result = task.race { function()
      return session:exec("echo ready; cat", { stdin = reader, stdout = function(chunk)
        text = text .. chunk
        if text:find("ready") then seen:fire() end
        if text:find("one") then writer:close() end
      end })
    end, function()
      seen:wait()
      writer:try_write("one\n")
      task.event():wait()
    end }
    equal({ result.status, text }, { 0, "ready\none\n" })
  end)
end)

test("50 MiB through stdout are the same bytes", function()
  with_session({}, function(session, server)
    local path = server.directory .. "/data"
    run_tool { "sh", "-c", "head -c 52428800 /dev/urandom >" .. path }
    local hasher, count = hash.new("sha256"), 0
    session:exec("cat " .. path, { stdout = function(chunk)
      hasher:update(chunk)
      count = count + #chunk
    end })
    equal(count, 50 * MIB)
    equal(hasher:hex(), run_tool({ "sha256sum", path }).stdout:match("^%x+"))
  end)
end)

test("both directions at once, with new session keys every 3 MiB", function()
  with_session({ "RekeyLimit 3M", "LogLevel DEBUG1" }, function(session, server)
    local data = noise(MIB):rep(10)
    ok(exec(session, "cat", { stdin = data }).stdout == data, "other bytes came back")
    ok(server:log():find("rekey", 1, true), "sshd never asked for new keys")
  end)
end)

test("AES, HMAC and other groups work when the server has nothing better; nothing weak is offered", function()
  local function agreed(config, wanted)
    with_session(config, function(session)
      equal(session.raw:methods(), wanted)
      ok(exec(session, "cat", { stdin = ("x"):rep(MIB) }).stdout == ("x"):rep(MIB))
    end)
  end
  agreed({}, { key_exchange = "ecdh-sha2-nistp256", host_key = "ecdsa-sha2-nistp256",
    cipher = "chacha20-poly1305@openssh.com", mac = "hmac-sha2-256-etm@openssh.com" })
  agreed({ "Ciphers aes256-ctr", "MACs hmac-sha2-512", "KexAlgorithms ecdh-sha2-nistp521" }, {
    key_exchange = "ecdh-sha2-nistp521", host_key = "ecdsa-sha2-nistp256", cipher = "aes256-ctr",
    mac = "hmac-sha2-512" })
  agreed({ "Ciphers aes128-ctr", "MACs hmac-sha2-512-etm@openssh.com",
    "KexAlgorithms diffie-hellman-group16-sha512" }, {
    key_exchange = "diffie-hellman-group16-sha512", host_key = "ecdsa-sha2-nistp256", cipher = "aes128-ctr",
    mac = "hmac-sha2-512-etm@openssh.com" })
  for _, config in ipairs { { "KexAlgorithms diffie-hellman-group14-sha1" }, { "Ciphers aes256-cbc" },
    { "Ciphers aes256-ctr", "MACs hmac-sha1" } } do
    sshd.openssh({ config = config }, function(server)
      local problem = raises("ssh handshake", ssh.connect, world, server:target())
      equal({ problem.code, problem.exit }, { "EPROTO", 125 }, config[1])
    end)
  end
end)

test("a terminal has the size that was asked for", function()
  with_session({}, function(session)
    local pty = { term = "vt220", columns = 132, rows = 43 }
    equal(exec(session, "stty size; echo $TERM; tty >/dev/null", { pty = pty }),
      { status = 0, stdout = "43 132\r\nvt220\r\n", stderr = "" })
  end)
end)

-- A world whose terminal has 80 columns at first and 133 after; `resized` happens when that was asked for.
local function growing_terminal()
  local columns = 80
  local terminal = { host = { env = function() return "xterm" end }, resized = task.event(), tty = {} }
  function terminal.tty.size()
    if columns > 80 then terminal.resized:fire() end
    return columns, 24
  end
  function terminal.grow() columns = 133 end
  return terminal
end

test("our terminal's new size reaches the command", function()
  with_session({}, function(session)
    session.world = growing_terminal()
    local signals <close> = proc.signals { "WINCH" }
    local myself = proc.self()
    local me <close> = proc.open(myself.pid, myself.start_time)
    local poller = { now_ms = world.poller.now_ms, wait = world.poller.wait, signals = signals }
    local text, keys = "", { "go\n" }
    local function type_when_resized()
      session.world.resized:wait()
      return table.remove(keys)
    end
    task.run(poller, function()
      session:exec("stty -echo; stty size; read line; stty size", { terminal = true, timeout_ms = 20000,
        stdin = type_when_resized,
        stdout = function(chunk)
          text = text .. chunk
          if text ~= "24 80\r\n" then return end
          session.world.grow()
          me:signal("WINCH")
        end })
    end)
    equal(text, "24 80\r\n24 133\r\n")
  end)
end)

test("a shell reads what we type", function()
  with_session({}, function(session)
    local out, text = sink()
    equal(session:shell { stdin = "echo $((6 * 7))\nexit 9\n", stdout = out }, { status = 9 })
    equal(text(), "42\n")
  end)
end)

test("20 sessions at once", function()
  sshd.openssh({}, function(server)
    local numbers = {}
    for i = 1, 20 do numbers[i] = i end
    local answers = task.map(numbers, 20, function(i)
      local session <close> = ssh.connect(world, server:target())
      return exec(session, "echo " .. i).stdout
    end)
    for i = 1, 20 do equal(answers[i], i .. "\n") end
  end)
end)

test("8 commands at once in one session, each with its own bytes in both directions", function()
  with_session({}, function(session)
    local base, numbers = noise(MIB), {}
    for i = 1, 8 do numbers[i] = i end
    local fine = task.map(numbers, 8, function(i)
      local data = base:rep(2) .. i
      return exec(session, "cat", { stdin = data }).stdout == data
    end)
    equal(fine, { true, true, true, true, true, true, true, true })
  end)
end)

test("a command that takes too long is given up, and the session goes on", function()
  with_session({}, function(session)
    local problem = raises("timed out", session.exec, session, "echo x; exec sleep 60", { timeout_ms = 300 })
    equal(problem.code, "ETIMEDOUT")
    equal(exec(session, "echo still here").stdout, "still here\n")
  end)
end)

test("signs of life are asked for and come", function()
  with_session({ "LogLevel DEBUG1" }, function(session, server)
    local result = session:exec("read line; exit 6", { keepalive_ms = 3000, stdin = function()
      if server:log():find("keepalive@libssh2.org", 1, true) then return nil end
      task.wait { at_ms = task.now_ms() + 3500 }
      return "late\n"
    end })
    equal(result, { status = 6 })
    ok(server:log():find("keepalive@libssh2.org", 1, true), server:log())
  end)
end)

test("ssh logs in with our key and finds our host key known", function()
  sshd.openssh({}, function(server)
    sshd.write(server.directory .. "/user", server.user.private)
    local known = world.sshkey.known_hosts_line("127.0.0.1", server.port, server.host.public)
    sshd.write(server.directory .. "/known_hosts", known .. "\n")
    local result = run_tool { "ssh", "-i", server.directory .. "/user", "-o", "BatchMode=yes", "-o",
      "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o",
      "UserKnownHostsFile=" .. server.directory .. "/known_hosts", "-p", tostring(server.port), "root@127.0.0.1",
      "echo in" }
    equal({ result.status, result.stdout }, { 0, "in\n" }, result.stderr)
  end)
end)
