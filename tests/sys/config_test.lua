-- holos config on the command line: what it prints by each option, that it reads its own output, and what it refuses.

local compose = require "tests.support.compose"
local config = require "tests.support.config"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local json = require "sys.json"
local qcow2 = require "sys.qcow2"

local HOLOS = host.executable()

local TEXT = [[
name: shop
services:
  web:
    image: ./image.qcow2
    replicas: ${COUNT:-2}
    ports: ["${PORT:-8080}:80"]
    environment: {PRICE: "5$$", FROM_ENV: , SAID: "${SAID}"}
    env_file: web.env
    volumes: ["./www:/srv/www:ro"]
    configs: [site]
    depends_on: [db]
  db:
    image: ./image.qcow2
    volumes: ["data:/var/lib/db"]
    secrets: [key, token]
  debug: {image: ./image.qcow2, profiles: [debug]}
volumes: {data: {size: 1g}, other: {}}
configs: {site: {file: ./site.conf}}
secrets: {key: {file: ./key.pem}, token: {environment: TOKEN}}
]]

local SECRET = "xyzzy-"

local function make(text)
  local directory = tmpdir()
  for name, content in pairs { ["holos.yaml"] = text or TEXT, [".env"] = "SAID=hello\nUNUSED=1\nTOKEN=" .. SECRET .. "token\n",
    ["web.env"] = "FILE_A=1\nPRICE=0\n", ["site.conf"] = "server\n", ["key.pem"] = SECRET .. "key", ["www/x"] = "" } do
    files.write(directory .. "/" .. name, content)
  end
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return directory
end

local function holos(directory, words, options)
  local list = { "HOLOS_STATE_DIR=" .. directory .. "/state", "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or ""),
    "FROM_ENV=shell" }
  table.move(options and options.env or {}, 1, #(options and options.env or {}), #list + 1, list)
  return run_tool({ HOLOS, table.unpack(words) }, { directory = directory, env = list, stdin = options and options.stdin })
end

-- What a run prints, with the directory's name replaced; it must succeed.
local function printed(directory, words, options)
  local result = holos(directory, { "config", table.unpack(words) }, options)
  equal({ result.status, result.stderr }, { 0, "" }, table.concat(words, " "))
  return (result.stdout:gsub(directory:gsub("%p", "%%%0"), "DIRECTORY"))
end

test("the whole model, and each option", function()
  local directory, parts = make(), {}
  for _, words in ipairs { {}, { "--explain" }, { "--no-normalize" }, { "--no-interpolate" }, { "--no-path-resolution", "db" },
    { "--no-env-resolution", "web" }, { "--format", "json", "db" }, { "--services" }, { "--volumes" }, { "--networks" },
    { "--images" }, { "--profiles" }, { "--variables" }, { "--variables", "--format", "json" }, { "--environment" },
    { "--services", "db" }, { "--volumes", "db" }, { "debug", "--services" }, { "--profile", "debug", "--services" },
    { "-p", "other", "--no-normalize", "debug" }, { "-q" } } do
    local text = printed(directory, words)
    ok(not text:find(SECRET, 1, true), "a secret is printed by " .. table.concat(words, " "))
    parts[#parts + 1] = "$ holos config " .. table.concat(words, " ") .. "\n" .. text
  end
  golden("config/options.txt", table.concat(parts, "\n"))
end)

test("holos reads what it printed, and prints it again", function()
  local directory = make()
  for _, words in ipairs { {}, { "db" }, { "--profile", "debug" }, { "--no-normalize" }, { "--format", "json" } } do
    local text = holos(directory, { "config", table.unpack(words) }).stdout
    equal(holos(directory, { "-f", "-", "config", table.unpack(words) }, { stdin = text }).stdout, text)
  end
  local written = printed(directory, { "--no-interpolate" })
  files.write(directory .. "/again.yaml", (written:gsub("DIRECTORY", directory)))
  equal(printed(directory, { "-f", "again.yaml", "--no-interpolate" }), written)
  equal(printed(directory, { "-f", "again.yaml" }), printed(directory, {}))
end)

test("services that a profile or their name brought in are there again without either", function()
  local yaml = TEXT:gsub("  db:\n", '%0    profiles: [data, "${MORE:-more}"]\n'):gsub("    depends_on: [^\n]*\n", "")
  local directory = make(yaml)
  for _, words in ipairs { { "--profile", "data" }, { "--profile", "*" }, { "db" }, { "debug", "web" },
    { "db", "--no-interpolate" } } do
    local text = printed(directory, words)
    files.write(directory .. "/again.yaml", (text:gsub("DIRECTORY", directory)))
    local wanted = table.move(words, 1, #words, 2, { "--services" })
    equal(printed(directory, { "-f", "again.yaml", "--services" }), printed(directory, wanted), table.concat(words, " "))
  end
  ok(printed(directory, { "--no-interpolate" }):find("profiles:", 1, true), "where nothing is chosen, they choose later")
end)

test("with its places behind each line it reads the same", function()
  local directory = make()
  local text = holos(directory, { "config" }).stdout
  equal(holos(directory, { "-f", "-", "config" }, { stdin = holos(directory, { "config", "--explain" }).stdout }).stdout, text)
end)

test("every file of tests/golden/right is a file of that kind", function()
  local count = 0
  for _, entry in ipairs(assert(fs.list(files.directory .. "/golden/right"))) do
    local text = entry.name:find("%.yaml$") and assert(files.read(files.directory .. "/golden/right/" .. entry.name))
    if text then
      count = count + 1
      local state = compose.run(text, { profiles = { "*" } })
      local again = compose.run(config.yaml(state))
      equal(config.yaml(again), config.yaml(state), entry.name)
      equal(config.identities(again), config.identities(state), entry.name)
    end
  end
  ok(count >= 9)
end)

test("keys of containers that are only warned of are not in the model", function()
  local directory = make(TEXT:gsub("  db:\n", "  db:\n    ipc: host\n"))
  local result = holos(directory, { "--compat", "config" })
  ok(result.status == 0 and result.stderr:find("services.db.ipc", 1, true), result.stderr)
  equal(holos(directory, { "-f", "-", "config" }, { stdin = result.stdout }).stdout, result.stdout)
end)

test("from another directory the model means the same", function()
  local directory, elsewhere = make(), tmpdir()
  local text = holos(directory, { "config" }).stdout
  equal(holos(elsewhere, { "-f", "-", "config" }, { stdin = text, env = { "TOKEN=x" } }).stdout, text)
end)

test("hashes: one service, several, all; of what they are", function()
  local directory = make()
  local all = printed(directory, { "--hash", "*" })
  local db, web = all:match("^db   (h1:%x+)\nweb  (h1:%x+)\n$")
  ok(#db == 3 + 64 and db ~= web, all)
  equal(printed(directory, { "--hash", "web" }), "web  " .. web .. "\n")
  equal(printed(directory, { "--hash", "web,db" }), "web  " .. web .. "\ndb   " .. db .. "\n")
  equal(printed(directory, { "--hash", "web,db,web" }), "web  " .. web .. "\ndb   " .. db .. "\n")
  local again = holos(directory, { "config" }).stdout
  equal(holos(directory, { "-f", "-", "config", "--hash", "*" }, { stdin = again }).stdout, all)
  equal(printed(directory, { "--hash", "*" }, { env = { "COUNT=7" } }), all)
  ok(printed(directory, { "--hash", "web" }, { env = { "PORT=81" } }) ~= "web  " .. web .. "\n")
  files.write(directory .. "/site.conf", "other\n")
  equal(printed(directory, { "--hash", "db" }), "db  " .. db .. "\n")
  ok(printed(directory, { "--hash", "web" }) ~= "web  " .. web .. "\n", "the content of a config counts")
end)

test("into a file", function()
  local directory = make()
  local text = printed(directory, {})
  equal(printed(directory, { "-o", "sub.yaml" }), "")
  equal((files.read(directory .. "/sub.yaml"):gsub(directory:gsub("%p", "%%%0"), "DIRECTORY")), text)
  equal(holos(directory, { "config", "-o", "no/such/place" }).status, 1)
end)

test("lists as JSON", function()
  local directory = make()
  local function read(...) return assert(json.decode(printed(directory, { "--format", "json", ... }))) end
  equal(read("--services"), { "db", "web" })
  equal(read("--volumes"), { "data", "other" })
  equal(read("--profiles"), { "debug" })
  equal(read("--images"), { "DIRECTORY/image.qcow2" })
  equal(read("--environment"), { SAID = "hello", UNUSED = "1" })
  local hashes = printed(directory, { "--hash", "*" })
  equal(read("--hash", "*"), { db = hashes:match("db +(%S+)"), web = hashes:match("web +(%S+)") })
  equal(printed(directory, { "--format", "json", "--networks", "--no-normalize" }), "[]\n")
end)

local function refused(words, text)
  local directory = make(text)
  local result = holos(directory, { "config", table.unpack(words) })
  equal(result.stdout, "")
  return result.status .. " " .. result.stderr:gsub(directory:gsub("%p", "%%%0"), "DIRECTORY")
end

test("what is refused", function()
  equal(refused { "wbe" }, '64 holos: there is no service "wbe"\n  did you mean "web"?\n')
  equal(refused { "--hash", "nothing" }, '64 holos: there is no service "nothing"\n  there are: db debug web\n')
  for _, list in ipairs { "", ",", " , " } do
    equal(refused { "--hash", list }, "64 holos: --hash: names no service\n  there are: db debug web\n")
  end
  equal(refused { "--services", "--volumes" }, "64 holos: --services and --volumes exclude each other\n")
  equal(refused { "--explain", "--format", "json" }, "64 holos: --explain: JSON has no comments; leave out --format json\n")
  for _, words in ipairs { { "--services", "-q" }, { "--hash", "*", "-q" } } do
    equal(refused(words), ("64 holos: --quiet and %s exclude each other\n"):format(words[1]))
  end
  equal(refused { "--format", "yaml", "--services" },
    "64 holos: --format yaml: --services is printed as lines, or with --format json\n")
  equal(refused { "--explain", "--environment" },
    "64 holos: --explain: --environment is printed as lines, or with --format json\n")
  equal(refused { "--hash", "*", "--no-interpolate" },
    "64 holos: --hash: hashes need the values of variables; leave out --no-interpolate\n")
  equal(refused { "--resolve-image-digests" }, "64 holos: unknown option --resolve-image-digests\n")
  equal(refused({ "--no-interpolate" }, TEXT:gsub("depends_on", "depend_on")),
    '2 holos.yaml:11:5: services.web.depend_on: unknown key; did you mean "depends_on"?\n1 error; nothing was changed.\n')
end)

test("checks across services are left out when asked", function()
  local text = TEXT:gsub("configs: %[site%]", "configs: [sites]")
  ok(refused({}, text):find("services.web.configs", 1, true))
  ok(printed(make(text), { "--no-consistency" }):find("source: sites", 1, true))
end)

test("what --variables says needs no values", function()
  local text = TEXT:gsub("COUNT:%-2", "COUNT:?how many")
  ok(refused({}, text):find("required variable COUNT", 1, true))
  ok(printed(make(text), { "--variables" }):find("COUNT +true"))
  equal(assert(json.decode(printed(make(text), { "--variables", "--format", "json" })))[1], { name = "COUNT", required = true })
end)
