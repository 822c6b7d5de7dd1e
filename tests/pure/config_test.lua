-- The canonical model loads to the same project again, whatever is loaded; the hash of a service is of what it is.

local compose = require "tests.support.compose"
local config = require "tests.support.config"
local err = require "holos.core.err"
local files = require "tests.support.files"
local hash = require "holos.compose.canonical.hash"
local mutate = require "tests.support.mutate"
local tables = require "holos.core.table"
local used = require "holos.compose.used"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local RIGHT = { "my_stack", "grace", "volume", "health", "images", "extra_args", "everything", "docker_app", "machines" }
local OPTIONS = { profiles = { "*" } }
local MOST_SECONDS = 1

local function read(name) return ok(files.read(files.directory .. "/golden/" .. name .. ".yaml")) end

-- One file with every key; what it includes and extends is left out.
local function every_key()
  return (read("config/whole"):gsub("include:\n[^\n]*\n", ""):gsub("    extends:[^\n]*\n", ""))
end

-- What the model of a state loads to without any option: the same model, and the same services.
local function check_again(state, what)
  local text = config.yaml(state)
  local again = compose.run(text)
  equal(config.yaml(again), text, what)
  equal(config.identities(again), config.identities(state), what)
end

test("a model loads to the same model", function()
  for _, name in ipairs(RIGHT) do check_again(compose.run(read("right/" .. name), OPTIONS), name) end
end)

test("the model laid over its files changes nothing, nor does an empty file", function()
  for _, name in ipairs(RIGHT) do
    local text = read("right/" .. name)
    local model = config.of(text, OPTIONS)
    for _, over in ipairs { "", "{}", "services: {}\n", "---\n---\n" } do
      local options = { profiles = { "*" }, names = { "holos.yaml", "over.yaml" } }
      equal(config.of({ ["holos.yaml"] = text, ["over.yaml"] = over }, options), model)
      equal(config.of({ ["holos.yaml"] = over, ["over.yaml"] = text }, options), model)
    end
  end
end)

-- -- hashes ----------------------------------------------------------------------------------------------------------------

local BASE = [[
services:
  web:
    image: ./a.qcow2
    ports: ["8080:80"]
    environment: {A: 1, B: 2}
    volumes: ["data:/data"]
    configs: [site]
    secrets: [key]
  db: {image: ./b.qcow2}
volumes: {data: {}}
configs: {site: {file: ./site.conf}}
secrets: {key: {file: ./key.pem}}
]]

local function web(texts, options) return config.identity(compose.run(texts, options), "web") end

test("a hash is the same however the files say it", function()
  local same = {
    { "comments and order", "# x\nvolumes: {data: {}}\nsecrets: {key: {file: ./key.pem}}\nconfigs: {site: {file: ./site.conf}}\n"
      .. "services:\n  db: {image: ./b.qcow2}\n  web: # y\n    volumes: ['data:/data']\n    environment: {B: 2, A: 1}\n"
      .. "    ports: ['8080:80']\n    image: ./a.qcow2\n    secrets: [key]\n    configs: [site]\n" },
    { "anchors", (BASE:gsub("environment: {A: 1, B: 2}", "environment: {<<: {A: 1}, B: 2}"):gsub("image: ./a", "image: &i ./a")) },
    { "spelling", (BASE:gsub('"8080:80"', "{target: 80, published: 8080}"):gsub("{A: 1, B: 2}", "[A=1, B=2]")) },
    { "dependencies", (BASE:gsub("    configs", "    depends_on: [db]\n%0")) },
    { "profiles", (BASE:gsub("    configs", "    profiles: [some, more]\n%0")) },
    { "the name of the project", "name: other\n" .. BASE },
    { "another service", (BASE:gsub("db: {image: ./b.qcow2}", "db: {image: ./c.qcow2}\n  more: {image: ./d.qcow2}")) },
  }
  local wanted = web(BASE)
  for _, case in ipairs(same) do equal(web(case[2], OPTIONS), wanted, case[1]) end
  local split = { ["holos.yaml"] = BASE:gsub("    environment:[^\n]*\n", ""):gsub("    secrets:[^\n]*\n", ""),
    ["over.yaml"] = "services: {web: {secrets: [key], environment: [B=2, A=1]}}" }
  equal(web(split, { names = { "holos.yaml", "over.yaml" } }), wanted)
  equal(web({ ["holos.yaml"] = "services: {web: {extends: {file: base.yaml, service: web}}, db: {image: ./b.qcow2}}\n"
    .. BASE:match("volumes: {data.*$"), ["base.yaml"] = BASE }), wanted)
end)

test("a hash does not change with the number of instances", function()
  local shared = BASE:gsub("data:/data", "%0:ro")
  local wanted = web(shared)
  for _, line in ipairs { "replicas: 3", "scale: 2", "deploy: {replicas: 4}" } do
    equal(web((shared:gsub("    configs", "    " .. line .. "\n%0"))), wanted, line)
  end
end)

test("a hash is another one when the machine is", function()
  local wanted = web(BASE)
  for _, change in ipairs { { "a%.qcow2", "c.qcow2" }, { "8080", "8081" }, { "A: 1", "A: 2" }, { "data:/data", "%0:ro" },
    { "site%.conf", "other.conf" }, { "key%.pem", "other.pem" }, { "    configs", "    vm: {vcpu: 2}\n%0" } } do
    ok(web((BASE:gsub(change[1], change[2]))) ~= wanted, change[1])
  end
end)

test("what a config holds is in the hash, what a secret holds is not", function()
  local project, asked = compose.load(BASE), {}
  local function digest(config_) asked[#asked + 1] = config_.source.path return config_.source.path .. "!" end
  local text = hash.text(project, "web", digest)
  equal(asked, { compose.DIRECTORY .. "/site.conf" })
  ok(text:find("site.conf!", 1, true))
end)

test("every field of a service counts, or there is a reason why not", function()
  local seen = {}
  for _, text in ipairs { read "right/everything", read "right/docker_app", read "right/machines", every_key() } do
    for _, service in pairs(compose.load(text, OPTIONS).services) do
      for field in pairs(service) do seen[field] = true end
    end
  end
  for field in pairs(seen) do
    ok((tables.index_of(hash.FIELDS, field) ~= nil) ~= (hash.LEFT_OUT[field] ~= nil), field)
  end
end)

-- -- damaged files -----------------------------------------------------------------------------------------------------------

local SEED = tonumber(files.environment "HOLOS_TEST_SEED" or 20261121)
local ROUNDS = files.environment "HOLOS_TESTS" == "all" and 1000 or 40

-- Loads texts; nil when it is explained what is wrong with them.
local function loaded(texts, options, what)
  local fine, state = pcall(compose.run, texts, options)
  if fine then return state end
  if not err.is(state) then error(what .. ": " .. tostring(state), 0) end
  ok(#state.findings > 0, what)
  for _, finding in ipairs(state.findings) do ok(finding.line and finding.message, what) end
end

-- Whether damaged texts are right; then their model has to load again.
local function check_mutation(texts, options, what)
  local started = os.clock()
  local state = loaded(texts, options, what)
  if state then check_again(state, what) end
  local seconds = os.clock() - started
  ok(seconds < MOST_SECONDS, ("%.1f s: %s"):format(seconds, what))
  return state ~= nil
end

local right, wrong = 0, 0

local function count(is_right)
  if is_right then right = right + 1 else wrong = wrong + 1 end
end

local function check_mutations(source, first)
  for number = first + 1, first + ROUNDS do
    math.randomseed(SEED + number)
    local text = mutate.text(source)
    count(check_mutation(text, OPTIONS, ("mutation %d of seed %d:\n%s"):format(number, SEED, text)))
  end
end

for position, name in ipairs(RIGHT) do
  test(("%d mutations of %s, seed %d"):format(ROUNDS, name, SEED), function()
    check_mutations(read("right/" .. name), position * 100000)
  end)
end

test(("%d mutations of a file with every key, seed %d"):format(ROUNDS, SEED), function()
  check_mutations(every_key(), 0)
end)

-- Files that reach into each other.
local SEVERAL = {
  ["holos.yaml"] = [==[
name: several
include: [sub/db.yaml, {path: [more.yaml], env_file: x.env}]
services:
  web: &web
    extends: {file: sub/base.yaml, service: web}
    ports: ["8080:80", {target: 443, published: 8443}]
    environment: [A=1, B, "C=${X:-y}$$"]
    depends_on: [db]
  other: {extends: web, ports: !override ["81:81"], command: !reset , <<: {labels: {a: b}}}
---
services: {web: {volumes: ["data:/data", "./www:/srv:ro"], extra_hosts: {a: [1.2.3.4]}}}
]==],
  ["over.yaml"] = [==[
services:
  web: {depends_on: {db: {condition: service_healthy}}, environment: {A: 2, C: }, volumes: ["data:/data:ro"]}
  other: !override {image: ./b.qcow2, cloud_init: {runcmd: [a, [b]], write_files: [{path: /x, content: "y\nz"}]}}
volumes: {data: {size: 1G}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
]==],
  ["sub/db.yaml"] = "services: {db: {image: ./db.qcow2, healthcheck: {test: [CMD, a]}, volumes: ['./x:/x']}}\n",
  ["sub/base.yaml"] = "services:\n  web: {extends: base, dns: 1.1.1.1, tmpfs: /run}\n  base: {image: ./a.qcow2, dns: [2.2.2.2]}\n",
  ["more.yaml"] = "services: {more: {image: ./m.qcow2, networks: [n]}}\nnetworks: {n: {}}\n",
}

test(("%d mutations of files that reach into each other, seed %d"):format(ROUNDS, SEED), function()
  local options = { profiles = { "*" }, names = { "holos.yaml", "over.yaml" } }
  ok(check_mutation(SEVERAL, options, "whole"))
  for number = 1, ROUNDS do
    math.randomseed(SEED - number)
    local names, texts = tables.keys(SEVERAL), tables.copy(SEVERAL)
    local name = names[math.random(#names)]
    texts[name] = mutate.text(texts[name])
    count(check_mutation(texts, options, ("mutation %d of %s of seed %d:\n%s"):format(number, name, SEED, texts[name])))
  end
end)

test("some mutations are right, most are not", function()
  ok(right > 10 and wrong > right, right .. " are right and " .. wrong .. " are wrong")
end)

-- -- variables ---------------------------------------------------------------------------------------------------------------

test("the variables that documents name", function()
  local found = {}
  compose.run("name: ${N:-shop}\nservices: {a: {image: './${IMAGE:-${DIR-b}/x}.qcow2', labels: ['a=${R:?say}', '$R', "
    .. "'b=${S+yes}']}}", { environment = { R = "r" }, each_document = function(tree) used.add(found, tree) end })
  equal(found, {
    N = { name = "N", required = false, default = "shop" }, DIR = { name = "DIR", required = false, default = "b" },
    IMAGE = { name = "IMAGE", required = false, default = "${DIR-b}/x" }, R = { name = "R", required = true },
    S = { name = "S", required = false, alternate = "yes" },
  })
end)
