--- Variables through the command line: where they come from, and what is said of files that are wrong.

local files = require "tests.support.files"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"

local HOLOS = host.executable()

local TEXT = [[
services:
  web:
    image: ./image.qcow2
    replicas: ${N:-1}
    labels: {a: "$A"}
]]

-- A directory with these files, and an image in it.
local function make(contents)
  local directory = tmpdir()
  for name, text in pairs(contents) do files.write(directory .. "/" .. name, text) end
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return directory
end

local function holos(directory, words, env)
  local list = { "HOLOS_STATE_DIR=" .. directory .. "/state", "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") }
  for name, value in pairs(env or {}) do list[#list + 1] = name .. "=" .. value end
  return run_tool({ HOLOS, table.unpack(words) }, { directory = directory, env = list })
end

-- The project's name and how many replicas `web` has, as validate tells them.
local function told(directory, env, ...)
  local result = holos(directory, { "validate", ... }, env)
  local name, replicas = result.stdout:match("^project (%S+)\n.-\n  web +%S+ +(%d+)")
  return { result.status, name or result.stderr, math.tointeger(tonumber(replicas)) }
end

-- What is said of a wrong file, with the directory's name out of it.
local function said(directory, words, env)
  local result = holos(directory, words, env)
  equal({ result.status, result.stdout }, { 2, "" })
  return (result.stderr:gsub(directory:gsub("%p", "%%%0"), "DIRECTORY"))
end

test("the shell, then --env-file, where later ones win, else .env", function()
  local directory = make { ["holos.yaml"] = "name: one\n" .. TEXT, [".env"] = "N=2\nA=x", ["a.env"] = "N=3", ["b.env"] = "N=4" }
  equal(told(directory, {}), { 0, "one", 2 })
  equal(told(directory, { N = "5" }), { 0, "one", 5 })
  equal(told(directory, { N = "" }), { 0, "one", 1 })
  equal(told(directory, {}, "--env-file", "a.env"), { 0, "one", 3 })
  equal(told(directory, {}, "--env-file", "a.env", "--env-file=b.env"), { 0, "one", 4 })
  equal(told(directory, { N = "5" }, "--env-file", "a.env"), { 0, "one", 5 })
  equal(told(directory, { HOLOS_ENV_FILES = "b.env,a.env" }), { 0, "one", 3 })
  equal(told(directory, { HOLOS_DISABLE_ENV_FILE = "1" }), { 0, "one", 1 })
end)

test(".env lies in the project's directory, wherever we are", function()
  local directory = make { ["holos.yaml"] = "name: one\n" .. TEXT, [".env"] = "N=2", ["sub/.env"] = "N=3" }
  equal(told(directory .. "/sub", {}), { 0, "one", 2 })
  equal(told(directory, {}, "-f", "holos.yaml"), { 0, "one", 2 })
  assert(qcow2.create(directory .. "/sub/image.qcow2", { size_bytes = 1 << 20 }))
  equal(told(directory, {}, "--project-directory", "sub", "-f", "holos.yaml"), { 0, "one", 3 })
end)

test("the project's name: -p, HOLOS_PROJECT_NAME, the file, the directory of the project", function()
  local directory = make { ["holos.yaml"] = "name: of-file\n" .. TEXT, ["shop/holos.yaml"] = TEXT,
    ["shop/.env"] = "N=2\nHOLOS_PROJECT_NAME=x" }
  equal(told(directory, {})[2], "of-file")
  equal(told(directory, { COMPOSE_PROJECT_NAME = "y" })[2], "of-file")
  equal(told(directory, { HOLOS_PROJECT_NAME = "y" })[2], "y")
  equal(told(directory, { HOLOS_PROJECT_NAME = "y" }, "-p", "z")[2], "z")
  equal(told(directory, { HOLOS_PROJECT_NAME = "y" }, "-p", "")[2], "y")
  assert(qcow2.create(directory .. "/shop/image.qcow2", { size_bytes = 1 << 20 }))
  equal(told(directory .. "/shop", {}), { 0, "x", 2 })
  equal(told(directory .. "/shop", { HOLOS_DISABLE_ENV_FILE = "true" }), { 0, "shop", 1 })
  files.write(directory .. "/shop/compose.yaml", TEXT)
  equal(told(directory .. "/shop", { COMPOSE_PROJECT_NAME = "y", HOLOS_ENV_FILES = "/dev/null/x" }, "-f", "compose.yaml")[1], 2)
  equal(told(directory .. "/shop", { COMPOSE_PROJECT_NAME = "y", COMPOSE_DISABLE_ENV_FILE = "1" }, "-f", "compose.yaml")[2], "y")
end)

test("profiles: of --profile and HOLOS_PROFILES, with docker's files of COMPOSE_PROFILES", function()
  local text = "name: one\nservices: {a: {image: ./image.qcow2}, b: {image: ./image.qcow2, profiles: [dev]},"
    .. " c: {image: ./image.qcow2, profiles: [ops]}}\n"
  local directory = make { ["holos.yaml"] = text, ["compose.yaml"] = text, [".env"] = "HOLOS_PROFILES=dev" }
  local function services(env, ...)
    local names = {}
    for name in holos(directory, { "validate", ... }, env).stdout:gmatch("\n  (%a) ") do names[#names + 1] = name end
    return table.concat(names)
  end
  equal({ services {}, services({}, "--profile", "ops"), services { HOLOS_PROFILES = "ops" } }, { "ab", "abc", "ac" })
  equal({ services { HOLOS_PROFILES = "*" }, services { HOLOS_PROFILES = "" } }, { "abc", "a" })
  equal(services { HOLOS_PROFILES = "", COMPOSE_PROFILES = "ops" }, "a")
  equal(services({ HOLOS_PROFILES = "", COMPOSE_PROFILES = "dev, ops" }, "-f", "compose.yaml"), "abc")
end)

test("HOLOS_PROJECT_NAME is enough for what works from the record", function()
  local directory = make {}
  local result = holos(directory, { "stop" }, { HOLOS_PROJECT_NAME = "nobody" })
  equal({ result.status, result.stderr:match("^[^\n]*") }, { 1, 'holos: there is no project "nobody"' })
end)

test("HOLOS_FILE may stand in .env, which then counts beside that of the project", function()
  local directory = make { ["sub/holos.yaml"] = "name: far\n" .. TEXT, ["sub/.env"] = "N=2\nA=x",
    [".env"] = "HOLOS_FILE=sub/holos.yaml" }
  assert(qcow2.create(directory .. "/sub/image.qcow2", { size_bytes = 1 << 20 }))
  equal(told(directory, {}), { 0, "far", 2 })
  files.write(directory .. "/.env", "HOLOS_FILE=sub/holos.yaml\nN=3")
  equal(told(directory, {}), { 0, "far", 3 })
  equal(told(directory, {}, "-f", "sub/holos.yaml"), { 0, "far", 2 })
  equal(told(directory, { HOLOS_FILE = "sub/holos.yaml" }), { 0, "far", 2 })
end)

test("a directory named .env is none of ours", function()
  local directory = make { ["holos.yaml"] = "name: one\n" .. TEXT, [".env/bin/python"] = "" }
  equal(told(directory, {}), { 0, "one", 1 })
end)

test("warnings of variables that are not set: once each, with their places", function()
  local directory = make { ["holos.yaml"] = TEXT .. "    protect: ${P:-false}\n    stop_grace_period: 1${A}s\n",
    [".env"] = "PW=a$b\nQ=$b" }
  for _, command in ipairs { "validate", "plan" } do
    local result, lines = holos(directory, { command }), {}
    for line in result.stderr:gmatch("[^\n]+ is not set") do lines[#lines + 1] = line:match("%S+:%d+: .*$") end
    equal(lines, { ".env:1: the variable b is not set",
      "holos.yaml:5:14: services.web.labels.a: the variable A is not set" }, command)
  end
end)

test("a .env that is wrong does not keep anybody from stopping", function()
  local directory = make { ["holos.yaml"] = TEXT, [".env"] = "A B" }
  local result = holos(directory, { "stop", "-p", "nobody" })
  equal({ result.status, result.stderr:match("^[^\n]*") }, { 1, 'holos: there is no project "nobody"' })
end)

test("wrong: --env-file that is not there", function()
  local directory = make { ["holos.yaml"] = TEXT, ["a.env"] = "A=1" }
  golden("wrong/env_file_missing.txt", said(directory, { "up", "--env-file", "a.env", "--env-file", "missing.env" }))
end)

test("wrong: env files with mistakes", function()
  local directory = make { ["holos.yaml"] = TEXT, [".env"] = "# ours\nA=1\nNOT A LINE\n",
    ["quote.env"] = 'A=1\nB="two\nlines\n', ["dollar.env"] = "\nPASSWORD=se${cret",
    ["needs.env"] = 'X="${TOKEN:?ask Anna for one}"',
    ["after.env"] = "A='x' y", ["utf16.env"] = "\255\254A\0=\0001\0" }
  golden("wrong/env_file_dotenv.txt", said(directory, { "validate" }))
  golden("wrong/env_files.txt", said(directory, { "validate", "--env-file=quote.env", "--env-file=dollar.env",
    "--env-file=needs.env", "--env-file=after.env", "--env-file=utf16.env" }))
end)

test("wrong: a required variable, with what its file says", function()
  local directory = make { ["holos.yaml"] = TEXT:gsub("N:%-1", "N:?how many machines may it be") }
  golden("wrong/variable_required.txt", said(directory, { "up" }))
end)

test("files of variables that services name are read, seen from the file, with the project's variables", function()
  local yaml = "name: one\n" .. TEXT .. "    env_file: [a.env, {path: b.env, required: false}]\n    label_file: l.env\n"
  local fine = { ["holos.yaml"] = yaml, ["a.env"] = "X=$N", ["l.env"] = "team=web" }
  equal(told(make(fine), { N = "2" }), { 0, "one", 2 })
  local missing = said(make { ["holos.yaml"] = yaml, ["l.env"] = "" }, { "validate" })
  ok(missing:find("holos.yaml:7:16: services.web.env_file[1]: DIRECTORY/a.env does not exist", 1, true), missing)
  fine["b.env"] = "Y=1\nZ='open"
  local wrong = said(make(fine), { "validate" })
  ok(wrong:find("holos.yaml:7:23: services.web.env_file[2]: b.env:2:3: ", 1, true), wrong)
end)
