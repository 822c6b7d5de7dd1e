-- The small grammars of a compose file: conditions, tests, access rights, plain scalars. Ports, mounts and what
-- runs in a guest have tests of their own.

local depends = require "holos.compose.depends"
local health = require "holos.compose.health"
local json = require "holos.core.json"
local permissions = require "holos.compose.permissions"
local scalar = require "holos.compose.scalar"

test("conditions in Docker's words and in ours", function()
  equal(depends.parse_condition "service_healthy", "healthy")
  equal(depends.parse_condition "started", "started")
  equal(depends.parse_condition "service_completed_successfully", "completed")
  for _, word in ipairs(depends.words) do ok(depends.parse_condition(word), word) end
  equal(select(2, depends.parse_condition "up"), 'unknown condition "up"')
end)

test("health tests in all their forms", function()
  equal(health.parse_test "exit 1", { "CMD-SHELL", "exit 1" })
  equal(health.parse_test { "pg_isready", "-U", "postgres" }, { "CMD", "pg_isready", "-U", "postgres" })
  equal(health.parse_test { "CMD", "true" }, { "CMD", "true" })
  equal(health.parse_test { "CMD-SHELL", "a && b" }, { "CMD-SHELL", "a && b" })
  equal(health.parse_test { "NONE" }, { "NONE" })
  equal(health.parse_test "tcp:5432", { "TCP", "5432" })
  equal(health.parse_test { "TCP", "5432" }, { "TCP", "5432" })
  equal(health.parse_test "http:80", { "HTTP", "80", "/" })
  equal(health.parse_test "http:8080/health?full=1", { "HTTP", "8080", "/health?full=1" })
  equal(health.parse_test "http://localhost/", { "CMD-SHELL", "http://localhost/" })
  equal({ health.port { "HTTP", "80", "/" }, health.port { "CMD", "80" } }, { 80 })
  for _, test_ in ipairs { {}, { "CMD" }, { "CMD-SHELL" }, { "CMD-SHELL", "a", "b" }, { "NONE", "a" }, { "TCP" },
    { "TCP", "0" }, { "TCP", "70000" }, { "TCP", "80", "/" }, { "HTTP", "80", "x" }, { "HTTP", "80", "/", "more" } } do
    equal(health.parse_test(test_), nil)
  end
end)

test("access rights", function()
  for _, case in ipairs { { "644", "0644" }, { "0644", "0644" }, { "0o600", "0600" }, { "1777", "1777" },
    { "01777", "1777" } } do
    equal(permissions.parse(case[1]), case[2])
  end
  for _, text in ipairs { "", "64", "888", "rwxr-xr-x", "00644x", "0x1ff", "644 " } do equal(permissions.parse(text),
    nil, text) end
end)

test("access rights as numbers", function()
  for _, case in ipairs { { "0440", 288 }, { 288, 288 }, { "440", 288 }, { "0o440", 288 }, { 0, 0 }, { 4095, 4095 },
    { "4755", 2541 } } do
    equal(permissions.mode(case[1]), case[2], tostring(case[1]))
  end
  equal({ permissions.mode(440) }, { nil, "440 without a zero in front is a decimal number, and 0670 in octal", "write 0440" })
  equal({ permissions.mode(4096) }, { nil, "4096 is no access rights", "write octal digits: 0440" })
  equal(permissions.mode(-1), nil)
  equal(permissions.mode "rwx", nil)
end)

test("plain scalars are of the YAML 1.2 core schema", function()
  local cases = {
    ["true"] = true, True = true, FALSE = false, yes = "yes", no = "no", on = "on", Off = "Off", y = "y",
    ["12"] = 12, ["-12"] = -12, ["+12"] = 12, ["0"] = 0, ["0x1F"] = 31, ["0o17"] = 15, ["0b1"] = "0b1",
    ["1_000"] = "1_000",
    ["1.5"] = 1.5, ["-.5"] = -0.5, ["1."] = 1.0, ["1e3"] = 1000.0, ["1E-2"] = 0.01, ["1e"] = "1e", ["."] = ".",
    ["-"] = "-",
    ["22:22"] = "22:22", ["1:30"] = "1:30", ["0644"] = "0644", ["-01"] = "-01", ["00"] = "00", ["0.5"] = 0.5,
    ["9223372036854775807"] = math.maxinteger, ["9223372036854775808"] = "9223372036854775808",
    ["-9223372036854775808"] = math.mininteger, ["0x7fffffffffffffff"] = math.maxinteger,
    ["0x8000000000000000"] = "0x8000000000000000", ["0x00000000000000001"] = 1,
    ["0o777777777777777777777"] = math.maxinteger,
    ["0o1000000000000000000000"] = "0o1000000000000000000000", ["1e309"] = "1e309", [".inf"] = ".inf",
    [".nan"] = ".nan",
    ["1.2.3"] = "1.2.3", ["2024-01-01"] = "2024-01-01", ["0x"] = "0x", ["0xg"] = "0xg", ["1 2"] = "1 2", ["+"] = "+",
    ["--1"] = "--1", nul = "nul", ["1e5x"] = "1e5x",
  }
  for text, want in pairs(cases) do
    local got = scalar.resolve(text)
    equal(got, want, text)
    equal(math.type(got), math.type(want), text)
  end
  for _, text in ipairs { "", "~", "null", "Null", "NULL" } do equal(scalar.resolve(text), json.null) end
end)

test("tags force a type, or are refused", function()
  local core = "tag:yaml.org,2002:"
  equal(scalar.tagged("12", core .. "str"), "12")
  equal(scalar.tagged("12", "!"), "12")
  equal(scalar.tagged("12", core .. "int"), 12)
  equal(math.type(scalar.tagged("12", core .. "float")), "float")
  equal(scalar.tagged("true", core .. "bool"), true)
  equal(scalar.tagged("", core .. "null"), json.null)
  equal({ scalar.tagged("x", core .. "int") }, { nil, '"x" is no int' })
  equal(select(2, scalar.tagged("x", core .. "python/name:os.system")),
    "the tag !!python/name:os.system has no meaning here")
  equal(select(2, scalar.tagged("x", "!mine")), "the tag !mine has no meaning here")
end)

test("a path in short form is held against the same rules as in a mapping", function()
  local compose = require "tests.support.compose"
  if not compose.has_yaml then skip "this Lua has no sys.yaml" end
  for _, form in ipairs { 'cdrom: ["a\\nb.iso"]', 'cdrom: {path: "a\\nb.iso"}', 'env_file: "a\\tb"',
    'env_file: [{path: "a\\tb"}]' } do
    local told = compose.complaints("services: {a: {image: ./a.qcow2, " .. form .. "}}")
    ok(told:find("the path has a control character", 1, true), form .. ": " .. told)
  end
  ok(compose.complaints 'services: {a: {image: ./a.qcow2, cdrom: [""]}}':find("is empty", 1, true))
end)
