--- run/http over sys.http, against a real TLS server: texts, downloads, going on.

local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local http = require "holos.run.http"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local world = require "holos.run.world"

local function fetch(server, path, changes, progress)
  local request = { url = server.url .. path, file = server.directory .. "/part", ca_file = server.ca_file,
    first_pause_ms = 10 }
  for name, value in pairs(changes or {}) do request[name] = value end
  return http.download(world, request, progress)
end

test("http.get: a text with its head; status, size and names are judged", function()
  local files = { ["/a"] = { body = "hello\n", etag = '"one"' }, ["/large"] = ("x"):rep(5000) }
  tls_server.run({}, tls_server.publish(files), function(server)
    local got = assert(http.get(world, server.url .. "/a", { ca_file = server.ca_file }))
    equal({ got.status, got.body, got.headers.etag, got.url }, { 200, "hello\n", '"one"', server.url .. "/a" })
    local _, message, code, status = http.get(world, server.url .. "/none", { ca_file = server.ca_file })
    equal({ message, code, status }, { server.url .. "/none: status 404 (not found)", "EHTTP", 404 })
    equal(select(3, http.get(world, server.url .. "/large", { ca_file = server.ca_file, limit_bytes = 4999 })), "ETOOBIG")
    equal(#assert(http.get(world, server.url .. "/large", { ca_file = server.ca_file, limit_bytes = 5000 })).body, 5000)
  end)
end)

test("http.download: a file arrives whole, hashed, with what the server says of it", function()
  local body = host.random(1 << 20):rep(9) .. "end"
  tls_server.run({}, tls_server.publish { ["/f"] = { body = body, etag = '"e"' } }, function(server)
    local seen = {}
    local got = assert(fetch(server, "/f", {}, function(state) seen[#seen + 1] = state end))
    equal(got, { size_bytes = #body, sha256 = hash.sha256(body), sha512 = hash.sha512(body), etag = '"e"',
      url = server.url .. "/f" })
    equal(fs.read(server.directory .. "/part", { max_bytes = 1 << 30 }) == body, true)
    local last = seen[#seen]
    equal({ last.done_bytes, last.total_bytes, last.host }, { #body, #body, "localhost" })
  end)
end)

test("twenty downloads at once, each into its own file", function()
  local files, jobs = {}, {}
  for i = 1, 20 do files["/" .. i] = { body = host.random(200000 + i), etag = '"e"' } end
  tls_server.run({}, tls_server.publish(files), function(server)
    for i = 1, 20 do
      jobs[i] = function()
        local body = files["/" .. i].body
        local got = assert(fetch(server, "/" .. i, { file = server.directory .. "/part" .. i, hashes = { "sha256" } }))
        equal({ got.size_bytes, got.sha256, got.sha512 }, { #body, hash.sha256(body) })
      end
    end
    task.all(jobs)
  end)
end)

test("progress is told at most ten times a second, and tells rate and rest", function()
  local body = host.random(1 << 20)
  tls_server.run_plain(function(_, connection)
    connection:respond(200, { ETag = '"e"', ["Content-Length"] = tostring(#body) }, "")
    for at = 1, #body, 1 << 14 do
      connection:write(body:sub(at, at + (1 << 14) - 1))
      task.wait { at_ms = task.now_ms() + 5 }
    end
  end, function(server)
    server.directory = tmpdir()
    local told, began_ms = {}, task.now_ms()
    assert(fetch(server, "/f", { allow_http = true }, function(state)
      told[#told + 1] = state
      state.at_ms = task.now_ms()
    end))
    ok(#told - 1 <= (task.now_ms() - began_ms) // 100 + 1, #told)
    ok(#told >= 3, #told)
    for i = 2, #told - 1 do ok(told[i].at_ms - told[i - 1].at_ms >= 100) end
    local middle = told[#told - 1]
    ok(middle.bytes_per_s > 0 and middle.eta_ms and middle.eta_ms >= 0)
    equal({ middle.total_bytes, told[#told].done_bytes, told[#told].eta_ms }, { #body, #body, 0 })
  end)
end)
