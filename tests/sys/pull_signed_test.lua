--- Signatures of publishers: made by gpg, judged by gpgv, at each of the three places where publishers have them.

local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local openpgp = require "tests.support.openpgp"
local publishers = require "tests.support.publishers"
local pull = require "holos.run.images.pull"
local signature = require "holos.run.images.signature"
local state_ = require "holos.run.state"
local tls_server = require "tests.support.tls_server"
local tool = require "tests.support.tool"
local world = require "holos.run.world"

-- This world, with a configuration of its own.
local function world_with(config)
  return setmetatable({ host = setmetatable({ env = function(name)
    if name == "XDG_CONFIG_HOME" then return config end
    return host.env(name)
  end }, { __index = host }) }, { __index = world })
end

local function path_of(url) return "/" .. url:gsub("^https://", "") end

-- Runs body(at), with all that a signed pull needs: fetch(entry, options), published, key, stranger, config.
local function with_publisher(body)
  if not tool.find "gpg" or not tool.find "gpgv" then skip "gpg and gpgv are not installed" end
  local at = { published = {}, config = tmpdir(), state = state_.locate(world, { state_dir = tmpdir() }) }
  assert(fs.mkdir_all(at.config .. "/holos/keyrings", tonumber("700", 8)))
  at.world = world_with(at.config)
  function at.keyring(name) return at.config .. "/holos/keyrings/" .. name end
  openpgp.run(function(new_key)
    at.key, at.stranger = new_key "publisher@example.org", new_key "stranger@example.org"
    tls_server.run({}, tls_server.publish(at.published), function(server)
      at.server = server
      function at.fetch(entry, options)
        local o = { ca_file = server.ca_file, is_signed = true }
        for name, value in pairs(options or {}) do o[name] = value end
        return pull.pull(at.world, at.state, entry, o)
      end
      body(at)
    end)
  end)
end

local function put(at, name, body)
  local here, entry = publishers.here(at.server, name)
  publishers.put(at.published, name, entry, body)
  return here, path_of(entry.checksum.url), path_of(entry.url)
end

test("a signature over the list: good, bad, by somebody else, and none", function()
  with_publisher(function(at)
    local here, list = put(at, "ubuntu", publishers.image())
    at.key:export(at.keyring "ubuntu-cloudimage-keyring.gpg")
    local text = at.published[list]
    local refused = {
      { at.key:detached(text .. "#"), "it is of something else" }, { at.stranger:detached(text), "which is not in the key ring" },
      { "", "it is no signature" }, { "nothing of the kind", "it is no signature" },
    }
    for _, case in ipairs(refused) do
      at.published[list .. ".gpg"] = case[1]
      local problem = failure(at.fetch, here)
      equal(problem.code, "ESIGNATURE")
      ok(problem.message:find("the signature of SHA256SUMS is not good", 1, true), problem.message)
      ok(problem.message:find(case[2], 1, true), problem.message)
    end
    at.published[list .. ".gpg"] = nil
    ok(failure(at.fetch, here).message:find("status 404", 1, true))
    at.published[list .. ".gpg"] = at.key:detached(text)
    equal(at.fetch(here).source.is_signed, true)
    equal(fs.list(at.state:cache(world)), { { name = "downloads", type = "directory" } }, "nothing passing stays")
  end)
end)

test("what was signed once is not taken unsigned later", function()
  with_publisher(function(at)
    local first = publishers.image()
    local here, list = put(at, "ubuntu", first)
    at.key:export(at.keyring "ubuntu-cloudimage-keyring.gpg")
    at.published[list .. ".gpg"] = at.key:detached(at.published[list])
    equal(at.fetch(here).digest, "sha256:" .. hash.sha256(first))
    put(at, "ubuntu", publishers.image())
    equal(failure(at.fetch, here, { is_signed = false }).code, "ESIGNATURE")
    at.published[list .. ".gpg"] = at.key:detached(at.published[list])
    equal(at.fetch(here, { is_signed = false }).source.is_signed, true)
  end)
end)

test("a signature in the list: only what it covers is believed", function()
  with_publisher(function(at)
    local body = publishers.image()
    local here, list = put(at, "fedora", body)
    at.key:export(at.keyring "fedora.gpg")
    local line = ("SHA256 (%s) = %%s\n"):format(here.url:match("[^/]*$"))
    at.published[list] = line:format(("0"):rep(64)) .. at.key:inline(line:format(hash.sha256(body)))
      .. line:format(("1"):rep(64))
    equal(at.fetch(here).source.is_signed, true)
    at.published[list] = at.key:inline(line:format(hash.sha256(body))):gsub("SHA256 %(", "SHA256  (", 1)
    equal(failure(at.fetch, here).code, "ESIGNATURE")
    at.published[list] = at.stranger:inline(line:format(hash.sha256(body)))
    equal(failure(at.fetch, here).code, "ESIGNATURE")
    at.published[list] = line:format(hash.sha256(body))
    equal(failure(at.fetch, here).code, "ESIGNATURE")
  end)
end)

test("a signature over the image itself is judged before the image is taken", function()
  with_publisher(function(at)
    local body = publishers.image()
    local here, _, image = put(at, "arch", body)
    at.key:export(at.keyring "arch-boxes.gpg")
    at.published[image .. ".sig"] = at.stranger:detached(body)
    equal(failure(at.fetch, here).code, "ESIGNATURE")
    equal(#(fs.list(at.state:images() .. "/sha256") or {}), 0)
    at.published[image .. ".sig"] = at.key:detached(body)
    equal(at.fetch(here).source.is_signed, true)
    equal(publishers.requests(at.server, image), 2)
  end)
end)

test("without keys, without gpgv and where nothing is signed, it is said what is missing", function()
  with_publisher(function(at)
    local here, list = put(at, "ubuntu", publishers.image())
    at.published[list .. ".gpg"] = at.key:detached(at.published[list])
    local problem = failure(at.fetch, here)
    equal(problem.code, "ENOKEYS")
    ok(problem.hint:find(at.keyring "ubuntu-cloudimage-keyring.gpg", 1, true), problem.hint)
    at.key:export(at.keyring "ubuntu-cloudimage-keyring.gpg")
    local saved = signature.program
    local _restored <close> = setmetatable({}, { __close = function() signature.program = saved end })
    signature.program = function() return nil end
    equal(failure(at.fetch, here).code, "ENOGPGV")
    equal(failure(at.fetch, (put(at, "debian", publishers.image()))).code, "ENOSIGNATURE")
  end)
end)
