-- What `holos config` prints: of every file that is right, of one with every key that there is, and by each option.

local compose = require "tests.support.compose"
local config = require "tests.support.config"
local document = require "holos.compose.document"
local err = require "holos.core.err"
local files = require "tests.support.files"
local json = require "holos.core.json"
local project_schema = require "holos.compose.schema.project"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local RIGHT = { "my_stack", "grace", "volume", "health", "images", "extra_args", "everything", "docker_app", "machines" }

local function read(name) return ok(files.read(files.directory .. "/golden/" .. name .. ".yaml")) end

local ENV_FILES = { ["a.env"] = { FROM_A = "1", A = "below" }, ["b.env"] = { FROM_B = "a$b" }, ["labels.env"] = { from = "file" } }

-- Files beside the one that is loaded.
local WHOLE = {
  ["holos.yaml"] = read "config/whole",
  ["base.yaml"] = "services: {base: {labels: {from: base}, env_file: base.env}}\n",
  ["more/holos.yaml"] = "services: {included: {image: ./b.qcow2, volumes: ['.:/src']}}\nvolumes: {included: {}}\n",
}

local OPTIONS = {
  env_file = function(entry)
    local values = ENV_FILES[entry.path:match("[^/]*$")] or {}
    return { order = tables.keys(values), values = values }
  end,
  profiles = { "tools" },
}

local function both(over)
  local all = {}
  for key, value in pairs(OPTIONS) do all[key] = value end
  for key, value in pairs(over or {}) do all[key] = value end
  return all
end

for _, name in ipairs(RIGHT) do
  test("canonical: " .. name, function()
    local text = config.of(read("right/" .. name), both { profiles = { "*" } })
    golden("config/" .. name .. ".txt", text)
    equal(config.of(text, both { profiles = { "*" } }), text)
  end)
end

test("every key that is read stands in one file, which is canonical", function()
  local text = config.of(WHOLE, OPTIONS)
  golden("config/whole.txt", text)
  equal(config.of(text, OPTIONS), text)
end)

test("where each line comes from", function()
  golden("config/explain.txt", config.of(WHOLE, OPTIONS, { explain = true }))
end)

test("options leave things out", function()
  golden("config/bare.txt", config.of(WHOLE, both { without = { resolve = true, environment = true } },
    { normalize = false, environment = false }))
end)

test("a part of the services, with what they wait for and use", function()
  golden("config/part.txt", config.of(WHOLE, both { named = { "life" }, profiles = {} }, { services = { "life" } }))
end)

-- Every path of a document by the rules that it follows, as schema.fields has them.
local function note_paths(rule, value, path, seen)
  rule = schema.loaded(rule)
  local kind = schema.kind_of(value)
  if rule.kind == "either" then return rule[kind] and note_paths(rule[kind], value, path, seen) end
  if rule.kind == "list" and kind == "list" or rule.kind == "map" and kind == "map" then
    for _, item in pairs(value) do note_paths(rule.of, item, path .. (rule.kind == "list" and "[]" or ".*"), seen) end
  elseif rule.kind == "record" and kind == "map" then
    for key, item in pairs(value) do
      local here, field = path == "" and key or path .. "." .. key, rule.fields[key]
      seen[here] = true
      if field and field.rule then note_paths(field.rule, item, here, seen) end
    end
  end
end

local function paths_in(text)
  local seen = {}
  note_paths(project_schema, document.build(compose.parse(text)).trees[1], "", seen)
  return seen
end

-- What another key, or another form of the same, says in the canonical model.
local MOVED = {
  ["include"] = "merged", ["version"] = "nothing to say", ["services.*.extends"] = "merged",
  ["services.*.profiles"] = "whoever is printed is chosen",
  ["services.*.env_file"] = "environment", ["services.*.label_file"] = "labels", ["services.*.tmpfs"] = "volumes",
  ["services.*.ports[].mode"] = "no effect", ["services.*.volumes[].consistency"] = "no effect",
  ["services.*.volumes[].image"] = "no effect", ["services.*.volumes[].bind.propagation"] = "no effect",
  ["services.*.volumes[].bind.recursive"] = "no effect", ["services.*.volumes[].bind.selinux"] = "no effect",
  ["services.*.volumes[].volume.labels"] = "no effect", ["services.*.cdrom.path"] = "a list",
  ["services.*.cdrom.boot_index"] = "a list", ["networks.*.external.name"] = "name",
}

local function is_moved(path)
  for moved in pairs(MOVED) do
    if path == moved or path:sub(1, #moved + 1) == moved .. "." or path:sub(1, #moved + 1) == moved .. "[" then return true end
  end
end

test("no key of the schema is missing in that file, and none gets lost on its way", function()
  local given, printed = paths_in(WHOLE["holos.yaml"]), paths_in(config.of(WHOLE, OPTIONS))
  local same_as_list = { ["services.*.cdrom.path"] = true, ["services.*.cdrom.boot_index"] = true,
    ["services.*.env_file.path"] = true, ["services.*.env_file.required"] = true, ["services.*.env_file.format"] = true }
  for _, entry in ipairs(schema.fields(project_schema)) do
    local path, is_read = entry.path, entry.field.class ~= "refused" and not entry.field.passed
    if is_read and not same_as_list[path] then ok(given[path], path .. " is not in tests/golden/config/whole.yaml") end
    if is_read and given[path] and not is_moved(path) then ok(printed[path], path .. " is not printed") end
  end
  for path in pairs(MOVED) do ok(not printed[path], path .. " is printed after all") end
end)

local TEMPLATES = [[
name: ${NAME:-shop}
services:
  web:
    image: ./${IMAGE}.qcow2
    replicas: ${COUNT:-2}
    ports: ["${PORT?}:80", "443"]
    expose: [80]
    environment: {A: "$$x", B: "${B}"}
    healthcheck: {test: nc, interval: "${WAIT}", retries: 3}
    tmpfs: ["/a:size=${SIZE}"]
    volumes: [./b:/b]
    vm: {memory_mb: "${MEMORY}", vcpu: 2}
  db:
    image: ./b.qcow2
    tmpfs: /run/x:size=1m
    stop_grace_period: 90s
]]

local AS_WRITTEN = { interpolate = true, check = true, resolve = true, normalize = true, consistency = true, environment = true }

test("variables in place", function()
  local state = compose.run(TEMPLATES, { without = AS_WRITTEN })
  local text = config.yaml(state, { interpolate = false })
  golden("config/templates.txt", text)
  equal(config.of(text, { without = AS_WRITTEN }, { interpolate = false }), text)
end)

test("variables in place: what is wrong without them is told", function()
  local text = TEMPLATES:gsub("vcpu: 2", "vcpu: many"):gsub("expose:", "exposee:")
  local state = compose.run(text, { without = AS_WRITTEN })
  local fine, problem = pcall(config.yaml, state, { interpolate = false })
  ok(not fine and err.is(problem), problem)
  equal(json.encode(tables.map(problem.findings, function(finding) return finding.line .. " " .. finding.path end)),
    '["7 services.web.exposee","12 services.web.vm.vcpu"]')
end)
