--- `holos pull` as a program: many at once, killed at any point, its words and exit codes.

local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local json = require "sys.json"
local publishers = require "tests.support.publishers"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local tool = require "tests.support.tool"

local HOLOS = host.executable()

-- What images.lua says of the images of a test.
local IMAGES = [[
return {
  name = "own", also = { "mine" }, user = "me", architectures = { %s = "x" }, checksums = "{directory}/SHA256SUMS",
  versions = {
    { tag = "1", url = "%s/own/1.qcow2", latest = { url = "%s/own/latest/1.qcow2" } },
    { tag = "big", url = "%s/own/big.raw", checksums = "{url}.sha256" },
    { tag = "gone", url = "%s/own/gone.qcow2" },
  },
}
]]

-- A user of `server`: run(words) is holos with a state directory and a configuration of its own.
local function new_user(server, options)
  local user = { directory = tmpdir(), state = tmpdir(), env = {} }
  assert(fs.mkdir_all(user.directory .. "/config/holos", tonumber("700", 8)))
  local url = server.url
  assert(fs.write_atomic(user.directory .. "/config/holos/images.lua", IMAGES:format(host.architecture(), url, url, url, url),
    { mode = tonumber("600", 8) }))
  local env = { "XDG_CONFIG_HOME=" .. user.directory .. "/config", "HOLOS_STATE_DIR=" .. user.state,
    "HOLOS_CA_FILE=" .. server.ca_file, "HOLOS_LUA_PATH=" .. (files.environment "HOLOS_LUA_PATH" or "") }
  if env[4] == "HOLOS_LUA_PATH=" then env[4] = nil end
  function user.run(words)
    for _, setting in ipairs(user.env) do env[#env + 1] = setting end
    return tool.run({ HOLOS, table.unpack(words) }, { directory = user.directory, env = env,
      timeout_ms = options and options.timeout_ms or 120000 })
  end
  function user.tag(name, tag)
    local text = files.read(("%s/images/tags/%s/%s.json"):format(user.state, name, tag))
    return text and json.decode(text, {}).digest
  end
  function user.images()
    local names = {}
    for _, entry in ipairs(fs.list(user.state .. "/images/sha256") or {}) do
      if not entry.name:find("%.json$") then names[#names + 1] = entry.name end
    end
    return names
  end
  --- Until a part has so many bytes.
  function user.wait_for(bytes)
    task.within(60000, function()
      while true do
        for _, file in ipairs(files.below(user.state .. "/cache/downloads", "%.part$")) do
          if fs.stat(file).size_bytes >= bytes then return end
        end
        task.wait { at_ms = task.now_ms() + 2 }
      end
    end)
  end
  return user
end

local function put(published, path, body)
  published[path] = { body = body, etag = '"' .. hash.sha256(body):sub(1, 8) .. '"' }
  published[path:match("^(.*)/") .. "/SHA256SUMS"] = ("%s *%s\n"):format(hash.sha256(body), path:match("[^/]*$"))
end

test("twenty pulls of one image are one download", function()
  local published, body = {}, publishers.image()
  put(published, "/own/1.qcow2", body)
  tls_server.run({}, tls_server.publish(published), function(server)
    local user, twenty = new_user(server), {}
    for i = 1, 20 do twenty[i] = i end
    local results = task.map(twenty, 20, function() return user.run { "pull", "--pinned", "own:1" } end)
    for _, result in ipairs(results) do
      equal(result.status, 0, result.stderr)
      equal(result.stdout, "sha256:" .. hash.sha256(body) .. "\n")
    end
    equal(publishers.requests(server, ".qcow2"), 1)
    equal(#user.images(), 1)
    equal(user.tag("own", "1"), "sha256:" .. hash.sha256(body))
    equal(fs.list(user.state .. "/cache/downloads"), {})
  end)
end)

-- A handler that sends `bytes` of what is asked for and then holds still, until the other side is gone.
local function stingy(body, bytes, on_stopped)
  return function(request, connection)
    local from = math.tointeger((request.headers.range or ""):match("^bytes=(%d+)%-$")) or 0
    local head = request.headers.range and ("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n"):format(from,
      #body - 1, #body) or "HTTP/1.1 200 OK\r\n"
    connection:write(head .. ('ETag: "one"\r\nContent-Length: %d\r\n\r\n'):format(#body - from))
    local count = bytes()
    connection:write(body:sub(from + 1, from + count))
    on_stopped(from + count)
    connection:wait()
  end
end

test("a pull that is killed at random points goes on where it was, and what comes is right", function()
  local body, rounds, state = host.random(1 << 20):rep(4), 20, 7
  local function random(most)
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state % most
  end
  local published, stopped = { ["/own/big.raw.sha256"] = hash.sha256(body) .. "\n" }, nil
  published["/own/big.raw"] = stingy(body, function() return random(#body // rounds) end,
    function(sent) stopped:fire(sent) end)
  tls_server.run({}, tls_server.publish(published), function(server)
    local user = new_user(server)
    for _ = 1, rounds do
      stopped = task.event()
      task.race {
        function() user.run { "pull", "own:big" } end,
        function() user.wait_for(random(task.wait(stopped))) end,
      }
      equal(#user.images(), 0)
    end
    published["/own/big.raw"] = { body = body, etag = '"one"' }
    local result = user.run { "pull", "own:big" }
    equal(result.status, 0, result.stderr)
    equal(user.tag("own", "big"), "sha256:" .. hash.sha256(body))
    equal(user.images(), { hash.sha256(body) .. ".raw" })
    local resumed = 0
    for _, request in ipairs(server.requests) do resumed = resumed + (request.headers.range and 1 or 0) end
    ok(resumed >= rounds // 2, ("%d of %d went on"):format(resumed, rounds))
  end)
end)

test("the newest build is asked for; the pinned one on demand; each line of the result is a digest", function()
  local published, first, second = {}, publishers.image(), publishers.image()
  put(published, "/own/1.qcow2", first)
  put(published, "/own/latest/1.qcow2", second)
  tls_server.run({}, tls_server.publish(published), function(server)
    local user = new_user(server)
    local result = user.run { "pull", "mine" }
    equal({ result.status, result.stdout }, { 0, "sha256:" .. hash.sha256(second) .. "\n" })
    ok(result.stderr:find("image own:1  %d.* from localhost\n"), result.stderr)
    ok(result.stderr:find("✔ image own:1  pulled", 1, true), result.stderr)
    result = user.run { "pull", "--pinned", "own:1", "own" }
    equal(result.stdout, "sha256:" .. hash.sha256(first) .. "\n", "two names of one image")
    result = user.run { "pull", "own:1", server.url .. "/own/1.qcow2" }
    equal(result.stdout, ("sha256:%s\nsha256:%s\n"):format(hash.sha256(second), hash.sha256(first)))
    ok(result.stderr:find("is here already", 1, true), result.stderr)
    result = user.run { "pull", server.url .. "/own/1.qcow2" }
    equal(result.stdout, ("sha256:%s\n"):format(hash.sha256(first)))
    ok(result.stderr:find("✔ image 1.qcow2  is up to date", 1, true), result.stderr)
    equal(user.run({ "pull", "-q", "own:1" }).stderr, "")
  end)
end)

local USAGE = {
  { { "pull", "nothing-like-it" }, 1, 'no image is called "nothing-like-it"' },
  { { "pull", "owm" }, 1, 'did you mean "own"?' },
  { { "pull", "own:7" }, 1, 'own has no "7"' },
  { { "pull", "postgres:16" }, 64, "is a container image" },
  { { "pull", "./a.qcow2" }, 64, "there is nothing to fetch" },
  { { "pull", "sha256:" .. ("a"):rep(64) }, 64, "does not say where to fetch it" },
  { { "pull", "http://example.org/a.qcow2" }, 64, "fetched by https only" },
  { { "pull" }, 2, "no holos.yaml" },
}

test("what cannot be fetched is told, each by itself, and the others come", function()
  local published, body = {}, publishers.image()
  put(published, "/own/latest/1.qcow2", body)
  tls_server.run({}, tls_server.publish(published), function(server)
    local user = new_user(server)
    for _, case in ipairs(USAGE) do
      local result = user.run(case[1])
      equal(result.status, case[2], result.stderr)
      ok(result.stderr:find(case[3], 1, true), result.stderr)
    end
    local result = user.run { "pull", "own:gone", "own:1" }
    equal({ result.status, result.stdout }, { 1, "sha256:" .. hash.sha256(body) .. "\n" })
    ok(result.stderr:find("✘ image own:gone", 1, true) and result.stderr:find("status 404", 1, true), result.stderr)
    equal(user.run({ "pull", "--ignore-pull-failures", "own:gone", "own:1" }).status, 0)
  end)
end)

test("an address is known by its path: a query decides nothing, and is shown nowhere", function()
  local published = { ["/x.raw?t=SECRET1"] = ("raw"):rep(1024), ["/a?t=SECRET2"] = publishers.image(),
    ["/z.qcow2?t=SECRET3"] = "no disk" }
  published["/far?t=SECRET4"] = function(_, connection)
    return connection:respond(302, { Location = "ftp://localhost/f?t=SECRET5" }, "")
  end
  tls_server.run({}, tls_server.publish(published), function(server)
    local user, said = new_user(server), {}
    local function run(words, status, what)
      local result = user.run(words)
      equal(result.status, status, result.stderr)
      said[#said + 1] = result.stdout .. result.stderr
      ok(said[#said]:find(what, 1, true), said[#said])
    end
    run({ "pull", server.url .. "/x.raw?t=SECRET1" }, 0, "✔ image x.raw  pulled")
    run({ "pull", server.url .. "/a?t=SECRET2" }, 0, "✔ image a  pulled")
    run({ "pull", server.url .. "/z.qcow2?t=SECRET3" }, 1, "is not a qcow2 image")
    run({ "pull", server.url .. "/far?t=SECRET4" }, 1, "a redirect to ftp://localhost/f is refused")
    run({ "pull", "--signed", server.url .. "/x.raw?t=SECRET1" }, 1, "x.raw: no signature")
    run({ "pull", server.url .. "/x.raw?t=SECRET1@sha256:" .. ("0"):rep(64) }, 1, "/x.raw: has the sha256 digest")
    run({ "images" }, 0, "raw")
    run({ "images", "--format", "json" }, 0, '"url":"' .. server.url .. '/x.raw"')
    run({ "rmi", server.url .. "/x.raw?t=SECRET1" }, 0, "/x.raw (")
    run({ "rmi", server.url .. "/x.raw?t=SECRET1" }, 1, "/x.raw is not in the image store")
    ok(not table.concat(said):find("SECRET", 1, true), table.concat(said))
  end)
end)

test("what a server says writes nothing to the terminal but text", function()
  local published = { ["/own/latest/1.qcow2"] = publishers.image(),
    ["/own/latest/SHA256SUMS"] = ("a"):rep(64) .. " *1.qcow2\27[2J\27]0;title\7.x\n" }
  tls_server.run({}, tls_server.publish(published), function(server)
    local result = new_user(server).run { "pull", "own:1" }
    equal(result.status, 1)
    ok(result.stderr:find("it has others: 1.qcow2\\x1b[2J\\x1b]0;title\\x07.x", 1, true), result.stderr)
    ok(not result.stderr:find("[\27\7]"), result.stderr)
  end)
end)

test("a layer that is not there is told of before anything is fetched", function()
  local published = {}
  put(published, "/own/1.qcow2", publishers.image())
  tls_server.run({}, tls_server.publish(published), function(server)
    local user = new_user(server)
    user.env = { "HOLOS_IMAGES=" .. user.directory .. "/nowhere" }
    local result = user.run { "pull", "own" }
    equal(result.status, 0, result.stderr)
    ok(result.stderr:find(user.directory .. "/nowhere: No such file or directory; no image of it is here", 1, true), result.stderr)
  end)
end)

test("a file of images that others may write, or that is wrong, is not used", function()
  tls_server.run({}, tls_server.publish {}, function(server)
    local user = new_user(server)
    local file = user.directory .. "/config/holos/images.lua"
    assert(fs.chmod(file, tonumber("666", 8)))
    local result = user.run { "pull", "own" }
    equal(result.status, 3)
    ok(result.stderr:find("others may write to it", 1, true), result.stderr)
    for text, said in pairs { ["return {"] = "images.lua:1:", ["os.exit()"] = "images.lua:1:", ["return 7"] = "gives no table",
      ["while true do end"] = "computes for too long",
      ["return { name = 'x', user = 'u' }"] = "versions" } do
      assert(fs.write_atomic(file, text, { mode = tonumber("600", 8) }))
      result = user.run { "pull", "own" }
      equal(result.status, 2, result.stderr)
      ok(result.stderr:find(said, 1, true), result.stderr)
    end
  end)
end)
