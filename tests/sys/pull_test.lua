--- Pulls from servers that are laid out as the publishers', by real TLS, into a real store.

local catalogue = require "holos.image.catalogue"
local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local publishers = require "tests.support.publishers"
local pull = require "holos.run.images.pull"
local reference = require "holos.image.reference"
local state_ = require "holos.run.state"
local removal = require "holos.run.images.removal"
local store = require "holos.run.images.store"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local use = require "holos.use.store"
local world = require "holos.run.world"

local function new_state() return state_.locate(world, { state_dir = tmpdir() }) end

-- Pulls with the server's authority; what was said, and what came.
local function fetch(server, state, entry, options)
  local said = {}
  local o = { ca_file = server.ca_file, say = function(line) said[#said + 1] = line end }
  for name, value in pairs(options or {}) do o[name] = value end
  local image, how = pull.pull(world, state, entry, o)
  return image, how, said
end

local function images_in(state) return #store.list(world, state) end

local function parts_in(state) return files.below(state:cache(world) .. "/downloads", ".") end

-- Runs body(server, published) beside a server of files that the test may change.
local function with_server(body)
  local published = {}
  tls_server.run({}, tls_server.publish(published), function(server) body(server, published) end)
end

test("each publisher's image is found, checked by its list and kept under its name", function()
  with_server(function(server, published)
    local state = new_state()
    for _, name in ipairs(catalogue.names(catalogue.new())) do
      local here, entry = publishers.here(server, name)
      local body = publishers.image()
      publishers.put(published, name, entry, body)
      local image, how = fetch(server, state, here)
      equal({ how, image.digest, image.format }, { "pulled", "sha256:" .. hash.sha256(body), "qcow2" }, name)
      equal({ image.facts.user, image.facts.os, image.facts.family, image.facts.share_driver, image.facts.least_memory_mib },
        { entry.user, entry.os, entry.family, entry.share_driver, entry.least_memory_mib }, name)
      -- Twice hashed is only what a list says in SHA-512.
      local has_longer = name == "alpine" or name == "debian"
      equal({ image.source.url, image.source.is_signed, image.source.sha512 or "" },
        { here.url, false, has_longer and hash.sha512(body) or "" }, name)
      equal(store.find(world, state, { kind = "name", name = entry.name, tag = entry.tag }).digest, image.digest, name)
    end
    equal(images_in(state), 9)
    equal(parts_in(state), {})
  end)
end)

test("a list that says something else is a refusal, and the store stays as it was", function()
  with_server(function(server, published)
    for _, name in ipairs(catalogue.names(catalogue.new())) do
      local state = new_state()
      local here, entry = publishers.here(server, name)
      publishers.put(published, name, entry, publishers.image())
      published["/" .. entry.url:gsub("^https://", "")] = publishers.image()
      local problem = failure(fetch, server, state, here)
      equal(problem.code, "ECHECKSUM", name)
      ok(problem.message:find("was expected", 1, true), problem.message)
      equal({ images_in(state), parts_in(state) }, { 0, {} }, name)
    end
  end)
end)

test("a list without our file, and a page instead of one, are refusals before anything is downloaded", function()
  with_server(function(server, published)
    local here, entry = publishers.here(server, "ubuntu")
    for _, text in ipairs { "", "<html>login</html>", ("a"):rep(64) .. " *" .. entry.url:match("[^/]*$") .. ".manifest\n" } do
      local state = new_state()
      publishers.put(published, "ubuntu", entry, publishers.image())
      published["/" .. entry.checksum.url:gsub("^https://", "")] = text
      local problem = failure(fetch, server, state, here)
      equal(problem.code, "ECHECKSUM")
      ok(problem.message:find("no line for " .. entry.url:match("[^/]*$"), 1, true), problem.message)
    end
    equal(publishers.requests(server, ".img"), 0)
  end)
end)

test("what the catalogue knows itself needs no list, and is not what a server says", function()
  with_server(function(server, published)
    local state, body = new_state(), publishers.image()
    local here, entry = publishers.here(server, "debian")
    publishers.put(published, "debian", entry, body)
    here.checksum.sha512 = hash.sha512(body)
    equal(fetch(server, state, here).digest, "sha256:" .. hash.sha256(body))
    equal(publishers.requests(server, "SHA512SUMS"), 0)
    local other = publishers.here(server, "debian")
    other.checksum.sha512 = ("0"):rep(128)
    equal(failure(fetch, server, new_state(), other).code, "ECHECKSUM")
  end)
end)

test("what is here already is not downloaded again", function()
  with_server(function(server, published)
    local state = new_state()
    local here, entry = publishers.here(server, "fedora")
    publishers.put(published, "fedora", entry, publishers.image())
    local first = fetch(server, state, here)
    local second, how = fetch(server, state, here)
    equal({ second.digest, how, publishers.requests(server, ".qcow2") }, { first.digest, "present", 1 })
    removal.tag(world, state, "fedora", entry.tag)
    equal({ select(2, fetch(server, state, here)), publishers.requests(server, ".qcow2") }, { "present", 1 })
    ok(store.find(world, state, { kind = "name", name = "fedora", tag = entry.tag }), "named again")
  end)
end)

test("a build that is gone is replaced by the newest one, and that is said", function()
  with_server(function(server, published)
    local state, body = new_state(), publishers.image()
    local here, entry = publishers.here(server, "ubuntu")
    publishers.put(published, "ubuntu", entry.latest, body)
    local image, _, said = fetch(server, state, here)
    equal(image.digest, "sha256:" .. hash.sha256(body))
    equal(#said, 1)
    ok(said[1]:find("^ubuntu:24%.04: .* is gone, .*/release/ubuntu%-24%.04"), said[1])
    local nowhere = publishers.here(server, "almalinux")
    ok(failure(fetch, server, state, nowhere).message:find("status 404", 1, true))
  end)
end)

test("the newest build moves the name; what it pointed at before stays", function()
  with_server(function(server, published)
    local state = new_state()
    local here, entry = publishers.here(server, "debian")
    local bodies = { publishers.image(), publishers.image(), publishers.image() }
    publishers.put(published, "debian", entry, bodies[1])
    local first = fetch(server, state, here)
    publishers.put(published, "debian", entry.latest, bodies[2])
    local second = fetch(server, state, here, { newest = true })
    publishers.put(published, "debian", entry.latest, bodies[3])
    local third = fetch(server, state, here, { newest = true })
    for position, image in ipairs { first, second, third } do
      equal(files.read(image.path) == bodies[position], true, position)
    end
    equal(store.find(world, state, { kind = "name", name = "debian", tag = "12" }).digest, third.digest)
    equal(images_in(state), 3)
  end)
end)

test("B30: a pull that fails, for whatever reason, takes nothing away", function()
  with_server(function(server, published)
    local state = new_state()
    local here, entry = publishers.here(server, "debian")
    publishers.put(published, "debian", entry, publishers.image())
    local first = fetch(server, state, here)
    local list, image = "/" .. entry.latest.checksum.url:gsub("^https://", ""), "/" .. entry.latest.url:gsub("^https://", "")
    for _, case in ipairs { { nil, nil }, { "<html>", "x" }, { ("0"):rep(128) .. "  " .. image:match("[^/]*$"), "x" } } do
      published[list], published[image] = case[1], case[2]
      for _, url in ipairs { entry.url, entry.checksum.url } do published["/" .. url:gsub("^https://", "")] = nil end
      failure(fetch, server, state, here, { newest = true })
      local now = store.find(world, state, { kind = "name", name = "debian", tag = "12" })
      equal({ now.digest, files.read(now.path) ~= nil, images_in(state) }, { first.digest, true, 1 })
    end
  end)
end)

test("a publisher that replaces image and list at two moments is asked once more", function()
  with_server(function(server, published)
    local state = new_state()
    local here, entry = publishers.here(server, "debian")
    local list = "/" .. entry.latest.checksum.url:gsub("^https://", "")
    publishers.put(published, "debian", entry.latest, publishers.image())
    local old = published[list]
    local new = publishers.image()
    publishers.put(published, "debian", entry.latest, new)
    local fresh, asked = published[list], 0
    published[list] = function(request, connection)
      asked = asked + 1
      tls_server.send(request, connection, { body = asked == 1 and old or fresh })
    end
    equal(fetch(server, state, here, { newest = true }).digest, "sha256:" .. hash.sha256(new))
    equal(asked, 2)
  end)
end)

test("an address is an image too: with a digest it is checked, without one TLS vouches for it", function()
  with_server(function(server, published)
    local state, body = new_state(), publishers.image()
    published["/a.qcow2"] = body
    local image = fetch(server, state, pull.entry_of_url(reference.parse(server.url .. "/a.qcow2")))
    equal({ image.digest, image.source.kind }, { "sha256:" .. hash.sha256(body), "url" })
    for _, digest in ipairs { "sha256:" .. hash.sha256(body), "sha512:" .. hash.sha512(body) } do
      local named = reference.parse(server.url .. "/a.qcow2@" .. digest)
      equal({ select(2, fetch(server, state, pull.entry_of_url(named), { digest = named.digest })),
        publishers.requests(server, "a.qcow2") }, { "present", 1 })
    end
    local wrong = reference.parse(server.url .. "/a.qcow2@sha256:" .. ("0"):rep(64))
    local problem = failure(fetch, server, new_state(), pull.entry_of_url(wrong), { digest = wrong.digest })
    equal({ problem.code, problem.message:find("what is written behind its name", 1, true) ~= nil }, { "ECHECKSUM", true })
    local unsigned = failure(fetch, server, new_state(), pull.entry_of_url(reference.parse(server.url .. "/a.qcow2")),
      { is_signed = true })
    equal({ unsigned.code, unsigned.hint:find("TLS alone", 1, true) ~= nil }, { "ENOSIGNATURE", true })
  end)
end)

test("an image that was known by its SHA-256 alone is found by the other one once that was computed", function()
  with_server(function(server, published)
    local state, body = new_state(), publishers.image()
    published["/a.qcow2"] = body
    local file = tmpdir() .. "/b.qcow2"
    files.write(file, body)
    local mine = store.add(world, state, file, { name = "mine", tag = "1" })
    local named = reference.parse(server.url .. "/a.qcow2@sha512:" .. hash.sha512(body))
    equal(store.find(world, state, named), nil)
    local entry = pull.entry_of_url(named)
    equal({ select(2, fetch(server, state, entry, { digest = named.digest })), store.find(world, state, named).digest },
      { "pulled", mine.digest })
    local own = { kind = "name", name = "mine", tag = "1", digest = named.digest }
    equal(store.find(world, state, own).digest, mine.digest)
    own.digest = "sha512:" .. ("0"):rep(128)
    equal(store.find(world, state, own), nil)
    removal.image(world, state, mine.digest)
    equal(files.below(state:images() .. "/checked", "."), {})
  end)
end)

test("a digest that is demanded is what comes, whatever lists say", function()
  with_server(function(server, published)
    local here, entry = publishers.here(server, "debian")
    local old, new = publishers.image(), publishers.image()
    publishers.put(published, "debian", entry.latest, new)
    published["/old.qcow2"] = old
    local state, digest = new_state(), "sha256:" .. hash.sha256(old)
    equal(fetch(server, state, here, { digest = digest, url = server.url .. "/old.qcow2", newest = true }).digest, digest)
    equal(failure(fetch, server, new_state(), here, { digest = digest }).code, "ECHECKSUM")
  end)
end)

test("what is no base image is refused after the download, and nothing of it stays", function()
  with_server(function(server, published)
    local here, entry = publishers.here(server, "arch")
    local body = publishers.image()
    -- The offset and the length of a backing file's name, and the name.
    local evil = body:sub(1, 8) .. (">I8I4"):pack(512, 11) .. body:sub(21, 512) .. "/etc/shadow" .. body:sub(524)
    for _, case in ipairs { { evil, here.url .. ": has the backing file /etc/shadow" },
      { ("x"):rep(5000), here.url .. ": is not a qcow2 image" }, { "<html>login", here.url .. ": is a web page" } } do
      local state = new_state()
      publishers.put(published, "arch", entry, case[1])
      local problem = failure(fetch, server, state, here)
      equal(problem.code, "EIMAGE")
      ok(problem.message:find(case[2], 1, true), problem.message)
      equal({ images_in(state), parts_in(state) }, { 0, {} })
    end
  end)
end)

test("many pulls of one image in one process are one download", function()
  with_server(function(server, published)
    local state = new_state()
    local here, entry = publishers.here(server, "rocky")
    publishers.put(published, "rocky", entry, publishers.image())
    local digests = task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, 8, function() return fetch(server, state, here).digest end)
    for _, digest in ipairs(digests) do equal(digest, digests[1]) end
    equal({ publishers.requests(server, ".qcow2"), publishers.requests(server, ".CHECKSUM") }, { 1, 1 })
    equal(#fs.list(state:images() .. "/incoming"), 0)
  end)
end)

-- The first request is answered by half, until somebody else asks too or waits; who asks later gets other bytes.
local function answer_slowly(body, evil, others)
  return function(request, connection)
    others.asked = others.asked + 1
    if others.asked > 1 then return tls_server.send(request, connection, { body = evil, etag = '"x"' }) end
    connection:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"x\"\r\n\r\n"):format(#body))
    connection:write(body:sub(1, #body // 2))
    while others.asked == 1 and not others.waits do task.wait { at_ms = task.now_ms() + 5 } end
    connection:write(body:sub(#body // 2 + 1))
  end
end

-- Both at once, of one address, as two names.
local function fetch_both(server, states, others)
  task.map({ "one", "two" }, 2, function(name)
    local entry = { url = server.url .. "/a.qcow2", name = name, tag = "1", format = "qcow2", checksum = {} }
    fetch(server, states[name], entry, { say = function() others.waits = true end })
  end)
end

test("two names of one address, and two stores with one cache: nobody writes to what another one renames", function()
  for _, is_shared_store in ipairs { true, false } do
    with_server(function(server, published)
      local body, cache, others = publishers.image(), tmpdir(), { asked = 0 }
      local states = { one = new_state() }
      states.two = is_shared_store and states.one or new_state()
      for _, state in pairs(states) do state.cache = function() return cache end end
      published["/a.qcow2"] = answer_slowly(body, body:sub(1, -5) .. "EVIL", others)
      fetch_both(server, states, others)
      for name, state in pairs(states) do
        local image = store.find(world, state, { kind = "name", name = name, tag = "1" })
        equal("sha256:" .. hash.sha256(files.read(image.path)), image.digest)
      end
      ok(others.waits, "the second one did not wait")
      equal(files.below(cache, "."), {})
    end)
  end
end)

test("what is here and damaged is fetched again, also where a layer has it", function()
  with_server(function(server, published)
    local below, body = new_state(), publishers.image()
    local here, entry = publishers.here(server, "debian")
    publishers.put(published, "debian", entry, body)
    local image = fetch(server, below, here)
    local function damage(digest)
      assert(fs.chmod(image.path, tonumber("600", 8)))
      files.write(image.path, body:sub(1, -5) .. "EVIL")
      ok("sha256:" .. hash.sha256(files.read(image.path)) ~= digest)
    end
    damage(image.digest)
    local again, how, said = fetch(server, below, here)
    equal({ how, again.digest, files.read(image.path) == body }, { "pulled", image.digest, true })
    ok(said[1]:find(image.path .. " is damaged", 1, true), said[1])
    equal(select(2, fetch(server, below, here)), "present")
    damage(image.digest)
    local state = new_state()
    local above = setmetatable({ host = setmetatable({ env = function(name)
      return name == "HOLOS_IMAGES" and below:images() or world.host.env(name)
    end }, { __index = world.host }) }, { __index = world })
    local mended = pull.pull(above, state, here, { ca_file = server.ca_file })
    equal({ mended.is_own, mended.digest, files.read(mended.path) == body }, { true, image.digest, true })
  end)
end)

local function prune(state)
  local images, left, _, gone = use.prunable(world, state, {})
  use.prune(world, state, images, left, gone, { no_wait = true })
end

test("what was just pulled is not pruned before it has its name", function()
  with_server(function(server, published)
    local state, count = new_state(), 0
    local here, entry = publishers.here(server, "debian")
    publishers.put(published, "debian", entry, publishers.image())
    local function remove(file)
      if file:find("%.part$") then -- it is in the store by now, and nobody holds the store's lock
        count = count + 1
        prune(state)
      end
      return fs.remove(file)
    end
    local beside = setmetatable({ fs = setmetatable({ remove = remove }, { __index = fs }) }, { __index = world })
    local image = pull.pull(beside, state, here, { ca_file = server.ca_file })
    equal({ files.read(image.path) ~= nil, images_in(state), count > 0 }, { true, 1, true })
  end)
end)

test("an image that has got a name since prune looked stays", function()
  with_server(function(server, published)
    local state = new_state()
    published["/a.qcow2"] = publishers.image()
    local image = fetch(server, state, pull.entry_of_url(reference.parse(server.url .. "/a.qcow2")))
    local listed = use.prunable(world, state, {})
    equal(#listed, 1)
    store.tag(world, state, "mine", "1", image.digest)
    use.prune(world, state, listed, {}, {}, {})
    equal(store.find(world, state, { kind = "name", name = "mine", tag = "1" }).digest, image.digest)
    removal.tag(world, state, "mine", "1")
    use.prune(world, state, listed, {}, {}, {})
    equal(images_in(state), 0)
  end)
end)
