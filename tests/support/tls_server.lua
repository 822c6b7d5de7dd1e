--- A real TLS server on a loopback port for the time of a function, whose answers a function of the test gives, byte by
--- byte when it likes. Certificates are made by openssl for the run. Effects: starts and kills a program.
--
-- run({certificate = "good", tls = nil, keeps_open = false}, handler, function(server) … end)
--   handler(request, connection): request = {method, path, headers = {[lower case] = text}, number}; connection has
--   write(text) (false when the other side is gone), respond(status, headers, body), wait() until the other side leaves.
--   server = {url = "https://localhost:PORT", port, ca_file, requests = {request, …}, connections = how many there were}
--   keeps_open: a connection takes one request after the other.
-- publish(files) is a handler: files[path] = text or {body=, etag=, last_modified=, headers=}, or a handler; ranges,
-- conditions, 404.
local err = require "holos.core.err"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local net = require "sys.net"
local program = require "tests.support.program"
local task = require "holos.core.task"

local M = {}

local HEAD_BYTES = 64 * 1024
local SCRIPT = "tests/support/tls_terminator.py"

-- -- certificates -------------------------------------------------------------------------------------------------

local texts = {}           -- by name: made once in this process, written anew for each test

local function openssl(directory, line)
  local argv = { "openssl" }
  for word in line:gmatch("%S+") do argv[#argv + 1] = (word:gsub("^@", directory .. "/"):gsub("+", " ")) end
  local result = run_tool(argv)
  equal(result.status, 0, result.stderr)
end

local NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
local NAMES = { good = "DNS:localhost,IP:127.0.0.1", expired = "DNS:localhost,IP:127.0.0.1", name = "DNS:elsewhere.example" }

local function make_authority(directory)
  openssl(directory, "req -x509 " .. NEW_KEY .. " -keyout @ca.key -out @ca.pem -subj /CN=Authority+of+the+test -days 2")
end

local function make_certificate(directory, kind)
  if kind == "self" then
    openssl(directory, "req -x509 " .. NEW_KEY .. " -keyout @self.key -out @self.pem -subj /CN=localhost -days 2 "
      .. "-addext subjectAltName=" .. NAMES.good)
    return
  end
  openssl(directory, ("req %s -keyout @%s.key -out @request.pem -subj /CN=localhost"):format(NEW_KEY, kind))
  assert(fs.write_atomic(directory .. "/extensions", "subjectAltName=" .. NAMES[kind] .. "\n"))
  local serial, days = kind == "good" and 1 or 2, kind == "expired" and -1 or 2
  openssl(directory, ("x509 -req -in @request.pem -CA @ca.pem -CAkey @ca.key -set_serial %d -days %d"):format(serial, days)
    .. (" -extfile @extensions -out @%s.pem"):format(kind))
end

local function place(directory, name, make)
  for _, ending in ipairs { ".key", ".pem" } do
    local kept = texts[name .. ending]
    if kept then assert(fs.write_atomic(directory .. "/" .. name .. ending, kept)) end
  end
  if texts[name .. ".pem"] then return end
  make(directory, name)
  for _, ending in ipairs { ".key", ".pem" } do
    texts[name .. ending] = assert(fs.read(directory .. "/" .. name .. ending))
  end
end

--- Writes the authority and a certificate of `kind` into a directory: ca.pem, KIND.pem, KIND.key.
function M.certificates(directory, kind)
  place(directory, "ca", make_authority)
  place(directory, kind, make_certificate)
end

-- -- connections --------------------------------------------------------------------------------------------------

local Connection = {}
Connection.__index = Connection

--- Sends a text; false when the other side is gone.
function Connection:write(text)
  local done, message, code = io_wait.write_all(self.fd, text)
  if done then return true end
  if code == "EPIPE" or code == "ECONNRESET" then return false end
  err.raise("answer: " .. message)
end

local REASONS = { [200] = "OK", [206] = "Partial Content", [302] = "Found", [304] = "Not Modified", [404] = "Not Found" }

--- Sends a whole answer; Content-Length comes by itself unless headers say it.
function Connection:respond(status, headers, body)
  local lines = { ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Status"),
    "Connection: " .. (self.is_kept and "keep-alive" or "close") }
  body = body or ""
  if not (headers or {})["Content-Length"] then lines[#lines + 1] = "Content-Length: " .. #body end
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  return self:write(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

--- Waits until the other side leaves.
function Connection:wait()
  while true do
    local text = io_wait.await(self.fd, "try_read", HEAD_BYTES)
    if not text or text == "" then return end
  end
end

local function read_head(fd)
  local head = ""
  while not head:find("\r\n\r\n", 1, true) do
    local text = io_wait.await(fd, "try_read", HEAD_BYTES)
    if not text or text == "" or #head > HEAD_BYTES then return nil end
    head = head .. text
  end
  return head
end

local function parse(head)
  local method, path = head:match("^(%u+) (%S+) HTTP/1%.1\r\n")
  local request = { method = method, path = path, headers = {} }
  for name, value in head:gmatch("\r\n([^:\r\n]+): *([^\r\n]*)") do request.headers[name:lower()] = value end
  return request
end

local function serve(server, fd, handler)
  local _fd <close> = setmetatable({}, { __close = function() fd:close() end })
  server.open[fd], server.connections = nil, server.connections + 1
  repeat
    local head = read_head(fd)
    if not head then return end
    local request = parse(head)
    table.insert(server.requests, request)
    request.number = #server.requests
    handler(request, setmetatable({ fd = fd, is_kept = server.keeps_open }, Connection))
  until not server.keeps_open
end

local function accept_all(scope, listener, server, handler)
  while true do
    local fd, message, code = net.accept(listener)
    if fd then
      server.open[fd] = true          -- until its task has begun
      scope:spawn("connection", serve, server, fd, handler)
    elseif message == "EAGAIN" then task.wait { fd = listener, dir = "r" }
    else err.raise { message = message, code = code } end
  end
end

-- -- the server ---------------------------------------------------------------------------------------------------

local function with_listener(server, listener, handler, body)
  server.requests, server.open, server.connections = {}, {}, 0
  return task.scope(function(scope)
    local _end <close> = setmetatable({}, { __close = function()
      scope:cancel("the test is over")
      listener:close()
      for fd in pairs(server.open) do fd:close() end
    end })
    scope:spawn("server", accept_all, scope, listener, server, handler)
    return body(server)
  end)
end

--- Runs `body(server)` beside a server that speaks TLS; see above.
---@param options {certificate: "good"|"expired"|"name"|"self"|nil, tls: "1.1"|nil, keeps_open: boolean?}
function M.run(options, handler, body)
  local directory, kind = tmpdir(), options.certificate or "good"
  M.certificates(directory, kind)
  local listener = err.check("socket", net.listen_unix(directory, "plain", { backlog = 128 }))
  local prefix = directory .. "/" .. kind
  local terminator <close> = program.start { "python3", "-W", "ignore", SCRIPT, directory .. "/plain", prefix .. ".pem",
    prefix .. ".key", options.tls or "" }
  local port = math.tointeger(terminator:line())
  local server = { port = port, url = "https://localhost:" .. port, ca_file = directory .. "/ca.pem", directory = directory,
    keeps_open = options.keeps_open }
  return with_listener(server, listener, handler, body)
end

--- The same without TLS.
function M.run_plain(handler, body)
  local listener = err.check("socket", net.listen_tcp("127.0.0.1", 0, { backlog = 128 }))
  local port = net.bound_port(listener)
  return with_listener({ port = port, url = "http://127.0.0.1:" .. port }, listener, handler, body)
end

-- -- files --------------------------------------------------------------------------------------------------------

local function headers_of(file)
  local headers = { ETag = file.etag, ["Last-Modified"] = file.last_modified }
  for name, value in pairs(file.headers or {}) do headers[name] = value end
  return headers
end

-- The first byte that is wanted, when the validator still holds.
local function wanted_from(request, file)
  local from = math.tointeger((request.headers.range or ""):match("^bytes=(%d+)%-$"))
  local condition = request.headers["if-range"]
  if condition and condition ~= file.etag and condition ~= file.last_modified then return nil end
  return from
end

-- Of two conditions the first counts.
local function is_unchanged(request, file)
  local tag, date = request.headers["if-none-match"], request.headers["if-modified-since"]
  if tag then return tag == file.etag end
  return date ~= nil and date == file.last_modified
end

--- Answers with a file as a good server does.
function M.send(request, connection, file)
  local headers, from = headers_of(file), wanted_from(request, file)
  if is_unchanged(request, file) then return connection:respond(304, headers) end
  if not from then return connection:respond(200, headers, file.body) end
  if from >= #file.body then
    headers["Content-Range"] = "bytes */" .. #file.body
    return connection:respond(416, headers)
  end
  headers["Content-Range"] = ("bytes %d-%d/%d"):format(from, #file.body - 1, #file.body)
  return connection:respond(206, headers, file.body:sub(from + 1))
end

--- A handler for files by path; the table may change while the server runs.
function M.publish(files)
  return function(request, connection)
    local file = files[request.path]
    if type(file) == "function" then return file(request, connection) end
    if type(file) == "string" then file = { body = file } end
    if not file then return connection:respond(404, {}, "not here\n") end
    return M.send(request, connection, file)
  end
end

return M
