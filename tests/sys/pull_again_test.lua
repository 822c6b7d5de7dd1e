--- Pulls of what came before: one connection for list and image, and images that only their server can tell to be the same.

local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local http = require "holos.run.http"
local publishers = require "tests.support.publishers"
local pull = require "holos.run.images.pull"
local reference = require "holos.image.reference"
local removal = require "holos.run.images.removal"
local state_ = require "holos.run.state"
local store = require "holos.run.images.store"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local world = require "holos.run.world"

local DATE <const>, LATER <const> = "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"

local function new_state() return state_.locate(world, { state_dir = tmpdir() }) end

-- Pulls https://…/a.qcow2 without knowing anything of it.
local function fetch(server, state)
  return pull.pull(world, state, pull.entry_of_url(reference.parse(server.url .. "/a.qcow2")), { ca_file = server.ca_file })
end

local function with_server(handler, body) tls_server.run({ keeps_open = true }, handler, body) end

-- What the last request has asked.
local function asked(server)
  local headers = server.requests[#server.requests].headers
  return headers["if-none-match"] or headers["if-modified-since"] or "all"
end

local function digest_of(body) return "sha256:" .. hash.sha256(body) end

-- -- connections --------------------------------------------------------------------------------------------------

test("a list and its image come over one connection", function()
  local published = {}
  with_server(tls_server.publish(published), function(server)
    local here, entry = publishers.here(server, "ubuntu")
    publishers.put(published, "ubuntu", entry, publishers.image())
    equal(select(2, pull.pull(world, new_state(), here, { ca_file = server.ca_file })), "pulled")
    equal({ #server.requests, server.connections }, { 2, 1 })
  end)
end)

-- Whether a request came through, over connections that are kept.
local function request(server, connections, more)
  local wanted = { url = server.url .. "/", ca_file = server.ca_file, connections = connections }
  for name, value in pairs(more or {}) do wanted[name] = value end
  local transfer <close> = assert(world.http.new(wanted))
  while true do
    local head, message, code = transfer:try_head()
    if head then
      assert(transfer:accept { limit_bytes = 1000 })
      while not transfer:try_body() do task.wait { fd = transfer:fileno(), dir = "r" } end
      return transfer:text()
    end
    if message ~= "EAGAIN" then return code end
    task.wait { fd = transfer:fileno(), dir = "r" }
  end
end

test("a connection that its server has closed meanwhile is made anew", function()
  tls_server.run({}, function(_, connection)
    connection:write "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
  end, function(server)
    local connections <close> = http.connections(world)
    equal({ request(server, connections), request(server, connections), server.connections }, { "hi", "hi", 2 })
  end)
end)

test("who may not go to this host takes no connection there that is open already", function()
  with_server(function(_, connection) connection:respond(200, {}, "hi") end, function(server)
    local connections <close> = http.connections(world)
    equal({ request(server, connections), request(server, connections), server.connections }, { "hi", "hi", 1 })
    equal({ request(server, connections, { is_public_only = true }), server.connections }, { "EREDIRECT", 1 })
  end)
end)

test("connections outlive nobody: closed while a transfer has them, closed twice, and asked for afterwards", function()
  with_server(function(_, connection) connection:respond(200, {}, "hi") end, function(server)
    local connections = http.connections(world)
    do
      local transfer <close> = assert(world.http.new { url = server.url, ca_file = server.ca_file, connections = connections })
      equal({ connections:close(), transfer:fileno() >= 0 }, { true, true })
    end
    equal(request(server, connections), "hi")
    equal({ connections:close(), connections:close() }, { true, true })
    ok(tostring(select(2, pcall(request, server, connections))):find("connections are closed", 1, true))
  end)
end)

-- -- what has not changed -----------------------------------------------------------------------------------------

test("an address is asked for what has changed, and says when nothing has", function()
  for _, case in ipairs { { '"v1"', nil, '"v2"', nil }, { nil, DATE, nil, LATER }, { '"v1"', DATE, '"v2"', DATE } } do
    local old, new, published = publishers.image(), publishers.image(), {}
    with_server(tls_server.publish(published), function(server)
      local state = new_state()
      published["/a.qcow2"] = { body = old, etag = case[1], last_modified = case[2] }
      local first, how = fetch(server, state)
      equal({ first.digest, how, asked(server) }, { digest_of(old), "pulled", "all" })
      for _ = 1, 2 do
        local again
        again, how = fetch(server, state)
        equal({ again.digest, how, asked(server) }, { digest_of(old), "unchanged", case[1] or case[2] })
        equal(files.below(state:cache(world) .. "/downloads", "."), {})
      end
      published["/a.qcow2"] = { body = new, etag = case[3], last_modified = case[4] }
      local other
      other, how = fetch(server, state)
      equal({ other.digest, how }, { digest_of(new), "pulled" })
      equal(select(2, fetch(server, state)), "unchanged")
    end)
  end
end)

test("of an image that is gone or damaged nothing is said to be the same", function()
  local body, published = publishers.image(), {}
  with_server(tls_server.publish(published), function(server)
    local state = new_state()
    published["/a.qcow2"] = { body = body, etag = '"v1"' }
    local image = fetch(server, state)
    assert(fs.chmod(image.path, tonumber("600", 8)))
    files.write(image.path, body:sub(1, -5) .. "EVIL")
    equal({ select(2, fetch(server, state)), asked(server), files.read(image.path) == body }, { "pulled", "all", true })
    assert(fs.remove(image.path))
    equal({ select(2, fetch(server, state)), asked(server), files.read(image.path) == body }, { "pulled", "all", true })
    removal.image(world, state, image.digest)
    equal({ select(2, fetch(server, state)), asked(server) }, { "pulled", "all" })
  end)
end)

test("an image that goes while its server is asked is fetched as a whole", function()
  local state, body = new_state(), publishers.image()
  local image
  with_server(function(request_, connection)
    if asked { requests = { request_ } } ~= "all" then removal.image(world, state, image.digest) end
    tls_server.send(request_, connection, { body = body, etag = '"v1"' })
  end, function(server)
    image = fetch(server, state)
    local again, how = fetch(server, state)
    equal({ how, files.read(again.path) == body, #server.requests }, { "pulled", true, 3 })
  end)
end)

-- -- servers that say it wrongly ----------------------------------------------------------------------------------

test("that nothing has changed, said to who has not asked, is an error", function()
  with_server(function(_, connection) connection:respond(304, { ETag = '"v1"' }) end, function(server)
    local state = new_state()
    local problem = failure(fetch, server, state)
    equal({ problem.code, problem.status, #store.list(world, state), #server.requests }, { "EHTTP", 304, 0, 1 })
  end)
end)

test("that nothing has changed, said of something else, is asked again, once", function()
  local body, published = publishers.image(), {}
  with_server(tls_server.publish(published), function(server)
    local state = new_state()
    published["/a.qcow2"] = { body = body, etag = '"v1"' }
    fetch(server, state)
    published["/a.qcow2"] = function(request_, connection)
      if asked { requests = { request_ } } == "all" then return connection:respond(200, { ETag = '"v2"' }, body) end
      connection:respond(304, { ETag = '"v2"' })
    end
    equal({ select(2, fetch(server, state)), #server.requests }, { "pulled", 3 })
    published["/a.qcow2"] = function(_, connection) connection:respond(304, { ETag = '"v3"' }) end
    equal({ failure(fetch, server, state).status, #server.requests, #store.list(world, state) }, { 304, 5, 1 })
  end)
end)

test("a tag that is none is not kept, and not sent", function()
  local body, published = publishers.image(), {}
  with_server(tls_server.publish(published), function(server)
    for _, etag in ipairs { 'W/"v1"', "v1", '"a\1b"', '"a b"', ('"%s"'):format(("x"):rep(300)), '"' } do
      local state = new_state()
      published["/a.qcow2"] = { body = body, etag = etag, last_modified = "yesterday" }
      fetch(server, state)
      equal({ select(2, fetch(server, state)), asked(server) }, { "pulled", "all" }, etag)
    end
    local state = new_state()
    local named = reference.parse(server.url .. "/a.qcow2")
    for _, etag in ipairs { '"v1"\r\nEvil: 1', ("x"):rep(300), '"v1\0"' } do
      local digest = fetch(server, state).digest
      store.tag(world, state, "@url", hash.sha256(named.url), digest, {}, { url = named.url, etag = etag, last_modified = "\n" })
      equal({ select(2, fetch(server, state)), asked(server), server.requests[#server.requests].headers.evil or "" },
        { "pulled", "all", "" })
    end
  end)
end)
