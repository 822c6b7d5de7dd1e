-- compose-go's tables: ports, mounts, sizes, aliases, merges, sources of configs. Every row is either held here or named
-- with the reason why it says nothing about virtual machines.

local address = require "holos.core.address"
local check = require "holos.core.schema.check"
local compose = require "tests.support.compose"
local conformance = require "tests.support.conformance"
local environment = require "holos.compose.environment"
local files = require "tests.support.files"
local grant = require "holos.compose.schema.grant"
local build = require "holos.compose.schema.build"
local ports = require "holos.compose.ports"
local schema = require "holos.core.schema"
local volumes = require "holos.compose.volumes"
local port_schema = require "holos.compose.schema.port"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local CONTAINER = "containers share what virtual machines do not: the key is refused by name"
local HOOK = "fills in values by functions that a user of the Go library registers; no file can ask for it"

-- Rows that cannot apply: test / name of the row → why.
local ELSEWHERE = {
  ["TestExtendsWithServiceRef/volumes_from"] = CONTAINER,
  ["TestExtendsWithServiceRef/shared ipc"] = CONTAINER,
  ["TestExtendsWithServiceRef/shared network_mode"] = CONTAINER,
  ["Test_transformPorts/ignore invalid IP"] = "a switch of one function of the Go library: texts with variables in place "
    .. "never get to the grammar of ports here",
}

local tables, rows_held = {}, 0
for _, suite in ipairs(conformance.json "compose-go/vectors/other-tables.json") do tables[suite.test] = suite end

-- Calls hold(row, name) for every row of a table that applies.
local function each_row(name, hold)
  local suite = tables[name] or error("there is no table " .. name)
  suite.is_held = true
  for _, row in ipairs(suite.cases) do
    local row_name = row.name or row.value or row[1]
    rows_held = rows_held + 1
    if not ELSEWHERE[name .. "/" .. row_name] then hold(row, row_name) end
  end
end

local function findings_of(rule, value)
  local at = check.new()
  local result = check.value(rule, value, at)
  return at.findings[1] and at.findings[1].message, result
end

test("ports in short form", function()
  each_row("TestParsePortConfig", function(row)
    local made, message = ports.parse(row.value)
    if row.expectedError then return ok(message, row.value .. " was accepted") end
    equal(#made, #row.expected, row.value)
    for position, want in ipairs(row.expected) do
      local got = made[position]
      local published = got.host > 0 and tostring(got.host) .. (got.host_to and "-" .. got.host_to or "") or nil
      equal({ got.guest, got.protocol, published, got.host_ip },
        { want.Target, want.Protocol, want.Published, want.HostIP or ports.default_host_ip }, row.value)
    end
  end)
end)

local function hold_mount(row)
  local mount, message = volumes.parse(row.input)
  ok(mount, message)
  local want = row.expected
  equal({ mount.kind, mount.source or mount.volume, mount.target, mount.read_only },
    { want.Type, want.Source, want.Target, want.ReadOnly or false }, row.input)
  local propagation = want.Bind and want.Bind.Propagation
  equal(mount.idle, propagation and { propagation } or nil)
end

test("mounts in short form, with variables in them", function()
  each_row("TestParseVolumeWithVariableDefaultValue", hold_mount)
  each_row("TestParseVolumeWithNestedBraces", hold_mount)
end)

test("ports in a list, and addresses that are none", function()
  each_row("Test_transformPorts", function(row, name)
    local list = require("holos.core.table").list(row.yaml)
    local message, made = findings_of(port_schema.list, list)
    if row.wantErr then return ok(message:find('"127.0.1" is not an IPv4 address', 1, true), name) end
    for position, want in ipairs(row.want) do
      local got = made[position]
      equal({ got.host_ip, got.guest, got.protocol, tostring(got.host) },
        { want.host_ip, want.target, want.protocol, want.published })
    end
  end)
  each_row("Test_portDefaults", function(row)
    local _, made = findings_of(port_schema.list, require("holos.core.table").list { row.yaml })
    equal({ made[1].host, made[1].guest, made[1].protocol }, { row.want.published, row.want.target, row.want.protocol })
  end)
  each_row("TestIPAddress", function(row, name)
    local wrong = compose.complaints("services: {a: {image: ./a.qcow2, ports: [{"
      .. row.input:gsub("^%s+", ""):gsub("%s+$", ""):gsub("\n", ", ") .. "}]}}")
    equal(wrong == "", row.err == nil, name .. ": " .. wrong)
    if row.err then ok(wrong:find('"notavalidip" is not an IPv4 address', 1, true)) end
  end)
  equal(address.parse "192.168.3.4" ~= nil, true)
end)

test("sizes, where no limit is -1", function()
  local size = schema.size { unlimited = true }
  for _, name in ipairs { "TestUnitBytesUnmarshalJSON", "TestUnitBytesUnmarshalYAML" } do
    each_row(name, function(row, row_name)
      local text = row[2]
      local value = text:match('^"(.*)"$') or math.tointeger(tonumber(text)) or text
      local message, bytes = findings_of(size, value)
      equal(message, nil, row_name)
      equal(bytes, row[3].args[1], row_name)
    end)
  end
end)

test("a build in short form", function()
  each_row("Test_transformBuild", function(row)
    local _, made = findings_of(build, row.yaml)
    equal(made, row.want)
  end)
end)

test("a config has one source", function()
  each_row("TestValidateSecret", function(row, name)
    local tree = { name = "test" }
    for key, value in row.input:gmatch("(%w+): ([^\n]+)") do tree[key] = value == "true" or value end
    local message = findings_of(grant.config, tree)
    equal(message == nil, row.err == "", name)
    if row.err:find("exclusive") then ok(message:find("exclude each other", 1, true)) end
    if row.err:find("must be set") then ok(message:find("nothing about where", 1, true)) end
  end)
end)

-- These files are about aliases: the images in them are names, which is a matter of its own.
local function complaints(text)
  return compose.complaints((text:gsub("image: (%w+)[%w:]*", "image: ./%1.qcow2")))
end

-- Parts of files, which compose-go's tests read without looking for services.
local function with_services(text)
  return text:find("\nservices:") and text or text .. "services: {one: {image: alpine}}\n"
end

test("aliases: copies are no cycles, what contains itself is one", function()
  each_row("TestResetCycle", function(row, name)
    local said = complaints(with_services(row.config):gsub("test%.(%l+)", "test-%1"))
    equal(said ~= "", row.expectError, name .. ": " .. said)
    if row.expectError then ok(said:find("stands inside of what", 1, true), said) end
  end)
end)

test("aliases that stand for too much", function()
  each_row("TestAliasBombPrevented", function(row, name)
    local said = complaints(row.config)
    equal(said ~= "", row.errorRequired, name .. ": " .. said)
    if row.errorRequired then ok(said:find("stand for more than 310000 values", 1, true), said) end
  end)
end)

test("what << may name", function()
  each_row("TestMergeKeyAliasTargets", function(row, name) equal(complaints(row.config), "", name) end)
end)

test("variables around an env file win over it, and are seen in it", function()
  each_row("TestEnvVariablePrecedence", function(row, name)
    local around = {}
    for _, pair in ipairs(type(row[3]) == "table" and row[3] or {}) do around[pair:match("^[^=]+")] = pair:match("=(.*)$") end
    local function read_file(path) return path:find("%.env$") and row[2] or nil, "no file", "ENOENT" end
    local read = environment.read({ { path = "/x/.env" } }, function(key) return around[key] end, read_file, tostring)
    local lookup = environment.lookup(function(key) return around[key] end, read.values)
    for key, want in pairs(row[4]) do equal(lookup(key), want, name) end
  end)
end)

test("what an extended service needs does not come along", function()
  each_row("TestExtendsWithServiceRef", function(row)
    local directory = conformance.directory .. "/compose-go/loader"
    local said = compose.complaints(row.yaml, { directory = directory, file = directory .. "/holos.yaml",
      read = function(path) return files.read(path) end })
    ok(said:find('services.bar.depends_on.zot: there is no service "zot"', 1, true), said)
  end)
end)

test("functions that a program registers", function()
  for _, row in ipairs(tables.TestRegisterDefaultValue.cases) do
    ELSEWHERE["TestRegisterDefaultValue/" .. row.name] = HOOK
  end
  each_row("TestRegisterDefaultValue", function() error "no row of this table applies" end)
end)

test("every row is held, or named with its reason", function()
  for name, suite in pairs(tables) do ok(suite.is_held, name) end
  local named = 0
  for _ in pairs(ELSEWHERE) do named = named + 1 end
  equal({ rows_held, named }, { 82, 11 })
end)
