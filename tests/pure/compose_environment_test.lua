-- Where variables come from, on a host that exists in words only.

local environment = require "holos.compose.environment"

local function lookup_in(values)
  return function(name) return values[name] end
end

local function paths(shell, where)
  local list = {}
  local at = { here = "/home/anna", directory = "/srv/shop" }
  for name, value in pairs(where or {}) do at[name] = value end
  for position, file in ipairs(environment.files(lookup_in(shell), at)) do list[position] = file.path end
  return list
end

test("which files count", function()
  equal(paths {}, { "/srv/shop/.env" })
  equal(paths({}, { env_file = { "a.env", "/etc/b.env" } }), { "/home/anna/a.env", "/etc/b.env" })
  equal(paths { HOLOS_ENV_FILES = "x.env, sub/y.env" }, { "/home/anna/x.env", "/home/anna/sub/y.env" })
  equal(paths({ HOLOS_ENV_FILES = "x.env" }, { env_file = { "a.env" } }), { "/home/anna/a.env" })
  equal(paths { HOLOS_ENV_FILES = "" }, { "/srv/shop/.env" })
  for _, value in ipairs { "1", "true", "TRUE" } do equal(paths { HOLOS_DISABLE_ENV_FILE = value }, {}) end
  for _, value in ipairs { "0", "false", "" } do equal(#paths { HOLOS_DISABLE_ENV_FILE = value }, 1) end
  equal(paths({ HOLOS_DISABLE_ENV_FILE = "1" }, { env_file = { "a.env" } }), { "/home/anna/a.env" })
end)

test("COMPOSE_* counts where the file is named as docker names its files, and after HOLOS_*", function()
  local both = lookup_in { HOLOS_PROJECT_NAME = "ours", COMPOSE_PROJECT_NAME = "theirs" }
  local theirs = lookup_in { HOLOS_PROJECT_NAME = "", COMPOSE_PROJECT_NAME = "theirs" }
  for _, name in ipairs { "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml" } do
    equal(environment.setting(both, "PROJECT_NAME", "/srv/" .. name), "ours")
    equal(environment.setting(theirs, "PROJECT_NAME", "/srv/" .. name), "theirs")
  end
  equal(environment.setting(theirs, "PROJECT_NAME", "/srv/holos.yaml"), nil)
  equal(environment.setting(theirs, "PROJECT_NAME", nil), nil)
  equal(paths({ COMPOSE_ENV_FILES = "x.env" }, { file = "/srv/shop/compose.yaml" }), { "/home/anna/x.env" })
  equal(paths({ COMPOSE_ENV_FILES = "x.env" }, { file = "/srv/shop/holos.yaml" }), { "/srv/shop/.env" })
  equal(paths({ COMPOSE_DISABLE_ENV_FILE = "1" }, { file = "/srv/shop/compose.yaml" }), {})
end)

local CODES = { missing = "ENOENT", directory = "EISDIR", fifo = "EINVAL", secret = "EACCES" }

local function read(files, shell, texts)
  return environment.read(files, lookup_in(shell), function(path)
    local name = path:match("([^/]+)$")
    if texts[name] then return texts[name] end
    return nil, path .. ": cannot be read", CODES[name] or "ENOENT"
  end, function(path) return (path:gsub("^/srv/shop/", "")) end)
end

local function named(...)
  local files = {}
  for position, name in ipairs { ... } do files[position] = { path = "/srv/shop/" .. name, source = "--env-file" } end
  return files
end

test("later files win, and use what earlier ones and the shell say; the shell wins over all", function()
  local result = read(named("a", "b"), { S = "shell", T = "shell" },
    { a = "S=a\nX=1\nY=$X$S\n", b = "X=2\nZ=$X$Y\nT\nQ=q" })
  equal(result.values, { S = "a", X = "2", Y = "1shell", Z = "21shell", T = "shell", Q = "q" })
  equal(result.order, { "S", "X", "Y", "Z", "T", "Q" })
  equal({ result.findings, result.warnings }, { {}, {} })
  local lookup = environment.lookup(lookup_in { S = "shell", EMPTY = "" }, { S = "a", X = "2", EMPTY = "full" })
  equal({ lookup "S", lookup "X", lookup "EMPTY", lookup "NONE" }, { "shell", "2", "" })
end)

test("what was asked for has to be there, .env has not", function()
  local result = read(named("missing", "a", "secret", "directory"), {}, { a = "A=1" })
  equal(result.values, { A = "1" })
  equal(result.findings, {
    { message = "couldn't find env file: /srv/shop/missing", hint = "--env-file names it" },
    { message = "/srv/shop/secret: cannot be read", hint = "--env-file names it" },
    { message = "/srv/shop/directory: cannot be read", hint = "--env-file names it" },
  })
  for _, name in ipairs { "missing", "directory", "fifo" } do
    equal(read({ { path = "/srv/shop/" .. name } }, {}, {}).findings, {}, name)
  end
  equal(#read({ { path = "/srv/shop/secret" } }, {}, {}).findings, 1)
end)

test("what is wrong in a file has its place; the other files are read", function()
  local result = read(named("a", "b"), {}, { a = "A=1\nB C\n", b = "D=${X:?}" })
  equal(result.findings, {
    { file = "a", line = 2, column = 2, message = 'key cannot contain a space: "B C"',
      hint = "a line is KEY=value, or a comment after #" },
    { file = "b", line = 1, column = 3, message = "required variable X is missing a value",
      hint = "set it in the environment, in .env, or in a file that --env-file names: X=…" },
  })
end)

test("a variable that is not set is told once, where it is first", function()
  local result = read(named("a", "b"), {}, { a = "A=1\nPW=pa$word$A\nC=$word", b = "D=$word$other" })
  equal(result.warnings, {
    "a:2: the variable word is not set and became a blank; where the text itself is meant, put it in single quotes",
    "b:1: the variable other is not set and became a blank; where the text itself is meant, put it in single quotes",
  })
end)
