--- Invents compose files of the subset that docker-compose 1.29 and holos both have: one or two files, services that extend
--- others, variables, env files. math.random decides.

local tables = require "holos.core.table"
local yaml = require "holos.core.yaml"

local M = {}

--- What the shell has; the `.env` beside the files has more.
M.SHELL = { "SHELL_A=shell", "EMPTY_D=", "BOTH_F=of the shell" }
local DOTENV = "DOTENV_B=dotenv\nBOTH_F=of the file\nQUOTED_G=\"two words\"\n# a comment\nexport EXPORTED_H=yes\n"
local ENV_FILES = { ["one.env"] = "ONE=1\nA=of one.env\n\n# c\nWORDS=a b  c\n", ["two.env"] = "ONE=2\nTWO=\n",
  ["three.env"] = "ONE=3\nB=of three.env\n", ["sub/four.env"] = "ONE=4\nTWO=of four.env\n" }

local TEMPLATES = {
  "${SHELL_A}", "$SHELL_A-x", "pre-${DOTENV_B}-post", "${UNSET_C:-fallback}", "${UNSET_C-fall-back}", "${EMPTY_D:-full}",
  "x${EMPTY_D-kept}", "a$$b", "$$$$", "${SHELL_A:?needed}", "${DOTENV_B?needed}", "${BOTH_F}", "${QUOTED_G}", "$EXPORTED_H",
  "${UNSET_C:-}z", "$${SHELL_A}", "${SHELL_A}${DOTENV_B}", "100%", "${UNSET_E}y",
}

local function chance(percent) return math.random(100) <= percent end
local function pick(list) return list[math.random(#list)] end

local function word(list) return chance(25) and pick(TEMPLATES) or pick(list) end

-- A list of 1 to `most` different ones out of `pool`.
local function some(pool, most)
  local list, taken = tables.list {}, {}
  for _ = 1, math.random(most) do
    local item = pick(pool)
    if not taken[item] then list[#list + 1], taken[item] = item, true end
  end
  return list
end

-- {K = V} or ["K=V"].
local function keyed(names, values)
  local as_list, made = chance(50), tables.list {}
  if not as_list then made = {} end
  for _, name in ipairs(some(names, 4)) do
    if as_list then made[#made + 1] = name .. "=" .. word(values) else made[name] = word(values) end
  end
  return made
end

local function one_or_more(pool) return chance(40) and pick(pool) or some(pool, 3) end

-- By key: function(role), where the role is "base" for services that others extend, "first" or "over".
local keys = {}

function keys.environment()
  local made = keyed({ "A", "B", "LONG_NAME", "C", "D" }, { "1", "x y", "", "a=b", "über", "#no comment" })
  if tables.is_list(made) then
    if chance(30) then made[#made + 1] = pick { "SHELL_A", "NOWHERE" } end
  elseif chance(30) then
    made.NUMBER = math.random(100)
  end
  return made
end

-- Each role has its own: in 1.29 a file that is named twice is read twice.
local ROLE_FILES = { base = { "four.env" }, first = { "one.env", "./two.env" }, over = { "three.env" } }
function keys.env_file(role) return one_or_more(ROLE_FILES[role]) end
function keys.labels() return keyed({ "tier", "org.example.owner", "c" }, { "web", "", "1", "a b" }) end

function keys.ports()
  return some({ "80", 81, "8080:80", "8081:81/udp", "127.0.0.1:8443:443", "0.0.0.0:9000:9000/tcp", "7000-7002:70-72",
    "127.0.0.1::90", { target = 53, published = 5353, protocol = "udp" }, { target = 99, published = 9999 }, { target = 98 } }, 4)
end

function keys.expose() return some({ "80", 3000, "4000-4002" }, 2) end

function keys.volumes()
  return some({ "./www:/srv/www:ro", "./src:/srv/src", "/etc:/host/etc:ro", "data:/var/lib/data", "cache:/var/cache:ro", "/srv/own",
    "../above:/srv/above", { type = "bind", source = "./long", target = "/srv/long", read_only = true },
    { type = "volume", source = "data", target = "/srv/data" }, { type = "tmpfs", target = "/srv/tmp" } }, 4)
end

function keys.tmpfs() return one_or_more { "/run", "/tmp/x:size=64m", "/tmp/y:size=1m,mode=1777" } end
function keys.dns() return one_or_more { "1.1.1.1", "9.9.9.9", "8.8.4.4" } end
function keys.dns_search() return one_or_more { "example.org", "lan" } end

-- One address each: in 1.29 a second one replaces the first.
function keys.extra_hosts()
  if chance(50) then return { printer = "192.168.1.7", scanner = "192.168.1.8" } end
  return some({ "printer:192.168.1.7", "scanner:192.168.1.8", "six:fd00::1" }, 2)
end

function keys.command()
  return pick { "nginx -g 'daemon off;'", "sh -c \"echo a  b\" x\\ y", tables.list { "a", "b c" }, "one", "echo ${SHELL_A}",
    tables.list { "sh", "-c", "echo $$HOME" } }
end

keys.entrypoint = keys.command

function keys.hostname() return pick { "www", "${SHELL_A}", "db-1" } end
function keys.domainname() return pick { "example.org", "lan" } end
function keys.user() return pick { "root", "1000:1000", "www-data" } end
function keys.working_dir() return pick { "/srv", "/srv/${SHELL_A}" } end
function keys.stop_signal() return pick { "SIGTERM", "SIGQUIT" } end
function keys.stop_grace_period() return pick { "10s", "1m30s", "90s", "1h" } end
function keys.mac_address() return pick { "02:42:ac:11:65:43", "02:42:AC:11:65:44" } end
function keys.restart() return pick { "no", "always", "on-failure:3", "unless-stopped" } end
function keys.init() return chance(50) end
function keys.tty() return chance(50) end
function keys.privileged() return chance(50) end
function keys.mem_limit() return pick { "512m", "1g", "1gb", 1073741824 } end
function keys.shm_size() return pick { "64m", "1g" } end
function keys.scale() return math.random(3) end
function keys.profiles() return some({ "debug", "tools", "all" }, 2) end
function keys.cap_add() return some({ "NET_ADMIN", "SYS_TIME" }, 2) end
function keys.pids_limit() return math.random(100) end

function keys.sysctls() return keyed({ "net.core.somaxconn", "net.ipv4.ip_forward" }, { "1", "1024" }) end

function keys.ulimits()
  return { nofile = chance(50) and 1024 or { soft = 10, hard = 20 }, nproc = chance(50) and 100 or nil }
end

function keys.logging()
  return { driver = pick { "json-file", "syslog" },
    options = { ["max-size"] = pick { "1m", "2m" }, ["max-file"] = chance(50) and "3" or nil } }
end

-- In 1.29 a test that is laid over `disable: true` counts; in v2 it has to say `disable: false`.
function keys.healthcheck(role)
  if role == "over" and chance(60) then return { disable = true } end
  return { test = pick { "curl -f http://localhost", tables.list { "CMD", "curl", "x" }, tables.list { "CMD-SHELL", "a || b" } },
    interval = pick { "30s", "1m30s" }, timeout = chance(50) and "5s" or nil, retries = chance(50) and math.random(9) or nil,
    start_period = chance(50) and "1m" or nil }
end

function keys.networks()
  if chance(50) then return some({ "front", "back" }, 2) end
  return { front = chance(50) and { aliases = some({ "a", "b" }, 2) } or nil,
    back = { ipv4_address = "10.9.0." .. math.random(2, 9) } }
end

function keys.deploy()
  return { replicas = chance(50) and 2 or nil, resources = {
    limits = { cpus = chance(50) and pick { "2", "1.0" } or nil, memory = chance(50) and "512M" or nil },
    reservations = chance(50) and { memory = "256M" } or nil } }
end

function keys.configs() return some({ "site", { source = "app", target = "/etc/app", mode = 288 } }, 2) end
function keys.secrets() return some({ "key", { source = "token", target = "api", uid = "5", gid = "6", mode = 256 } }, 2) end

local NAMES = tables.keys(keys)

local function service(role, density, image)
  local made = { image = image, ["x-note"] = chance(10) and "note" or nil }
  for _, key in ipairs(NAMES) do
    if chance(density) then made[key] = keys[key](role) end
  end
  if made.deploy and made.deploy.replicas then made.scale = nil end
  return made
end

local SERVICES = { "web", "db", "app-1" }

local function base_file()
  local networks = {
    front = { internal = chance(30) and true or nil, labels = chance(30) and keyed({ "a", "b" }, { "1" }) or nil },
    back = { ipam = { config = tables.list { { subnet = "10.9.0.0/24" } } } },
  }
  return { services = {}, networks = networks,
    volumes = { data = { labels = chance(50) and keyed({ "a", "b" }, { "1", "x" }) or nil }, cache = {} },
    configs = { site = { file = "./site.conf" }, app = { file = "sub/app.conf" } },
    secrets = { key = { file = "./key.pem" }, token = { file = "~/token" } } }
end

local function with_dependencies(made, names, as_map)
  local list = some(names, 2)
  if not as_map then made.depends_on = list return end
  made.depends_on = {}
  for _, name in ipairs(list) do made.depends_on[name] = { condition = "service_started" } end
end

local DENSITY = { first = 25, over = 15 }

local function fill(document, role, extending)
  for position, name in ipairs(SERVICES) do
    if role == "first" or chance(60) then
      local image = role == "first" and "./" .. name .. ".qcow2" or chance(20) and "./other.qcow2" or nil
      local made = service(role, DENSITY[role], image)
      local earlier = table.move(SERVICES, 1, position - 1, 1, {})
      if #earlier > 0 and chance(50) then with_dependencies(made, earlier, chance(40)) end
      if extending and chance(40) then made.extends = extending() end
      if next(made) ~= nil then document.services[name] = made end
    end
  end
end

--- A case: texts by name, the names that are given with -f.
---@return table case  {files = {[name] = text}, names}
function M.make()
  local first, case = base_file(), { files = {}, names = { "a.yml" } }
  for name, text in pairs(ENV_FILES) do case.files[name] = text end
  case.files[".env"] = DOTENV
  local extending
  if chance(40) then
    local base, small = service("base", 25, "./base.qcow2"), service("base", 8, "./small.qcow2")
    case.files["sub/base.yml"] = yaml.encode { services = { base = base, small = small } }
    extending = function() return { file = "sub/base.yml", service = pick { "base", "small" } } end
  end
  fill(first, "first", extending)
  case.files["a.yml"] = yaml.encode(first)
  if chance(60) then
    local second = { services = {} }
    fill(second, "over")
    if next(second.services) ~= nil then case.files["b.yml"], case.names[2] = yaml.encode(second), "b.yml" end
  end
  return case
end

return M
