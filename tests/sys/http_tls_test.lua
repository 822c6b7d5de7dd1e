--- Whom run/http believes: certificates, authorities and where they are found, proxies.

local authorities = require "holos.run.http.authorities"
local fetching = require "tests.support.fetching"
local fs = require "sys.fs"
local http = require "holos.run.http"
local io_wait = require "holos.run.io"
local net = require "sys.net"
local proxies = require "holos.run.http.proxy"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local world = require "holos.run.world"

local FILES = { ["/f"] = { body = "hello\n", etag = '"e"' } }

-- -- certificates -------------------------------------------------------------------------------------------------

test("a server that cannot prove who it is gets no request, and the reason is said", function()
  local reasons = { expired = "validity has expired", name = "Common Name", self = "not correctly signed by the trusted CA" }
  local jobs = {}
  for kind, words in pairs(reasons) do
    jobs[#jobs + 1] = function()
      tls_server.run({ certificate = kind }, tls_server.publish(FILES), function(server)
        local code, message = fetching.failure(server, "/f")
        equal({ code, #server.requests, fetching.kept(server) }, { "ETLS", 0, "" })
        ok(message:find(words, 1, true) and message:find(server.url, 1, true) == 1, message)
        ok(not message:find("\n", 1, true), message)
        equal(select(3, fetching.get(server, "/f")), "ETLS")
      end)
    end
  end
  task.all(jobs)
end)

test("a server that knows nothing newer than TLS 1.1, and one without TLS, are refused", function()
  tls_server.run({ tls = "1.1" }, tls_server.publish(FILES), function(server)
    equal({ fetching.failure(server, "/f"), #server.requests }, { "ETLS", 0 })
  end)
  tls_server.run_plain(tls_server.publish(FILES), function(server)
    local _, _, code = http.get(world, (server.url:gsub("^http:", "https:")) .. "/f", { ca_file = "/dev/null" })
    equal({ code, #server.requests }, { "ETLS", 0 })
  end)
end)

-- -- authorities --------------------------------------------------------------------------------------------------

test("authorities come from the environment, files and directories, and count instead of the host's", function()
  tls_server.run({}, tls_server.publish(FILES), function(server)
    local directory = tmpdir()
    assert(fs.copy(server.ca_file, directory .. "/one.pem"))
    local function get(variables) return select(3, http.get(fetching.world(variables), server.url .. "/f")) end
    equal(get { HOLOS_CA_FILE = server.ca_file }, nil)
    equal(get { SSL_CERT_FILE = server.ca_file }, nil)
    equal(get { SSL_CERT_DIR = directory }, nil)
    equal(get { HOLOS_CA_FILE = server.ca_file, SSL_CERT_FILE = "/none", SSL_CERT_DIR = "/none" }, nil)
    equal(get { SSL_CERT_FILE = "/none", SSL_CERT_DIR = directory }, nil)
    equal(get { SSL_CERT_FILE = "/etc/passwd", SSL_CERT_DIR = directory }, "ETLS")
    equal(get { SSL_CERT_FILE = server.ca_file, SSL_CERT_DIR = tmpdir() }, nil)
    equal(get {}, "ETLS")
  end)
end)

test("authorities that were named and are not there are not passed over", function()
  for name, kind in pairs { HOLOS_CA_FILE = "file", SSL_CERT_FILE = "file", SSL_CERT_DIR = "directory" } do
    local _, message, code = http.get(fetching.world { [name] = "/none" }, "https://localhost:1/")
    equal({ message, code }, { ("https://localhost:1/: %s names /none, which is no %s"):format(name, kind), "ETLS" })
  end
  local garbage = tmpdir() .. "/garbage"
  assert(fs.write_atomic(garbage, "no certificates here"))
  tls_server.run({}, tls_server.publish(FILES), function(server)
    local _, message, code = http.get(fetching.world { HOLOS_CA_FILE = garbage }, server.url .. "/f")
    equal(code, "ETLS")
    ok(message:find(garbage, 1, true), message)
  end)
end)

-- A world in which these paths are all there is.
local function only(paths)
  local other = fetching.world {}
  other.fs = { stat = function(path) return paths[path] and { type = paths[path] } end }
  return other
end

test("the places of the distributions are looked through in order; where there is none, the sentence names them", function()
  equal(authorities.find(only { ["/etc/ssl/ca-bundle.pem"] = "file", ["/etc/ssl/certs"] = "directory" }),
    { file = "/etc/ssl/ca-bundle.pem" })
  equal(authorities.find(only { ["/etc/ssl/certs"] = "directory", ["/etc/ssl/cert.pem"] = "directory" }),
    { directory = "/etc/ssl/certs" })
  local found, message, code = authorities.find(only {})
  equal({ found, code }, { nil, "ETLS" })
  for _, path in ipairs { "HOLOS_CA_FILE", "SSL_CERT_FILE", "ca-certificates", table.unpack(authorities.FILES) } do
    ok(message:find(path, 1, true), path)
  end
end)

-- -- proxies ------------------------------------------------------------------------------------------------------

local function pump(from, to)
  while true do
    local text = io_wait.await(from, "try_read", 65536)
    if not text or text == "" or not io_wait.write_all(to, text) then return end
  end
end

-- A proxy that takes CONNECT, wherever to: it leads to `port`.
local function tunnel(port)
  return function(_, connection)
    local fd = assert(net.connect_tcp("127.0.0.1", port))
    local _fd <close> = setmetatable({}, { __close = function() fd:close() end })
    task.wait { fd = fd, dir = "w" }
    assert(net.connect_result(fd))
    connection:write("HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
    task.race { function() pump(connection.fd, fd) end, function() pump(fd, connection.fd) end }
  end
end

-- Runs `body(server, proxy)` with a proxy that leads to the server.
local function with_proxy(body)
  tls_server.run({}, tls_server.publish(FILES), function(server)
    tls_server.run_plain(function(request, connection) tunnel(server.port)(request, connection) end, function(proxy)
      body(server, proxy)
    end)
  end)
end

test("an HTTPS download goes through the proxy of the environment, whose head is not the server's", function()
  with_proxy(function(server, proxy)
    for _, name in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } do
      local before = #proxy.requests
      local got = assert(http.get(fetching.world { [name] = proxy.url }, server.url .. "/f", { ca_file = server.ca_file }))
      equal({ got.body, got.headers["x-proxy"], #proxy.requests - before }, { "hello\n", nil, 1 }, name)
    end
    local last = proxy.requests[#proxy.requests]
    equal({ last.method, last.path }, { "CONNECT", "localhost:" .. server.port })
    fetching.check_whole(server, "hello\n", fetching.download(server, "/f",
      { world = fetching.world { https_proxy = proxy.url } }))
  end)
end)

test("no_proxy leads around it; HTTP_PROXY is not looked at", function()
  with_proxy(function(server, proxy)
    for _, variables in ipairs { { no_proxy = "localhost" }, { NO_PROXY = "example.com,localhost" }, { no_proxy = "*" } } do
      variables.https_proxy = proxy.url
      assert(http.get(fetching.world(variables), server.url .. "/f", { ca_file = server.ca_file }))
    end
    equal(#proxy.requests, 0)
    local other = fetching.world { HTTP_PROXY = "http://127.0.0.1:1", http_proxy = "http://127.0.0.1:2" }
    equal({ proxies.find(other, "http") }, { "http://127.0.0.1:2", "" })
    equal({ proxies.find(other, "https") }, { "", "" })
  end)
end)

test("a proxy that refuses or is not there is said, its password is not", function()
  tls_server.run_plain(function(_, connection)
    connection:respond(407, { ["Proxy-Authenticate"] = "Basic" }, "who are you?")
  end, function(proxy)
    local url = proxy.url:gsub("//", "//user:secret@")
    local _, message, code = http.get(fetching.world { https_proxy = url }, "https://localhost:1/", { ca_file = "/dev/null" })
    equal({ code, proxy.requests[1].headers["proxy-authorization"] ~= nil }, { "EPROXY", true })
    ok(message:find("407", 1, true) and message:find("through the proxy " .. proxy.url, 1, true), message)
    ok(not message:find("secret", 1, true), message)
  end)
  local _, message, code = http.get(fetching.world { all_proxy = "http://127.0.0.1:1" }, "https://localhost:1/",
    { ca_file = "/dev/null" })
  equal(code, "ECONNECT")
  ok(message:find("through the proxy http://127.0.0.1:1", 1, true), message)
  equal(proxies.show("u:p@host:3128"), "host:3128")
  equal(proxies.show("socks5h://u:p@host"), "socks5h://host")
  equal(proxies.show("http://host:1/"), "http://host:1/")
end)

test("a user's name and password in a URL are used and never shown", function()
  tls_server.run({}, tls_server.publish { ["/f"] = function(request, connection)
    connection:respond(request.headers.authorization and 200 or 401, { ETag = '"e"' }, "hello\n")
  end }, function(server)
    server.url = server.url:gsub("//", "//user:secret@")
    local got = fetching.check_whole(server, "hello\n", fetching.download(server, "/f"))
    equal(got.url:find("user", 1, true), nil)
    equal(fs.read(http.sidecar(fetching.part(server))):find("secret", 1, true), nil)
    local _, message = fetching.failure(server, "/none")
    ok(not message:find("secret", 1, true), message)
  end)
end)
