--- Servers that mean harm or know no better: every answer is bounded in size and time, and nothing of it is believed.

local fetching = require "tests.support.fetching"
local http = require "holos.run.http"
local net = require "sys.net"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local world = require "holos.run.world"

-- Runs `body(server)` beside a server without TLS whose every answer `handler` gives.
local function with(handler, body)
  local directory = tmpdir()
  tls_server.run_plain(handler, function(server)
    server.directory = directory
    body(server)
  end)
end

-- Each of `answers` (name -> bytes) is refused by get with `code`, and by a download, which then leaves nothing.
local function all_refused(answers, code)
  local current
  with(function(_, connection) connection:write(current) end, function(server)
    for name, answer in pairs(answers) do
      current = answer
      local got, message, problem = fetching.get(server, "/")
      equal({ got, problem }, { nil, code }, name .. ": " .. tostring(message))
      equal((fetching.failure(server, "/", { tries = 2 })), code, name)
      equal(fetching.kept(server), "", name)
    end
  end)
end

local OK = "HTTP/1.1 200 OK\r\n"

test("heads that are too large or no heads at all are refused", function()
  all_refused({
    ["1 MiB line"] = OK .. "X: " .. ("a"):rep(1 << 20) .. "\r\n\r\n",
    ["100 KiB in fields"] = OK .. ("X: " .. ("a"):rep(1000) .. "\r\n"):rep(100) .. "\r\n",
    ["10000 fields"] = OK .. ("X: y\r\n"):rep(10000) .. "\r\n",
    ["interim answers without end"] = ("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"):rep(1000) .. OK .. "\r\n",
    ["NUL"] = OK .. "X: a\0b\r\nContent-Length: 0\r\n\r\n",
    ["two lengths"] = OK .. "Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
    ["negative length"] = OK .. "Content-Length: -5\r\n\r\nhello",
    ["length of words"] = OK .. "Content-Length: five\r\n\r\nhello",
    ["huge length"] = OK .. "Content-Length: 99999999999999999999999\r\n\r\nhello",
    ["unknown coding"] = OK .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ["HTTP/0.9"] = "hello\n",
    ["another protocol"] = "SSH-2.0-OpenSSH_9.2\r\n",
    ["no number"] = "HTTP/1.1 OK\r\n\r\n",
  }, "EPROTO")
end)

test("odd heads that mean something plain are taken for that", function()
  for _, head in ipairs {
    "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    "HTTP/1.0 200\r\nContent-Length: 5\r\n\r\n",
    OK .. "X: one\r\n two\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nContent-Length: 99\r\n\r\n" .. OK .. "Content-Length: 5\r\n\r\n",
    OK .. "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    OK .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 1\r\nX: " .. ("t"):rep(3000) .. "\r\n\r\n",
    OK .. "\r\n",
  } do
    with(function(_, connection) connection:write(head .. "hello") end, function(server)
      equal(assert(fetching.get(server, "/")).body, "hello")
    end)
  end
end)

test("nothing and too little are not taken for the whole", function()
  for _, answer in ipairs { "", "HTTP/1.1 200 OK\r\nContent-Le", OK .. "Content-Length: 10\r\n\r\nhello",
    OK .. "Transfer-Encoding: chunked\r\n\r\na\r\nhello", OK .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    OK .. "Transfer-Encoding: chunked\r\n\r\n" .. ("f"):rep(100) .. "\r\n" } do
    with(function(_, connection) connection:write(answer) end, function(server)
      local _, _, code = fetching.get(server, "/")
      ok(code == "ECONNRESET" or code == "ETRUNCATED", code)
      code = fetching.failure(server, "/", { tries = 2 })
      ok(code == "ECONNRESET" or code == "ETRUNCATED", code)
      equal(#server.requests, 3)
    end)
  end
end)

-- Writes for ever, until the other side has enough.
local function endless(connection, text)
  repeat until not connection:write(text)
end

test("what has no end is cut at the limit; what says that it is larger is not begun", function()
  with(function(request, connection)
    if request.path == "/chunks" then
      connection:write(OK .. "Transfer-Encoding: chunked\r\n\r\n")
      endless(connection, "10000\r\n" .. ("x"):rep(65536) .. "\r\n")
    else
      connection:write(OK .. "\r\n")
      endless(connection, ("x"):rep(65536))
    end
  end, function(server)
    for _, path in ipairs { "/chunks", "/bytes" } do
      equal((fetching.failure(server, path, { limit_bytes = 1000000 })), "ETOOBIG")
      ok(#fetching.kept(server) <= 1000000)
      equal(select(3, fetching.get(server, path, { limit_bytes = 1000000 })), "ETOOBIG")
    end
    equal(#server.requests, 4)
  end)
  with(function(_, connection) connection:respond(200, { ["Content-Length"] = "1000001" }) end, function(server)
    local code, message = fetching.failure(server, "/", { limit_bytes = 1000000 })
    equal({ code, fetching.kept(server) }, { "ETOOBIG", "" })
    ok(message:find("it has 1000001 bytes, at most 1000000 are taken", 1, true), message)
  end)
end)

test("bytes behind the announced length are not taken", function()
  with(function(_, connection) connection:write(OK .. "Content-Length: 5\r\n\r\nhello and more") end, function(server)
    equal(assert(fetching.get(server, "/")).body, "hello")
    fetching.check_whole(server, "hello", fetching.download(server, "/"))
  end)
end)

test("an encoding is never undone: a text in one is refused, a file is kept as it came", function()
  local bomb = run_tool({ "sh", "-c", "head -c 10000000 /dev/zero | gzip -9" }).stdout
  ok(#bomb > 1000 and #bomb < 100000)
  with(function(_, connection) connection:respond(200, { ["Content-Encoding"] = "gzip" }, bomb) end, function(server)
    local _, message, code = fetching.get(server, "/")
    equal(code, "EPROTO")
    ok(message:find("encoded (gzip)", 1, true), message)
    fetching.check_whole(server, bomb, fetching.download(server, "/"))
    equal(server.requests[1].headers["accept-encoding"], nil)
  end)
end)

-- -- slowness -----------------------------------------------------------------------------------------------------

local function drip(connection, text)
  for i = 1, #text do
    if not connection:write(text:sub(i, i)) then return end
    task.wait { at_ms = task.now_ms() + 20 }
  end
end

test("silence, a trickle and a slow head are given up after their time", function()
  with(function(request, connection)
    if request.path == "/silent" then connection:wait()
    elseif request.path == "/head" then drip(connection, OK .. "X: " .. ("a"):rep(5000))
    elseif request.path == "/stops" then connection:respond(200, { ["Content-Length"] = "100" }, "hello"); connection:wait()
    else
      connection:write(OK .. "Content-Length: 5000\r\n\r\n")
      drip(connection, ("x"):rep(5000))
    end
  end, function(server)
    local quick = { idle_timeout_ms = 200, connect_timeout_ms = 100, over_ms = 300, least_bytes_per_s = 1000, tries = 1 }
    local jobs = {}
    for path, words in pairs { ["/silent"] = "no answer came in time", ["/head"] = "no answer came in time",
      ["/stops"] = "nothing came for", ["/trickle"] = "bytes a second came over" } do
      jobs[#jobs + 1] = function()
        local code, message = fetching.failure(server, path, quick, server.directory .. path)
        equal(code, "ETIMEDOUT")
        ok(message:find(words, 1, true), message)
      end
      jobs[#jobs + 1] = function() equal(select(3, fetching.get(server, path, quick)), "ETIMEDOUT") end
    end
    jobs[#jobs + 1] = function()
      equal((fetching.failure(server, "/trickle", { total_timeout_ms = 300, least_bytes_per_s = 0 })), "ETIMEDOUT")
    end
    task.all(jobs)
  end)
end)

test("a host that does not take the connection is given up after its time", function()
  local listener = assert(net.listen_tcp("127.0.0.1", 0, { backlog = 1 }))
  local _listener <close> = setmetatable({}, { __close = function() listener:close() end })
  local port, waiting = net.bound_port(listener), {}
  local _waiting <close> = setmetatable({}, { __close = function() for _, fd in ipairs(waiting) do fd:close() end end })
  for i = 1, 4 do waiting[i] = assert(net.connect_tcp("127.0.0.1", port)) end          -- the queue is full
  local url, began_ms = ("http://127.0.0.1:%d/"):format(port), task.now_ms()
  local _, message, code = http.get(world, url, { allow_http = true, connect_timeout_ms = 200 })
  equal(code, "ETIMEDOUT", message)
  ok(task.now_ms() - began_ms < 30000)
end)

-- -- redirects ----------------------------------------------------------------------------------------------------

local function to(location)
  return function(_, connection) connection:respond(302, { Location = location }, "look there") end
end

test("redirects are followed, relative ones too, at most five", function()
  local files = { ["/a"] = to "b?x=1", ["/b?x=1"] = to "/c/../d", ["/d"] = "here", ["/loop"] = to "/loop" }
  for i = 1, 6 do files["/" .. i] = to("/" .. i - 1) end
  files["/0"] = "end"
  with(tls_server.publish(files), function(server)
    local got = assert(fetching.get(server, "/a"))
    equal({ got.body, got.url }, { "here", server.url .. "/d" })
    equal(assert(fetching.get(server, "/5")).body, "end")
    for _, path in ipairs { "/6", "/loop" } do
      local before = #server.requests
      local code, message = fetching.failure(server, path)
      equal({ code, #server.requests - before }, { "EREDIRECT", 6 })
      ok(message:find("more than 5 times", 1, true), message)
    end
    fetching.check_whole(server, "here", fetching.download(server, "/a"))
  end)
end)

test("a redirect never leaves https, nor leads where nothing is to be fetched", function()
  local location
  tls_server.run({}, function(request, connection)
    to(location)(request, connection)
  end, function(server)
    for _, place in ipairs { "http://localhost:1/", "file:///etc/passwd", "ftp://localhost/", "gopher://localhost/",
      "HTTP://localhost:1/", "//user:secret@localhost/", "https://user@localhost/", "https://", "https://a b/", "",
      "javascript:x", "http://\1/" } do
      location = place
      local before = #server.requests
      local got, message, code = fetching.get(server, "/", { allow_http = true })
      equal({ got, code, #server.requests - before }, { nil, "EREDIRECT", place == "" and 6 or 1 }, place)
      ok(not message:find("secret", 1, true), message)
    end
  end)
  with(function(_, connection) connection:respond(302, {}, "") end, function(server)
    equal(select(3, fetching.get(server, "/")), "EREDIRECT")
  end)
end)

-- A world in which this host looks as if it were another: no address is near, but for those that libcurl connects to.
local function far_world()
  local Transfer = { __index = function(self, name)
    return function(_, ...)
      local result, message, code = self.real[name](self.real, ...)
      if name == "try_head" and result then result.is_near = false end
      return result, message, code
    end
  end, __close = function(self) self.real:close() end }
  local far = { new = function(request)
    local transfer, message, code = world.http.new(request)
    return transfer and setmetatable({ real = transfer }, Transfer), message, code
  end }
  function far.url(...)
    local url, message, code = world.http.url(...)
    if url then url.is_near = false end
    return url, message, code
  end
  return setmetatable({ http = far }, { __index = world })
end

test("a redirect from elsewhere to this host or its link is refused, by name and by address", function()
  with(function(request, connection) to("http://" .. request.headers.host .. "/there")(request, connection) end, function(server)
    local other = far_world()
    local _, message, code = http.get(other, server.url .. "/", { allow_http = true })
    equal({ code, #server.requests }, { "EREDIRECT", 1 })
    ok(message:find("it leads to an address of this host or its link", 1, true), message)
    local asked = 0
    function other.http.url(...)
      local url = world.http.url(...)
      asked = asked + 1
      if asked == 1 then url.is_near = false end
      return url
    end
    _, message, code = http.get(other, server.url .. "/", { allow_http = true })
    equal({ code, #server.requests }, { "EREDIRECT", 2 })
    ok(message:find("is refused", 1, true), message)
  end)
end)

test("what is not https: is not fetched unless that is said, and other schemes never", function()
  with(tls_server.publish { ["/"] = "hello" }, function(server)
    for _, o in ipairs { {}, { allow_http = false } } do
      local _, message, code = http.get(world, server.url .. "/", o)
      equal({ code, #server.requests }, { "EINVAL", 0 })
      ok(message:find("only https: is fetched", 1, true), message)
    end
    for _, url in ipairs { "file:///etc/passwd", "ftp://localhost/", "localhost", "", "https://", "\0", "https://a\nb/" } do
      equal(select(3, http.get(world, url, { allow_http = true })), "EINVAL", url)
    end
  end)
end)

test("a host that is nobody's, and one where nobody listens, are said at once", function()
  local _, message, code = http.get(world, ("https://%s.example/"):format(("a"):rep(64)), { ca_file = "/dev/null" })
  equal(code, "ERESOLVE", message)
  local port
  with(function() end, function(server) port = server.port end)
  local url = ("http://127.0.0.1:%d/"):format(port)
  equal(select(3, http.get(world, url, { allow_http = true })), "ECONNECT")
  local _, text, problem = http.download(world, { url = url, file = tmpdir() .. "/part", allow_http = true })
  equal(problem, "ECONNECT")
  ok(text:find(url, 1, true) == 1, text)
end)

test("addresses of this host and its link are known in all their forms", function()
  for _, name in ipairs { "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "[::1]", "[::]", "[fe80::1]", "localhost",
    "LOCALHOST", "localhost.", "a.localhost", "[::ffff:127.0.0.1]", "[::ffff:169.254.1.1]", "127.1", "0x7f000001",
    "2130706433", "0177.0.0.1" } do
    equal(world.http.url("https://" .. name .. "/").is_near, true, name)
  end
  for _, name in ipairs { "192.0.2.1", "10.0.0.1", "[2001:db8::1]", "[::ffff:192.0.2.1]", "example.com", "localhost.example",
    "mylocalhost", "128.0.0.1", "169.253.1.1" } do
    equal(world.http.url("https://" .. name .. "/").is_near, false, name)
  end
end)
