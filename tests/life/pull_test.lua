-- `up` that fetches what its file names: from a TLS server of the test, on the stand-in for QEMU. Policies, holos.lock, a
-- publisher that replaces its newest build, and no network.

local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local json = require "sys.json"
local publishers = require "tests.support.publishers"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local tls_server = require "tests.support.tls_server"

local IMAGES = [[
return { name = "own", user = "me", architectures = { %s = "x" }, checksums = "{directory}/SHA256SUMS", least_memory_mib = 640,
  versions = { { tag = "1", url = "%s/dated/1.qcow2", latest = { url = "%s/latest/1.qcow2" } } } }
]]

local YAML = [[
name: lab
services:
  web: {image: own, stop_grace_period: 1s, ready: running%s}
]]

local PRIVATE = tonumber("700", 8)

local function put(published, path, body)
  published[path] = { body = body, etag = '"' .. hash.sha256(body):sub(1, 8) .. '"' }
  published[path:match("^(.*)/") .. "/SHA256SUMS"] = ("%s *%s\n"):format(hash.sha256(body), path:match("[^/]*$"))
  return "sha256:" .. hash.sha256(body)
end

local function new_stack(server, more)
  local stack = stack_.on_fake(YAML:format(more or ""), nil, { in_memory = true })
  local config = stack.directory .. "/config"
  assert(fs.mkdir_all(config .. "/holos", PRIVATE))
  assert(fs.write_atomic(config .. "/holos/images.lua", IMAGES:format(host.architecture(), server.url, server.url),
    { mode = tonumber("600", 8) }))
  stack.env = { "XDG_CONFIG_HOME=" .. config, "HOLOS_CA_FILE=" .. server.ca_file }
  return stack
end

-- Runs body(server, published, digests), where the publisher has a dated build and a newer one.
local function with_publisher(body)
  local published = {}
  local digests = { dated = put(published, "/dated/1.qcow2", publishers.image()),
    newest = put(published, "/latest/1.qcow2", publishers.image()) }
  tls_server.run({}, tls_server.publish(published), function(server) body(server, published, digests) end)
end

local function spec(stack, name)
  return json.decode(files.read(stack.state .. "/projects/lab.json"), {}).instances[name or "web-0"].spec
end

local function base_of(stack, name)
  local backing = qcow2.info(("%s/instances/lab/%s/root.qcow2"):format(stack.state, name or "web-0")).backing
  return "sha256:" .. backing:match("([^/]+)%.%w+$")
end

local function requests(server) return #server.requests end

local BY_ADDRESS = [[
name: lab
services:
  web: {image: "%s/free.qcow2", pull_policy: always, stop_grace_period: 1s, ready: running}
]]

test("an address is asked at every up, and fetched again only when it has changed", function()
  with_publisher(function(server, published)
    local stack <close> = new_stack(server)
    stack:write(BY_ADDRESS:format(server.url))
    local function publish(etag)
      published["/free.qcow2"] = { body = publishers.image(), etag = etag }
    end
    publish '"v1"'
    says(stack:expect { "up" }, "image free.qcow2", "pulled")
    says(stack:expect { "up" }, "image free.qcow2  is up to date", "lab is up to date")
    equal(server.requests[#server.requests].headers["if-none-match"], '"v1"')
    publish '"v2"'
    says(stack:expect { "up", "--recreate" }, "image free.qcow2  pulled")
    equal(base_of(stack), "sha256:" .. hash.sha256(published["/free.qcow2"].body))
  end)
end)

test("up fetches what is not here, says so before, and needs no network the next time", function()
  local stack
  with_publisher(function(server, _, digests)
    stack = new_stack(server)
    says(stack:expect { "plan" }, "own:1", "is to be fetched from localhost first", "640 MiB")
    says(stack:expect { "up", "--dry-run" }, "is to be fetched from localhost first")
    equal(requests(server), 0)
    says(stack:expect { "up" }, "image own:1", "pulled")
    equal({ base_of(stack), spec(stack).image.digest, spec(stack).user }, { digests.dated, digests.dated, "me" })
    local before = requests(server)
    says(stack:expect { "up" }, "up to date")
    stack:expect { "restart" }
    equal(requests(server), before)
  end)
  local _stack <close> = stack
  stack:expect { "stop" } -- the server is gone now
  stack:expect { "up" }
  stack:expect { "up", "--force-recreate" }
  equal(#stack:pids(), 1)
end)

test("--quiet-pull says nothing of a download that goes well", function()
  with_publisher(function(server, published)
    local stack <close> = new_stack(server)
    ok(not stack:expect({ "up", "--quiet-pull" }).stderr:find("image own", 1, true))
    stack:expect { "down" }
    stack:expect { "trash", "empty", "--yes" }
    stack:expect { "rmi", "own:1" }
    published["/dated/1.qcow2"], published["/latest/1.qcow2"] = nil, nil
    says(stack:expect({ "up", "--quiet-pull" }, 1), "own:1", "status 404")
  end)
end)

test("a newer build is fetched when it is asked for, and the machine keeps its base until that is decided", function()
  with_publisher(function(server, published, digests)
    local stack <close> = new_stack(server)
    stack:expect { "up" }
    says(stack:expect { "plan", "--pull", "always" }, "is asked for anew from localhost first")
    says(stack:expect({ "up", "--pull", "always" }, 3), "--recreate", "--keep")
    equal(base_of(stack), digests.dated)
    stack:expect { "up", "--keep" }
    stack:expect { "restart" }
    equal({ base_of(stack), #stack:pids() }, { digests.dated, 1 })
    ok(fs.stat(("%s/images/sha256/%s.qcow2"):format(stack.state, digests.dated:sub(8))), "what it rests on stays")
    put(published, "/latest/1.qcow2", publishers.image())
    stack:write(YAML:format(", replicas: 2"))
    stack:expect { "up", "--keep" }
    equal({ base_of(stack), base_of(stack, "web-1") }, { digests.dated, digests.newest })
    stack:expect { "up", "--recreate" }
    equal({ base_of(stack), base_of(stack, "web-1") }, { digests.newest, digests.newest })
  end)
end)

test("policies: never fetches nothing, daily asks once a day and does without a network", function()
  local stack
  with_publisher(function(server, _, digests)
    stack = new_stack(server, ", pull_policy: never")
    says(stack:expect({ "up" }, 2), "own:1 is not in the image store", "holos pull own")
    says(stack:expect({ "plan", "--pull", "never" }, 2), "is not in the image store")
    equal(requests(server), 0)
    stack:write(YAML:format(", pull_policy: daily"))
    stack:expect { "up" }
    equal(base_of(stack), digests.newest)
    local before = requests(server)
    stack:expect { "up" }
    equal(requests(server), before)
  end)
  local _stack <close> = stack
  local tag = stack.state .. "/images/tags/own/1.json"
  files.edit_json(tag, function(pointer) pointer.source.pulled_at = "2020-01-01T00:00:00Z" end)
  says(stack:expect { "up" }, "could not be asked for; the one that is here is used", "up to date")
  says(stack:expect({ "up", "--pull", "always" }, 1), "localhost")
  equal(#stack:pids(), 1)
end)

test("holos.lock names what is taken, on every host", function()
  with_publisher(function(server, published, digests)
    local first <close> = new_stack(server)
    says(first:expect({ "up", "--locked" }, 3), "there is no", "holos.lock", "holos pull --lock")
    says(first:expect { "pull", "--lock" }, "--pinned locks a build whose address stays", "wrote")
    local said = first:expect({ "pull", "--pinned", "--lock" }).stderr
    ok(said:find("wrote .*/holos.lock") and not said:find("--pinned", 1, true), said)
    local lock = json.decode(files.read(first.directory .. "/holos.lock"), {})
    equal(lock.images["own:1"][host.architecture()].digest, digests.dated)
    first:expect { "pull" } -- the name means something else now, on this host
    first:expect { "up", "--locked" }
    equal(base_of(first), digests.dated)
    local second <close> = new_stack(server)
    files.write(second.directory .. "/holos.lock", files.read(first.directory .. "/holos.lock"))
    second:expect { "up", "--locked", "--pull", "always" }
    equal(base_of(second), digests.dated)
    published["/dated/1.qcow2"] = nil
    local third <close> = new_stack(server)
    files.write(third.directory .. "/holos.lock", files.read(first.directory .. "/holos.lock"))
    says(third:expect({ "up" }, 1), digests.dated:sub(8), "was expected")
    equal(#third:pids(), 0)
  end)
end)

test("what a lock or a digest pins is fetched beside the name, which stays where it points for everybody else", function()
  with_publisher(function(server, published, digests)
    local stack <close> = new_stack(server)
    local tag = stack.state .. "/images/tags/own/1.json"
    local function pointed() return json.decode(files.read(tag), {}).digest end
    stack:expect { "pull", "--pinned", "--lock" }
    stack:expect { "pull" }
    stack:expect { "rmi", digests.dated }
    equal(pointed(), digests.newest)
    stack:expect { "up" }
    equal({ base_of(stack), pointed(), spec(stack).user }, { digests.dated, digests.newest, "me" })
    -- Another name of that image is no reason to start it otherwise.
    assert(fs.copy(("%s/images/sha256/%s.qcow2"):format(stack.state, digests.dated:sub(8)), stack.directory .. "/x.qcow2"))
    stack:expect { "images", "import", "x.qcow2", "aaa:1", "--user", "other" }
    says(stack:expect { "up" }, "up to date")
    stack:expect { "down" }
    stack:expect { "trash", "empty", "--yes" }
    stack:expect { "rmi", digests.dated }
    assert(fs.remove(stack.directory .. "/holos.lock"))
    local sha512 = hash.sha512(published["/dated/1.qcow2"].body)
    for _, digest in ipairs { digests.dated, "sha512:" .. sha512 } do
      equal(stack:expect({ "pull", "-q", "own:1@" .. digest }).stdout, digests.dated .. "\n")
      equal(pointed(), digests.newest)
      stack:write((YAML:format(""):gsub("own,", function() return '"own:1@' .. digest .. '",' end)))
      stack:expect { "up" }
      equal(base_of(stack), digests.dated)
      stack:expect { "down" }
      stack:expect { "trash", "empty", "--yes" }
      stack:expect { "rmi", digests.dated }
    end
  end)
end)

test("what decides which image is taken is told: validate names the files, the plan the digest", function()
  with_publisher(function(server, _, digests)
    local stack <close> = new_stack(server)
    ok(not stack:expect({ "validate" }).stdout:find("holos.lock", 1, true))
    stack:expect { "pull", "--pinned", "--lock" }
    stack:expect { "rmi", "own:1" }
    says(stack:expect { "plan" }, "is to be fetched from localhost first: " .. digests.dated:sub(1, 19) .. " (holos.lock)")
    local said = stack:expect({ "validate" }).stdout
    ok(said:find("holos.lock", 1, true) and said:find("images.lua", 1, true), said)
    ok(not said:find("/tags/", 1, true), said)
  end)
end)

test("without a network: why, once, what else there is to do, and all that is not here at once", function()
  local stack
  with_publisher(function(server) stack = new_stack(server) end)
  local _stack <close> = stack
  local said = stack:expect({ "up" }, 1).stderr
  ok(said:find("no network? take it in from a file: holos images import FILE own:1", 1, true), said)
  ok(not said:find("what came is kept", 1, true), said)
  equal(select(2, said:gsub("Could not connect", "")), 1, said)
  ok(said:find("own:1 could not be fetched\n", 1, true), said)
  says(stack:expect({ "pull", "debian:99", "own:1", "owm" }, 1), 'debian has no "99"', 'did you mean "own"')
  stack:write(YAML:format(", pull_policy: never") .. "  db: {image: \"debian:13\", pull_policy: never, ready: running}\n")
  says(stack:expect({ "up" }, 2), "2 errors", "own:1 is not in the image store", "debian:13 is not in the image store")
end)

test("a lock that lacks a name, or is damaged, is told", function()
  with_publisher(function(server)
    local stack <close> = new_stack(server)
    stack:expect { "pull", "--lock" }
    stack:write(YAML:format("") .. "  db: {image: \"debian:13\", ready: running}\n")
    says(stack:expect({ "up", "--locked" }, 3), "says nothing of debian:13")
    says(stack:expect({ "plan", "--locked" }, 3), "says nothing of debian:13")
    files.write(stack.directory .. "/holos.lock", '{"version": 1, "images": {"own:1": {"x86_64": {"digest": "sha256:1"}}}}')
    says(stack:expect({ "up" }, 2), "holos.lock", "digest", "holos pull --lock")
    files.write(stack.directory .. "/holos.lock", "{")
    says(stack:expect({ "up" }, 2), "holos.lock", "holos pull --lock")
    says(stack:expect({ "pull", "--lock", "own" }, 64), "takes no names")
    files.write(stack.directory .. "/holos.lock", '{"version": 2}')
    says(stack:expect({ "pull", "--lock" }, 2), "written by a newer holos")
    equal(files.read(stack.directory .. "/holos.lock"), '{"version": 2}')
    stack:write(YAML:format(""))
    for _, text in ipairs { "{", '{"version": 1}', "<<<<<<< HEAD\n{" } do
      files.write(stack.directory .. "/holos.lock", text)
      says(stack:expect { "pull", "--lock" }, "wrote")
      equal(stack:expect({ "up", "--locked", "--dry-run" }).status, 0)
    end
  end)
end)

test("a lock that is made anew keeps what services of other profiles name, and loses what none names", function()
  with_publisher(function(server)
    local stack <close> = new_stack(server)
    stack:expect { "images", "import", "image.qcow2", "mine:1" }
    stack:write(YAML:format("") .. "  tool: {image: \"mine:1\", profiles: [debug], ready: running}\n")
    stack:expect { "--profile", "debug", "pull", "--lock" }
    stack:expect { "pull", "--lock" }
    stack:expect { "--profile", "debug", "up", "--locked", "--dry-run" }
    stack:write(YAML:format(""))
    stack:expect { "pull", "--lock" }
    local lock = json.decode(files.read(stack.directory .. "/holos.lock"), {})
    ok(lock.images["own:1"] and not lock.images["mine:1"])
  end)
end)

test("images of a project: pull without words, and of a service by its name", function()
  with_publisher(function(server, _, digests)
    local stack <close> = new_stack(server)
    equal(stack:expect({ "pull", "-q" }).stdout, digests.newest .. "\n")
    local before = requests(server)
    equal(stack:expect({ "pull", "-q", "--policy", "missing", "--pinned" }).stdout, digests.newest .. "\n")
    equal(requests(server), before)
    equal(stack:expect({ "pull", "-q", "--pinned", "web" }).stdout, digests.dated .. "\n")
    stack:write "name: lab\nservices:\n  web: {image: ./image.qcow2}\n"
    equal(stack:expect({ "pull" }).stdout, "")
    says(stack:expect({ "pull", "web" }, 64), "the image of the service web is no name")
    stack:write "name: lab\nservices:\n  web: {image: mine}\n"
    stack:expect { "images", "import", "image.qcow2", "mine" }
    says(stack:expect { "pull" }, "is here already")
  end)
end)
