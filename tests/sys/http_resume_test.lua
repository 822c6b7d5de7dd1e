--- Downloads that are interrupted, and servers that answer a request for the rest in all the wrong ways.

local err = require "holos.core.err"
local fetching = require "tests.support.fetching"
local fs = require "sys.fs"
local http = require "holos.run.http"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local world = require "holos.run.world"

local BODY = fetching.bytes(300000)
local E = '"v1"'

-- Sends the head of the whole with `validators` and `count` bytes of it.
local function cut(connection, count, validators)
  local headers = { ["Content-Length"] = tostring(#BODY) }
  for name, value in pairs(validators or { ETag = E }) do headers[name] = value end
  connection:respond(200, headers, BODY:sub(1, count))
end

-- A server that answers the nth request by the nth function, and the rest by the last; plain, because these are about HTTP.
local function scripted(answers, body)
  local directory = tmpdir()
  tls_server.run_plain(function(request, connection)
    answers[math.min(request.number, #answers)](request, connection)
  end, function(server)
    server.directory = directory
    body(server)
  end)
end

local function good(request, connection)
  tls_server.send(request, connection, { body = BODY, etag = E })
end

local function cut_at(count, validators)
  return function(_, connection) cut(connection, count, validators) end
end

local function ranges(server)
  local list = {}
  for i, request in ipairs(server.requests) do list[i] = request.headers.range or "all" end
  return list
end

test("a download goes on where the server stopped, with If-Range", function()
  scripted({ cut_at(100000), good }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    equal(ranges(server), { "all", "bytes=100000-" })
    equal(server.requests[2].headers["if-range"], E)
  end)
end)

test("without a strong validator it begins from zero; a date will do", function()
  local weak = { ETag = 'W/"v1"' }
  scripted({ cut_at(100000, weak), good }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    equal(ranges(server), { "all", "all" })
  end)
  local date = "Sat, 21 Nov 2026 10:00:00 GMT"
  scripted({ cut_at(100000, { ["Last-Modified"] = date }), function(request, connection)
    tls_server.send(request, connection, { body = BODY, last_modified = date })
  end }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    equal({ ranges(server), server.requests[2].headers["if-range"] }, { { "all", "bytes=100000-" }, date })
  end)
end)

test("a server that always stops early is given up, what came is kept, and a later call gets the rest", function()
  local is_good = false
  local function stingy(request, connection)
    if is_good then return good(request, connection) end
    local from = math.tointeger((request.headers.range or "bytes=0-"):match("%d+"))
    if from == 0 then return cut(connection, 1000) end
    connection:respond(206, { ["Content-Length"] = tostring(#BODY - from), ETag = E,
      ["Content-Range"] = ("bytes %d-%d/%d"):format(from, #BODY - 1, #BODY) }, BODY:sub(from + 1, from + 1000))
  end
  scripted({ stingy }, function(server)
    local code, message = fetching.failure(server, "/f", { tries = 3 })
    equal(code, "ETRUNCATED")
    ok(message:find("tried 3 times, 2.9 KiB are kept", 1, true), message)
    equal(fetching.kept(server) == BODY:sub(1, 3000), true)
    is_good = true
    local first
    fetching.check_whole(server, BODY, fetching.download(server, "/f", {}, function(state) first = first or state end))
    equal(first, { phase = "checking", done_bytes = 3000, total_bytes = 3000 })
    equal(ranges(server), { "all", "bytes=1000-", "bytes=2000-", "bytes=3000-" })
  end)
end)

test("a file that changed midway is taken anew, whichever way the server says so", function()
  local new = fetching.bytes(200000)
  local function whole(request, connection)
    tls_server.send(request, connection, { body = new, etag = '"v2"' })       -- whose If-Range does not match
  end
  local function rest_of_new(_, connection)
    connection:respond(206, { ETag = '"v2"', ["Content-Range"] = "bytes 100000-199999/200000" }, new:sub(100001))
  end
  scripted({ cut_at(100000), whole }, function(server)
    fetching.check_whole(server, new, fetching.download(server, "/f"))
    equal(ranges(server), { "all", "bytes=100000-" })
  end)
  scripted({ cut_at(100000), rest_of_new, whole }, function(server)
    equal(fetching.check_whole(server, new, fetching.download(server, "/f")).etag, '"v2"')
    equal(ranges(server), { "all", "bytes=100000-", "all" })
  end)
end)

test("a wrong 206 is not put behind what is there", function()
  for _, range in ipairs { "bytes 99999-299999/300000", "bytes 0-299999/300000", "bytes 100000-299999/300001",
    "bytes 100000-50000/300000", "bytes 100000-300000/300000", "bytes=100000-299999/300000", "items 1-2/3", "" } do
    scripted({ cut_at(100000), function(_, connection)
      connection:respond(206, { ETag = E, ["Content-Range"] = range }, BODY:sub(100001))
    end, good }, function(server)
      fetching.check_whole(server, BODY, fetching.download(server, "/f"))
      equal(ranges(server), { "all", "bytes=100000-", "all" }, range)
    end)
  end
end)

test("a 206 may end earlier than was asked for, and have no more than it says", function()
  local function piece(request, connection)
    local from = math.tointeger(request.headers.range:match("%d+"))
    local last = math.min(from + 79999, #BODY - 1)
    connection:respond(206, { ETag = E, ["Content-Range"] = ("bytes %d-%d/%d"):format(from, last, #BODY) },
      BODY:sub(from + 1, last + 1))
  end
  scripted({ cut_at(100000), piece }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f", { tries = 6 }))
    equal(ranges(server), { "all", "bytes=100000-", "bytes=180000-", "bytes=260000-" })
  end)
  scripted({ cut_at(100000), function(_, connection)
    connection:write("HTTP/1.1 206 Partial Content\r\nETag: " .. E .. "\r\nTransfer-Encoding: chunked\r\n"
      .. "Content-Range: bytes 100000-100009/300000\r\n\r\n14\r\n" .. BODY:sub(100001, 100020) .. "\r\n0\r\n\r\n")
  end }, function(server)
    equal((fetching.failure(server, "/f")), "ETOOBIG")
  end)
end)

test("206 and 416 that nobody asked for are refused", function()
  scripted({ function(_, connection)
    connection:respond(206, { ["Content-Range"] = "bytes 0-299999/300000" }, BODY)
  end }, function(server) equal((fetching.failure(server, "/f")), "EPROTO") end)
  scripted({ function(_, connection) connection:respond(416, {}) end }, function(server)
    equal((fetching.failure(server, "/f")), "EHTTP")
  end)
end)

test("416 for a part that is whole means that it is whole; any other 416 begins from zero", function()
  scripted({ good, good, good }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    equal(ranges(server), { "all", "bytes=300000-" })
  end)
  local function no(total)
    return function(_, connection) connection:respond(416, { ["Content-Range"] = total, ETag = E }) end
  end
  for _, total in ipairs { "bytes */100001", "bytes */99999", "bytes */*", "bytes */100000", "nonsense" } do
    scripted({ cut_at(100000), no(total), good }, function(server)
      fetching.check_whole(server, BODY, fetching.download(server, "/f"))
      equal(ranges(server), { "all", "bytes=100000-", "all" }, total)
    end)
  end
end)

test("what has come before and comes again is no progress: such a server is given up, however much it sends", function()
  local large = fetching.bytes(3 << 20)
  local function another_part(request, connection)
    local headers = { ETag = E, ["Content-Length"] = tostring(#large) }
    if request.headers.range then headers = { ETag = E, ["Content-Range"] = "bytes 0-9/99", ["Content-Length"] = "10" } end
    connection:respond(request.headers.range and 206 or 200, headers, large:sub(1, request.headers.range and 10 or 2 << 20))
  end
  local function never_twice(_, connection) -- without a validator each try begins from zero
    connection:respond(200, { ["Content-Length"] = tostring(#large) }, large:sub(1, 2 << 20))
  end
  for _, answer in ipairs { another_part, never_twice } do
    scripted({ answer }, function(server)
      fetching.failure(server, "/f", { tries = 3, total_timeout_ms = 60000 })
      ok(#server.requests <= 6, #server.requests)
    end)
  end
end)

test("a busy server is asked again after the time that it says, and given up when it says too much", function()
  local function busy(after)
    return function(_, connection) connection:respond(503, { ["Retry-After"] = after }, "busy") end
  end
  scripted({ busy "0", busy "Thu, 01 Jan 1970 00:00:00 GMT", good }, function(server)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
  end)
  scripted({ busy "1", good }, function(server)
    local began_ms, told = task.now_ms(), {}
    fetching.check_whole(server, BODY, fetching.download(server, "/f", nil, function(at) told[#told + 1] = at end))
    ok(task.now_ms() - began_ms >= 1000)
    equal({ told[1].phase, told[1].for_ms }, { "waiting", 1000 })
    ok(told[1].why:find("status 503 (not available now)", 1, true), told[1].why)
  end)
  scripted({ busy "86400" }, function(server)
    local code, message = fetching.failure(server, "/f", { total_timeout_ms = 20000 })
    equal({ code, #server.requests }, { "EHTTP", 1 })
    ok(message:find("status 503 (not available now)", 1, true), message)
  end)
end)

test("a cancelled download keeps what came, in file and sidecar", function()
  local wanted, sent = 150000, task.event()
  scripted({ function(_, connection)
    cut(connection, wanted)
    sent:fire()
    connection:wait()
  end, good }, function(server)
    task.scope(function(scope)
      local one = scope:spawn("download", fetching.download, server, "/f", {}, function(state)
        if state.done_bytes == wanted then sent:fire(true) end
      end)
      sent:wait()
      task.within(10000, function()
        while #(fetching.kept(server) or "") < wanted do task.wait { at_ms = task.now_ms() + 5 } end
      end)
      one:cancel("enough")
    end)
    fetching.check_whole(server, BODY, fetching.download(server, "/f"))
    equal(ranges(server), { "all", "bytes=150000-" })
  end)
end)

test("interrupted 20 times at random points, the whole is right", function()
  local body, asked = fetching.bytes(5000000), 0
  local function breaking(request, connection)
    asked = asked + 1
    if asked > 20 then return tls_server.send(request, connection, { body = body, etag = E }) end
    local from = math.tointeger((request.headers.range or "bytes=0-"):match("%d+"))
    local count = math.random(0, (#body - from) // 6)
    local range = from > 0 and ("bytes %d-%d/%d"):format(from, #body - 1, #body) or nil
    connection:respond(range and 206 or 200, { ETag = E, ["Content-Range"] = range,
      ["Content-Length"] = tostring(#body - from) }, body:sub(from + 1, from + count))
  end
  scripted({ breaking }, function(server)
    fetching.check_whole(server, body, fetching.download(server, "/f", { tries = 30, first_pause_ms = 1 }))
    equal(#server.requests, 21)
  end)
end)

-- -- what is on the disk already ----------------------------------------------------------------------------------

test("a part of another URL, of nobody knows what, or larger than its whole is begun from zero", function()
  local url
  for _, sidecar in ipairs {
    function() return nil end,
    function() return "{" end,
    function() return "[1,2]" end,
    function() return '"text"' end,
    function() return world.json.encode { url = url .. "x", etag = E, total = #BODY } end,
    function() return world.json.encode { url = url, total = #BODY } end,
    function() return world.json.encode { url = url, etag = 'W/"v1"' } end,
    function() return world.json.encode { url = url, etag = '"a"\r\nX: y' } end,
    function() return world.json.encode { url = url, etag = 7 } end,
    function() return world.json.encode { url = url, etag = E, total = 99 } end,
    function() return world.json.encode { url = url, etag = E, total = "many" } end,
    function() return world.json.encode { url = { url }, etag = E } end,
  } do
    scripted({ good }, function(server)
      url = server.url .. "/f"
      assert(fs.write_atomic(fetching.part(server), BODY:sub(1, 100)))
      local text = sidecar()
      if text then assert(fs.write_atomic(http.sidecar(fetching.part(server)), text)) end
      fetching.check_whole(server, BODY, fetching.download(server, "/f"))
      equal(ranges(server), { "all" }, text)
    end)
  end
end)

test("another's bytes in the part are found by the hash, not taken for ours", function()
  scripted({ good }, function(server)
    assert(fs.write_atomic(fetching.part(server), ("?"):rep(1000)))
    assert(fs.write_atomic(http.sidecar(fetching.part(server)),
      world.json.encode { url = server.url .. "/f", etag = E, total = #BODY }))
    local got = assert(fetching.download(server, "/f"))
    equal({ got.size_bytes, got.sha256 == world.hash.sha256(BODY) }, { #BODY, false })
    assert(http.remove(world, fetching.part(server)))
    equal(fs.list(server.directory), {})
    assert(http.remove(world, fetching.part(server)))
  end)
end)

test("a part that is a link is not followed, and nothing is asked", function()
  scripted({ good }, function(server)
    assert(fs.write_atomic(server.directory .. "/precious", "kept"))
    assert(fs.symlink("precious", fetching.part(server)))
    local code, message = fetching.failure(server, "/f")
    equal({ code, fs.read(server.directory .. "/precious"), #server.requests }, { "ELOOP", "kept", 0 })
    ok(message:find(fetching.part(server), 1, true), message)
  end)
end)

test("a wanted size that is not the server's is refused before a byte is written", function()
  scripted({ good }, function(server)
    local code, message = fetching.failure(server, "/f", { expected_bytes = #BODY - 1 })
    equal(code, "ESIZE")
    ok(message:find("it has 300000 bytes, expected 299999", 1, true), message)
    equal(fetching.kept(server), "")
    fetching.check_whole(server, BODY, fetching.download(server, "/f", { expected_bytes = #BODY }))
  end)
end)

test("errors are values, cancellation is raised", function()
  scripted({ function(_, connection) connection:wait() end }, function(server)
    local fine, problem = pcall(task.within, 50, fetching.download, server, "/f")
    equal({ fine, err.is(problem, "ETIMEDOUT") }, { false, true })
  end)
end)
