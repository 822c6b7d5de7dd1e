-- The small grammars of a compose file: ports, mounts, images, conditions, tests, access rights, plain scalars.

local depends = require "holos.compose.depends"
local health = require "holos.compose.health"
local image = require "holos.compose.image"
local json = require "holos.core.json"
local permissions = require "holos.compose.permissions"
local ports = require "holos.compose.ports"
local scalar = require "holos.compose.scalar"
local volumes = require "holos.compose.volumes"

local function port(text)
  local parsed, message = ports.parse(text)
  if not parsed then return message end
  return ("%s %d %d %s"):format(parsed.host_ip, parsed.host, parsed.guest, parsed.protocol)
end

test("port mappings", function()
  local cases = {
    { 80, "127.0.0.1 0 80 tcp" }, { "80", "127.0.0.1 0 80 tcp" }, { "80/udp", "127.0.0.1 0 80 udp" },
    { "8080:80", "127.0.0.1 8080 80 tcp" }, { "8080:80/tcp", "127.0.0.1 8080 80 tcp" },
    { "0:80", "127.0.0.1 0 80 tcp" }, { "1:65535", "127.0.0.1 1 65535 tcp" }, { "65535:1", "127.0.0.1 65535 1 tcp" },
    { "0.0.0.0:53:53/udp", "0.0.0.0 53 53 udp" }, { "192.168.1.4::80", "192.168.1.4 0 80 tcp" },
    { "08080:080", "127.0.0.1 8080 80 tcp" },
  }
  for _, case in ipairs(cases) do equal(port(case[1]), case[2], tostring(case[1])) end
end)

test("no port mappings", function()
  local cases = {
    { "", 'the guest port "" is not a number' }, { ":80", 'the host port "" is not a number' },
    { "8080:", 'the guest port "" is not a number' }, { "a:80", 'the host port "a" is not a number' },
    { "0", "guest port 0 is below 1" }, { "65536", "guest port 65536 is above 65535" },
    { "99999:80", "host port 99999 is above 65535" }, { "-1:80", 'the host port "-1" is not a number' },
    { "80/", "127.0.0.1 0 80 tcp" }, { "80/TCP", 'protocol "TCP" is neither tcp nor udp' },
    { "80/tcp/udp", 'protocol "tcp/udp" is neither tcp nor udp' },
    { "8000-8010:80", "port ranges are not available yet" }, { "3000-3005", "port ranges are not available yet" },
    { "1.2.3:8080:80", '"1.2.3" is not an IPv4 address' },
    { "1.2.3.256:8080:80", '"1.2.3.256" is not an IPv4 address' },
    { "::1:6000:6000", "IPv6 host addresses are not available yet" },
    { "[::]:80:80", "IPv6 host addresses are not available yet" },
    { ":8080:80", '"" is not an IPv4 address' }, { " 8080:80", 'the host port " 8080" is not a number' },
    { "184467440737095516160:80", "host port 184467440737095516160 is above 65535" },
    { "0x50:80", 'the host port "0x50" is not a number' },
  }
  for _, case in ipairs(cases) do equal(port(case[1]), case[2], case[1]) end
end)

local function mount(text)
  local parsed, message = volumes.parse(text)
  if not parsed then return message end
  local source = parsed.kind == "bind" and parsed.source or parsed.volume
  return ("%s %s %s %s"):format(parsed.kind, source, parsed.target, parsed.read_only and "ro" or "rw")
end

test("mounts", function()
  local cases = {
    { "pgdata:/var/lib/postgresql", "volume pgdata /var/lib/postgresql rw" },
    { "./www:/srv/www:ro", "bind ./www /srv/www ro" }, { ".:/src:rw", "bind . /src rw" },
    { "../up:/x", "bind ../up /x rw" }, { ".hidden:/x", "bind .hidden /x rw" }, { "~:/home/me", "bind ~ /home/me rw" },
    { "~/x y,z=1:/a b", "bind ~/x y,z=1 /a b rw" }, { "/etc:/host/etc", "bind /etc /host/etc rw" },
    { "a.b-c_d:/x", "volume a.b-c_d /x rw" }, { "v://a//b/./c/../d/", "volume v /a/b/d rw" },
    { "v:/../../x", "volume v /x rw" },
  }
  for _, case in ipairs(cases) do equal(mount(case[1]), case[2], case[1]) end
end)

test("no mounts", function()
  local cases = {
    { "", "volumes without a name are not available yet" }, { "/data", "volumes without a name are not available yet" },
    { ":/data", "the source is empty" }, { "v:", 'the target "" is not an absolute path' },
    { "v:data", 'the target "data" is not an absolute path' }, { "v:/", 'the target "/" is the guest\'s root' },
    { "v:/a/..", 'the target "/" is the guest\'s root' }, { "v:/a:rx", 'unknown option "rx"; expected ro or rw' },
    { "v:/a:ro,z", 'the option "z" has no meaning for a VM' }, { "v:/a:", 'unknown option ""; expected ro or rw' },
    { "v:/a:ro:x", 'expected "SOURCE:TARGET[:ro]", got "v:/a:ro:x"' },
    { "a/b:/x", '"a/b" is neither a path nor the name of a volume' },
    { "-v:/x", '"-v" is neither a path nor the name of a volume' },
    { "~root:/x", '"~root": the home of another user' }, { "v:/a\nb", "the target has a control character" },
    { "./a\0b:/x", "the source has a control character" },
  }
  for _, case in ipairs(cases) do equal(mount(case[1]), case[2], case[1]) end
end)

test("images are paths by their look", function()
  for _, text in ipairs { "./a", "../a", "/a", "~/a", "a.qcow2", "images/a.raw", "A.QCOW2", "noble.img",
    "./postgres:16" } do
    equal(image.check(text), nil, text)
  end
  local refused = {
    { "postgres:16", "looks like a container image" }, { "nginx", "looks like a container image" },
    { "ghcr.io/a/b@sha256:00", "looks like a container image" }, { "debian", "images by name are not available yet" },
    { "ubuntu:noble", "images by name are not available yet" },
    { "https://x/y.qcow2", "images from the network are not available yet" },
    { "./x.vmdk", ".vmdk images are not read" }, { "./x.iso", "starting from an ISO is not available yet" },
    { "./x\ny.raw", "control character" },
  }
  for _, case in ipairs(refused) do
    ok((image.check(case[1]) or ""):find(case[2], 1, true), case[1] .. ": " .. tostring(image.check(case[1])))
  end
end)

test("conditions in Docker's words and in ours", function()
  equal(depends.parse_condition "service_healthy", "healthy")
  equal(depends.parse_condition "started", "started")
  equal(select(2, depends.parse_condition "service_completed_successfully"),
    '"service_completed_successfully" is not available yet')
  equal(select(2, depends.parse_condition "up"), 'unknown condition "up"')
end)

test("health tests in all their forms", function()
  equal(health.parse_test "exit 1", { "CMD-SHELL", "exit 1" })
  equal(health.parse_test { "pg_isready", "-U", "postgres" }, { "CMD", "pg_isready", "-U", "postgres" })
  equal(health.parse_test { "CMD", "true" }, { "CMD", "true" })
  equal(health.parse_test { "CMD-SHELL", "a && b" }, { "CMD-SHELL", "a && b" })
  equal(health.parse_test { "NONE" }, { "NONE" })
  for _, test_ in ipairs { {}, { "CMD" }, { "CMD-SHELL" }, { "CMD-SHELL", "a", "b" }, { "NONE", "a" } } do
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
