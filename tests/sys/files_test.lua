--- Which compose files are read: named ones, those in reach, docker's; several at once; what is said of the choice.

local files = require "tests.support.files"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"

local HOLOS = host.executable()

-- A file with one service of this name.
local function stack(service) return ("services: {%s: {image: /IMAGE/image.qcow2}}\n"):format(service) end

-- A directory with these files, and an image in it.
local function make(contents)
  local directory = tmpdir()
  for name, text in pairs(contents) do files.write(directory .. "/" .. name, (text:gsub("/IMAGE", directory))) end
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return directory
end

local function holos(directory, words, options)
  local stdin = options and options.stdin and options.stdin:gsub("/IMAGE", directory)
  local list = { "HOLOS_STATE_DIR=" .. directory:gsub("/sub$", "") .. "/state",
    "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") }
  for name, value in pairs(options and options.env or {}) do list[#list + 1] = name .. "=" .. value end
  return run_tool({ HOLOS, table.unpack(words) }, { directory = directory, env = list, stdin = stdin })
end

-- The project and its services as validate tells them, and what is on standard error.
local function told(directory, words, options)
  local result = holos(directory, { "validate", table.unpack(words or {}) }, options)
  local names = {}
  for name in result.stdout:gmatch("\n  (%S+) +image%.qcow2") do names[#names + 1] = name end
  return { result.status, result.stdout:match("^project (%S+)"), table.concat(names, " "),
    (result.stderr:gsub(directory:gsub("%p", "%%%0"), "DIRECTORY")) }
end

test("-f is repeated; each is laid over those before, and paths are seen from the first", function()
  local directory = make { ["sub/a.yaml"] = "name: one\nservices: {a: {image: ../image.qcow2}}",
    ["b.yaml"] = stack "b" .. "name: two" }
  equal(told(directory, { "-f", "sub/a.yaml", "-f", "b.yaml" }), { 0, "two", "a b", "" })
  equal(told(directory, { "-f", "sub/a.yaml" }), { 0, "one", "a", "" })
  equal(told(directory, { "-f", "sub/a.yaml", "-f", "c.yaml" }),
    { 2, nil, "", "holos: DIRECTORY/c.yaml: No such file or directory\n  name another one with -f FILE (- is standard input)\n" })
end)

test("-f - is standard input, alone or among others", function()
  local directory = make { ["b.yaml"] = stack "b" }
  equal(told(directory, { "-f", "-" }, { stdin = "name: x\n" .. stack "a" }), { 0, "x", "a", "" })
  equal(told(directory, { "-f", "b.yaml", "-f", "-" }, { stdin = "name: x\n" .. stack "a" }), { 0, "x", "a b", "" })
  equal(told(directory, { "-f", "-" }, { stdin = "services: {a: {}}" }), { 2, nil, "",
    '<stdin>:1:12: services.a: "image" is missing\n    name a system, image: debian:12, or a local file, image: ./debian.qcow2\n'
    .. "1 error; nothing was changed.\n" })
end)

test("the files here or above, with the override beside them; not with -f", function()
  local directory = make { ["holos.yaml"] = "name: one\n" .. stack "a", ["holos.override.yml"] = stack "b", ["sub/x"] = "" }
  equal(told(directory), { 0, "one", "a b", "" })
  equal(told(directory .. "/sub"), { 0, "one", "a b", "" })
  equal(told(directory, { "-f", "holos.yaml" }), { 0, "one", "a", "" })
  equal(told(directory, {}, { env = { HOLOS_FILE = "holos.yaml" } }), { 0, "one", "a", "" })
end)

test("of several candidates the first is taken, and that is said", function()
  local directory = make { ["holos.yaml"] = "name: one\n" .. stack "a", ["holos.yml"] = stack "b",
    ["holos.override.yaml"] = stack "c", ["holos.override.yml"] = stack "d" }
  equal(told(directory), { 0, "one", "a c", "warning: holos.yml is not read: holos.yaml is beside it\n"
    .. "warning: holos.override.yml is not read: holos.override.yaml is beside it\n" })
end)

test("HOLOS_FILE names several, in the shell or in .env", function()
  local directory = make { ["a.yaml"] = "name: one\n" .. stack "a", ["b.yaml"] = stack "b", ["holos.yaml"] = stack "c" }
  equal(told(directory, {}, { env = { HOLOS_FILE = "a.yaml:b.yaml" } }), { 0, "one", "a b", "" })
  equal(told(directory, {}, { env = { HOLOS_FILE = "a.yaml;b.yaml", HOLOS_PATH_SEPARATOR = ";" } }), { 0, "one", "a b", "" })
  files.write(directory .. "/.env", "HOLOS_FILE=b.yaml:a.yaml\n")
  equal(told(directory), { 0, "one", "a b", "" })
end)

local NOTICE = "warning: compose.yaml is a file of docker compose: commands that change something want it named with -f\n"

test("docker's files are read by looking verbs, behind ours", function()
  local directory = make { ["compose.yaml"] = "name: one\n" .. stack "a", ["compose.override.yaml"] = stack "b",
    ["other.yaml"] = "name: two\n" .. stack "c" }
  equal(told(directory), { 0, "one", "a b", NOTICE })
  equal(told(directory, {}, { env = { COMPOSE_FILE = "other.yaml" } }), { 0, "two", "c", NOTICE })
  equal(told(directory, { "-f", "compose.yaml" }, { env = { COMPOSE_FILE = "other.yaml" } }), { 0, "one", "a", "" })
  files.write(directory .. "/holos.yaml", "name: ours\n" .. stack "d":gsub("/IMAGE", directory))
  equal(told(directory, {}, { env = { COMPOSE_FILE = "other.yaml" } }), { 0, "ours", "d", "" })
end)

test("the nearest directory counts: a stack above is not meant beside a file of docker's", function()
  local directory = make { ["holos.yaml"] = "name: above\n" .. stack "a", ["app/compose.yaml"] = "name: one\n" .. stack "b",
    ["app/src/x"] = "" }
  local result = holos(directory .. "/app", { "up" })
  equal({ result.status, result.stderr:match("^[^\n]*") }, { 2,
    "holos: compose.yaml is a file of docker compose; a command that changes something wants it named" })
  ok(holos(directory .. "/app/src", { "config", "--services" }).stdout:find("b", 1, true))
end)

test("commands that change something want docker's files named", function()
  local directory = make { ["docker-compose.yml"] = "name: one\n" .. stack "a", ["docker-compose.override.yml"] = stack "b" }
  local result = holos(directory, { "up" })
  equal({ result.status, result.stderr }, { 2, "holos: docker-compose.yml is a file of docker compose; a command that "
    .. "changes something wants it named\n  holos up -f docker-compose.yml -f docker-compose.override.yml\n" })
end)

test("a directory of docker's, of which no project was made, is none of ours", function()
  local directory = make { ["compose.yaml"] = "services: {db: {image: postgres:16}}" }
  for _, words in ipairs { { "ps", "-q" }, { "ps" } } do
    local result = holos(directory, words)
    equal({ result.status, result.stderr }, { 0, "" })
  end
  equal(holos(directory, { "stop" }).stderr:match("^holos: no holos.yaml in "), "holos: no holos.yaml in ")
  equal(holos(directory, { "logs", "shop" }).stderr:match("^[^\n]*"), 'holos: there is no project "shop"')
end)

test("include and extends: their files, and the .env beside them", function()
  local directory = make {
    ["holos.yaml"] = "include: [sub/db.yaml]\nservices: {web: {extends: {file: sub/base.yaml, service: web}}}",
    ["sub/db.yaml"] = "services: {db: {image: ../image.qcow2, replicas: $N, vm: {vcpu: $CPU}}}",
    ["sub/base.yaml"] = "services: {web: {image: ../image.qcow2, replicas: '${N:-2}'}}",
    [".env"] = "CPU=4\n", ["sub/.env"] = "N=3\nCPU=8\n",
  }
  local result = holos(directory, { "validate" })
  equal(result.stderr, "")
  equal({ result.stdout:match("db +image.qcow2 +(%d+) +(%d+)") }, { "3", "4" })
  equal({ result.stdout:match("web +image.qcow2 +(%d+)") }, { "2" })
  files.write(directory .. "/sub/.env", "N='3\n")
  local stderr = holos(directory, { "validate" }).stderr
  ok(stderr:find("holos.yaml:1:11: include[1].env_file: sub/.env:1:3: ", 1, true) == 1, stderr)
end)

test("names to suggest are read once, not without end, and not again and again", function()
  local project, calls = require "holos.use.project", 0
  local list = project.lister { fs = { list = function(directory)
    calls = calls + 1
    local entries = {}
    for i = 1, directory == "/many" and 5000 or 3 do entries[i] = { name = "n" .. i } end
    return entries
  end } }
  equal({ list("/few"), list("/few"), calls }, { { "n1", "n2", "n3" }, { "n1", "n2", "n3" }, 1 })
  ok(#list("/many") <= 200)
  for _ = 1, 100 do list("/few") end
  equal({ list("/few"), list("/many") }, { {}, {} })
end)
