--- sys.qmp and run/qmp against peers that this file plays: one that behaves, and many that do not.

local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local qmp = require "holos.run.qmp"
local sessions = require "holos.run.qmp.session"
local task = require "holos.core.task"
local world = require "holos.run.world"

local GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}}'
local NAME = "qmp.sock"

-- -- the peer ---------------------------------------------------------------------------------------------------------

local Peer = {}
Peer.__index = Peer

--- Sends bytes; a client that has left is no failure of the peer's.
function Peer:say(text)
  io_wait.write_all(self.fd, text)
end

function Peer:line(text) self:say(text .. "\r\n") end

--- The next command as a table; nil when the client has closed.
function Peer:hear()
  while true do
    local line, rest = self.heard:match("^([^\n]*)\n(.*)$")
    if line then
      self.heard = rest
      return assert(world.json.decode(line, {}))
    end
    local text = io_wait.await(self.fd, "try_read", 65536)
    if not text or text == "" then return nil end
    self.heard = self.heard .. text
  end
end

function Peer:answer(command, result)
  self:line(('{"return": %s, "id": %s}'):format(result or "{}", world.json.encode(command.id, {})))
end

function Peer:greet()
  self:line(GREETING)
  self:answer(self:hear())
end

local function accept_one(listener)
  task.wait { fd = listener, dir = "r" }
  return setmetatable({ fd = assert(world.net.accept(listener)), heard = "" }, Peer)
end

--- Runs `client(connect)` against `script(peer)`. The peer's socket is closed when its script ends.
local function with_peer(script, client)
  local directory = tmpdir()
  local listener = assert(world.net.listen_unix(directory, NAME))
  task.scope(function(scope)
    local played = scope:spawn("peer", function()
      local peer = accept_one(listener)
      local _fd <close> = setmetatable({}, { __close = function() peer.fd:close() end })
      script(peer)
    end)
    client(function(options)
      options = options or {}
      options.timeout_ms = options.timeout_ms or 5000
      return qmp.connect(world, { directory = directory, name = NAME }, options)
    end)
    played:cancel()
  end)
  listener:close()
end

--- Fails unless fn raises an error object with this code; gives its message.
local function fails(code, fn, ...)
  local fine, problem = pcall(fn, ...)
  ok(not fine, "nothing was raised")
  if not err.is(problem, code) then error(problem, 0) end
  return problem.message
end

local function serve(peer, answers)
  for command in function() return peer:hear() end do peer:answer(command, answers and answers[command.execute]) end
end

-- -- the normal case --------------------------------------------------------------------------------------------------

test("qmp: a session greets, negotiates and runs commands", function()
  local heard = {}
  with_peer(function(peer)
    peer:line(GREETING)
    for command in function() return peer:hear() end do
      heard[#heard + 1] = { command.execute, command.arguments }
      peer:answer(command, command.execute == "query-status" and '{"status": "running"}')
    end
  end, function(connect)
    local session <close> = connect()
    equal(session.greeting.version.qemu.major, 7)
    equal(session:execute("query-status").status, "running")
    equal(session:execute("device_del", { id = "x" }), {})
  end)
  equal(heard, { { "qmp_capabilities" }, { "query-status" }, { "device_del", { id = "x" } } })
end)

test("qmp: an error is QEMU's sentence and class, and the session goes on", function()
  with_peer(function(peer)
    peer:greet()
    local command = peer:hear()
    peer:line(('{"id": %d, "error": {"class": "GenericError", "desc": "Device \'x\' not found"}}'):format(command.id))
    serve(peer)
  end, function(connect)
    local session <close> = connect { name = "web-0" }
    local fine, problem = pcall(session.execute, session, "device_del", { id = "x" })
    equal({ fine, problem.code, problem.class, problem.message },
      { false, "EQMP", "GenericError", "web-0: device_del: Device 'x' not found" })
    equal(session:execute("stop"), {})
  end)
end)

test("qmp: several commands in flight, answered in another order", function()
  with_peer(function(peer)
    peer:greet()
    local commands = {}
    for i = 1, 5 do commands[i] = peer:hear() end
    for _, i in ipairs { 3, 1, 5, 4, 2 } do peer:answer(commands[i], ('"%s"'):format(commands[i].execute)) end
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    equal(task.map({ "a", "b", "c", "d", "e" }, 5, function(name) return session:execute(name) end),
      { "a", "b", "c", "d", "e" })
    equal(session:execute("f"), {})
  end)
end)

test("qmp: a command that times out does not hold up the others, and its late answer is passed over", function()
  with_peer(function(peer)
    peer:greet()
    local slow, quick = peer:hear(), peer:hear()
    peer:answer(quick, '"quick"')
    peer:answer(peer:hear(), '"third"')     -- comes only after the slow one was given up
    peer:answer(slow, '"slow"')
    peer:answer(peer:hear(), '"fourth"')
  end, function(connect)
    local session <close> = connect()
    local message
    task.all {
      function() message = fails("ETIMEDOUT", session.execute, session, "slow", nil, { timeout_ms = 100 }) end,
      function() equal(session:execute("quick"), "quick") end,
    }
    ok(message:find("^qmp.sock: no answer to slow within 0.1 s"), message)
    equal(session:execute("third"), "third")
    equal(session:execute("fourth"), "fourth")
  end)
end)

test("qmp: the reader's cancel hands the reading on", function()
  with_peer(function(peer)
    peer:greet()
    local first, second = peer:hear(), peer:hear()
    local go = peer:hear()
    peer:answer(second, '"second"')
    peer:answer(go)
    peer:answer(first)
  end, function(connect)
    local session <close> = connect()
    task.scope(function(scope)
      local first = scope:spawn("first", function() session:execute("first") end)
      local second = scope:spawn("second", function() return session:execute("second") end)
      scope:spawn("third", function()
        first:cancel()
        session:execute("go")
      end)
      equal(task.wait(second), "second")
    end)
  end)
end)

test("qmp: events come in order, also while a command is waited for", function()
  with_peer(function(peer)
    peer:greet()
    peer:line('{"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 2}}')
    local command = peer:hear()
    peer:line('{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}')
    peer:answer(command)
    peer:line('{"event": "STOP"}')
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    session:execute("query-status")
    equal(session:next_event(), { event = "RESUME", data = {} })
    equal(session:next_event(1000), { event = "SHUTDOWN", data = { guest = true, reason = "guest-shutdown" } })
    equal(session:next_event(1000).event, "STOP")
    local message = fails("ETIMEDOUT", session.next_event, session, 50)
    ok(message:find("no event within 0.1 s", 1, true) or message:find("no event within 0.0 s", 1, true), message)
    equal(session:shutdown_reason(), "guest-shutdown")
  end)
end)

test("qmp: only subscribed events are kept", function()
  with_peer(function(peer)
    peer:greet()
    local command = peer:hear()
    for _, name in ipairs { "NIC_RX_FILTER_CHANGED", "STOP", "RTC_CHANGE", "RESUME" } do
      peer:line(('{"event": "%s"}'):format(name))
    end
    peer:answer(command)
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    session:subscribe { "STOP", "RESUME" }
    session:execute("query-status")
    equal({ session:next_event().event, session:next_event().event }, { "STOP", "RESUME" })
    equal(#session.events, 0)
  end)
end)

test("qmp: texts of the human monitor: failures of hostfwd_add are errors", function()
  local texts = {
    ["hostfwd_add net0 tcp:127.0.0.1:80-:80"] = "Could not set up host forwarding rule 'tcp:127.0.0.1:80-:80'\\r\\n",
    ["hostfwd_add net0 tcp:127.0.0.1:99999-:80"] =
      "Invalid host forwarding rule 'tcp:127.0.0.1:99999-:80' (Bad host port)\\r\\n",
    ["hostfwd_remove net0 tcp:127.0.0.1:1"] = "host forwarding rule for tcp:127.0.0.1:1 not found\\r\\n",
    ["hostfwd_remove net0 tcp:127.0.0.1:2"] = "host forwarding rule for tcp:127.0.0.1:2 removed\\r\\n",
  }
  with_peer(function(peer)
    peer:greet()
    for command in function() return peer:hear() end do
      peer:answer(command, ('"%s"'):format(texts[command.arguments["command-line"]] or ""))
    end
  end, function(connect)
    local session <close> = connect { name = "web-0" }
    equal(session:add_forward("net0", "tcp:127.0.0.1:8080-:80"), true)
    equal(fails("EADDRINUSE", session.add_forward, session, "net0", "tcp:127.0.0.1:80-:80"),
      "web-0: Could not set up host forwarding rule 'tcp:127.0.0.1:80-:80'")
    ok(fails("EINVAL", session.add_forward, session, "net0", "tcp:127.0.0.1:99999-:80"):find("Bad host port", 1, true))
    equal(session:remove_forward("net0", "tcp:127.0.0.1:1"), false)
    equal(session:remove_forward("net0", "tcp:127.0.0.1:2"), true)
  end)
end)

test("qmp: commands and answers of any length arrive whole, byte by byte as well", function()
  local long = ("0123456789"):rep(100000)
  with_peer(function(peer)
    for byte in (GREETING .. "\n"):gmatch(".") do peer:say(byte) end
    peer:answer(peer:hear())
    local command = peer:hear()
    equal(#command.arguments.text, #long)
    peer:answer(command, '"' .. long .. '"')
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    ok(session:execute("echo", { text = long }) == long, "the text changed")
    equal(session:execute("stop"), {})
  end)
end)

-- -- peers that do not behave -----------------------------------------------------------------------------------------

test("qmp: a peer that never greets", function()
  with_peer(function(peer) peer:hear() end, function(connect)
    ok(fails("ETIMEDOUT", connect, { timeout_ms = 100 }):find("no greeting", 1, true))
  end)
end)

test("qmp: a peer that greets and then says nothing", function()
  with_peer(function(peer)
    peer:line(GREETING)
    while peer:hear() do end
  end, function(connect)
    ok(fails("ETIMEDOUT", connect, { timeout_ms = 100 }):find("no answer to qmp_capabilities", 1, true))
  end)
end)

test("qmp: a peer that closes, at any moment", function()
  with_peer(function() end, function(connect)
    equal(fails("EPIPE", connect), "qmp.sock: QEMU has closed the monitor")
  end)
  with_peer(function(peer) peer:line(GREETING) end, function(connect) fails("EPIPE", connect) end)
  with_peer(function(peer)
    peer:greet()
    peer:hear()
    peer:line('{"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-signal"}}')
    peer:say('{"return": {}, "i')
  end, function(connect)
    local session <close> = connect()
    fails("EPIPE", session.execute, session, "quit")
    fails("EPIPE", session.execute, session, "quit")
    equal(session:next_event(100).event, "SHUTDOWN")
    fails("EPIPE", session.next_event, session, 100)
    equal(session:shutdown_reason(), "host-signal")
  end)
end)

test("qmp: what a dying QEMU said last is read although it reads no more", function()
  with_peer(function(peer)
    peer:greet()
    peer:line('{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-panic"}}')
  end, function(connect)
    local session <close> = connect()
    task.wait { at_ms = task.now_ms() + 20 }
    pcall(session.execute, session, "system_powerdown")
    equal(session:shutdown_reason(), "guest-panic")
  end)
end)

local GARBAGE = {
  ["text"] = "SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
  ["no JSON"] = '{"QMP": \r\n',
  ["a number"] = "17\r\n",
  ["deep lists"] = ("["):rep(200) .. ("]"):rep(200) .. "\n",
  ["deep objects"] = ('{"a":'):rep(5000) .. "1" .. ("}"):rep(5000) .. "\n",
  ["UTF-16"] = (GREETING .. "\n"):gsub(".", "%0\0"),
  ["bytes"] = "\0\1\2\255\254\n\n",
  ["two values"] = "{}{}\n",
}

test("qmp: a peer that does not speak QMP", function()
  for _, text in pairs(GARBAGE) do
    with_peer(function(peer)
      peer:say(text)
      peer:hear()
    end, function(connect)
      local message = fails("EPROTO", connect, { timeout_ms = 2000 })
      equal(message, "qmp.sock: the peer does not speak QMP")
    end)
  end
end)

test("qmp: a line without end is cut at the limit", function()
  with_peer(function(peer)
    local chunk = ("x"):rep(65536)
    for _ = 1, 64 do peer:say(chunk) end
    peer:hear()
  end, function(connect)
    ok(fails("EMSGSIZE", connect, { max_frame_bytes = 1 << 20 }):find("more than 1048576 bytes", 1, true))
  end)
end)

test("qmp: a line at the limit passes, one byte more does not", function()
  local limit = 300
  for extra = 0, 1 do
    with_peer(function(peer)
      peer:greet()
      local command = peer:hear()
      local empty = ('{"return": "", "id": %d}'):format(command.id)
      peer:line((empty:gsub('""', '"' .. ("y"):rep(limit + extra - #empty) .. '"')))
      peer:hear()
    end, function(connect)
      local session <close> = connect { max_frame_bytes = limit }
      if extra == 0 then
        ok(session:execute("x"):find("^y+$"))
      else
        fails("EMSGSIZE", session.execute, session, "x")
      end
    end)
  end
end)

test("qmp: answers nobody asked for, strange ids and second greetings are passed over", function()
  with_peer(function(peer)
    peer:greet()
    local command = peer:hear()
    for _, line in ipairs { '{"return": 1}', '{"return": 1, "id": 77}', '{"return": 1, "id": "1"}', '{"id": [1]}',
      '{"return": 1, "id": {}}', '{"return": 1, "id": null}', '{"return": 1, "id": 1e300}', '{"return": 1, "id": true}',
      "[]", "{}", '{"event": 5}', '{"event": {}}', '{"error": {}, "id": -1}', GREETING, "", "  " } do
      peer:line(line)
    end
    peer:answer(command, '"right"')
    peer:answer(command, '"again"')
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    equal(session:execute("query-status"), "right")
    equal(session:execute("query-status"), {})
    equal(#session.events, 0)
  end)
end)

test("qmp: errors of every shape", function()
  local shapes = { '{"id": ID, "error": {}}', '{"id": ID, "error": 5}', '{"id": ID, "error": null}', '{"id": ID}',
    '{"id": ID, "error": {"class": 1, "desc": {"a": 1}}}',
    '{"id": ID, "error": {"desc": "' .. ("e"):rep(5000) .. '"}}' }
  with_peer(function(peer)
    peer:greet()
    for _, shape in ipairs(shapes) do peer:line((shape:gsub("ID", tostring(peer:hear().id)))) end
    serve(peer)
  end, function(connect)
    local session <close> = connect()
    for _ in ipairs(shapes) do ok(#fails("EQMP", session.execute, session, "x") < 1100) end
    equal(session:execute("stop"), {})
  end)
end)

test("qmp: an error without an id ends the session, because nobody knows whose it is", function()
  with_peer(function(peer)
    peer:greet()
    peer:hear()
    peer:line('{"error": {"class": "GenericError", "desc": "JSON parse error"}}')
    peer:hear()
  end, function(connect)
    local session <close> = connect()
    fails("EPROTO", session.execute, session, "x")
    fails("EPROTO", session.execute, session, "y")
  end)
end)

test("qmp: a flood of events is bounded, and deadlines hold under it", function()
  with_peer(function(peer)
    peer:greet()
    peer:hear()
    local flood = {}
    for i = 1, 500 do flood[i] = ('{"event": "VSERPORT_CHANGE", "data": {"n": %d}}\r\n'):format(i) end
    local text = table.concat(flood)
    while io_wait.write_all(peer.fd, text) do end
  end, function(connect)
    local session <close> = connect()
    local started_ms = task.now_ms()
    fails("ETIMEDOUT", session.execute, session, "query-status", nil, { timeout_ms = 200 })
    ok(task.now_ms() - started_ms < 5000, "the deadline came late")
    equal(#session.events, sessions.EVENTS_KEPT)
    ok(session.dropped_events > 0)
    local first = session.events[1].data.n
    equal(session.events[2].data.n, first % 500 + 1)
  end)
end)

test("qmp: a peer that does not read: the send has a deadline, and then the session is over", function()
  local read_on
  with_peer(function(peer)
    peer:greet()
    read_on = task.event()
    read_on:wait()
  end, function(connect)
    local session <close> = connect()
    local long = ("z"):rep(4 << 20)
    local message = fails("ETIMEDOUT", session.execute, session, "x", { text = long }, { timeout_ms = 100 })
    ok(message:find("no answer to x", 1, true), message)
    ok(fails("EPIPE", session.execute, session, "y"):find("cut off", 1, true))
  end)
end)

test("qmp: closing tells those who wait", function()
  with_peer(function(peer)
    peer:greet()
    while peer:hear() do end
  end, function(connect)
    local session = connect()
    local messages = {}
    task.all {
      function() messages[1] = fails("EPIPE", session.execute, session, "a") end,
      function() messages[2] = fails("EPIPE", session.next_event, session) end,
      function()
        task.wait { at_ms = task.now_ms() + 20 }
        session:close()
        session:close()
      end,
    }
    equal(messages, { "qmp.sock: the session is closed", "qmp.sock: the session is closed" })
  end)
end)

test("qmp: no such socket, and one that nobody listens on", function()
  local directory = tmpdir()
  fails("ENOENT", qmp.connect, world, { directory = directory, name = "none" })
  world.net.listen_unix(directory, "dead"):close()
  fails("ECONNREFUSED", qmp.connect, world, { directory = directory, name = "dead" })
end)

test("qmp: an outer deadline is not mistaken for the command's", function()
  with_peer(function(peer)
    peer:greet()
    while peer:hear() do end
  end, function(connect)
    local session <close> = connect()
    local fine, problem = pcall(task.within, 50, function() session:execute("slow", nil, { timeout_ms = 5000 }) end)
    equal({ fine, problem.code }, { false, "ETIMEDOUT" })
    ok(not problem.message:find("answer to slow", 1, true), problem.message)
  end)
end)

test("qmp: the primitive takes the descriptor over and refuses lines that are two", function()
  local directory = tmpdir()
  local listener = assert(world.net.listen_unix(directory, NAME))
  local client = assert(world.net.connect_unix(directory, NAME))
  local connection = world.qmp.attach(client, {})
  equal(client:is_open(), false)
  raises("one line", connection.try_send, connection, "a\nb")
  raises("bad field 'max_frame_bytes'", world.qmp.attach, listener, { max_frame_bytes = 0 })
  connection:close()
  connection:close()
  raises("closed", connection.try_receive, connection)
  listener:close()
end)
