-- Grammars of what runs in a guest and of its names: command lines, limits, hosts, variables, clock, platform.

local address = require "holos.core.address"
local check = require "holos.core.schema.check"
local command = require "holos.compose.command"
local hosts = require "holos.compose.hosts"
local json = require "holos.core.json"
local machine = require "holos.compose.machine"
local process = require "holos.compose.schema.process"
local resolver = require "holos.compose.schema.resolver"
local rules = require "holos.compose.schema.rules"
local tables = require "holos.core.table"

local function run(rule, value)
  local at = check.new()
  local result = check.value(rule, value, at)
  return at.findings[1] and at.findings[1].message or result
end

test("command lines are split as a shell does it", function()
  local cases = {
    { "nginx -g 'daemon off;'", { "nginx", "-g", "daemon off;" } }, { "", {} }, { " \t\n ", {} },
    { [[a "b c" d\ e]], { "a", "b c", "d e" } }, { [["a\"b" "c\\d" "e\f" "\$x"]], { 'a"b', "c\\d", "e\\f", "$x" } },
    { [[a'b'"c"d]], { "abcd" } }, { [['' ""]], { "", "" } }, { "a | b > c $d # e", { "a", "|", "b", ">", "c", "$d", "#", "e" } },
    { "a\\\nb", { "ab" } }, { "é 'ü'", { "é", "ü" } }, { [['a\nb']], { "a\\nb" } },
  }
  for _, case in ipairs(cases) do equal(command.split(case[1]), case[2], case[1]) end
  equal({ command.split "a 'b" }, { nil, "the ' in column 3 of the text is never closed" })
  equal({ command.split [["a\"]] }, { nil, 'the " in column 1 of the text is never closed' })
  equal({ command.split "a\0b" }, { nil, "has a zero byte" })
end)

test("commands as text, as a list, and none", function()
  equal(run(process.command, "a 'b c'"), { "a", "b c" })
  equal(run(process.command, tables.list { "a", "" }), { "a", "" })
  equal(tables.is_list(run(process.command, "")), true)
  equal(run(process.command, tables.list { 1 }), "expected text, got 1")
  equal(run(process.command, 1), "expected text or a list, got 1")
end)

test("limits", function()
  equal(run(process.ulimits, { nofile = 1024, nproc = "2048", core = -1, memlock = { soft = 1, hard = -1 } }), {
    nofile = { soft = 1024, hard = 1024 }, nproc = { soft = 2048, hard = 2048 }, core = { soft = -1, hard = -1 },
    memlock = { soft = 1, hard = -1 },
  })
  equal(run(process.ulimits, { nofiles = 1 }), 'there is no limit "nofiles"')
  equal(run(process.ulimits, { nofile = { soft = 2, hard = 1 } }), "the soft limit is above the hard one")
  equal(run(process.ulimits, { nofile = { soft = -1, hard = 1 } }), "the soft limit is above the hard one")
  equal(run(process.ulimits, { nofile = { soft = 1 } }), '"hard" is missing')
  equal(run(process.ulimits, { nofile = -2 }), "-2 is below -1")
  equal(run(process.ulimits, { nofile = "many" }), 'expected a whole number, got "many"')
end)

test("kernel parameters", function()
  equal(run(process.sysctls, { ["net.core.somaxconn"] = 1024 }), { ["net.core.somaxconn"] = "1024" })
  equal(run(process.sysctls, tables.list { "net.core.somaxconn=1024", "a.b=c=d" }),
    { ["net.core.somaxconn"] = "1024", ["a.b"] = "c=d" })
  equal(run(process.sysctls, tables.list { "net.core.somaxconn" }), 'expected "NAME=VALUE", got "net.core.somaxconn"')
  equal(run(process.sysctls, { ["net/ipv4/conf/eth0.1/mtu"] = 1 }), { ["net/ipv4/conf/eth0.1/mtu"] = "1" })
  for _, name in ipairs { "net/../../../etc/motd", "net.//.x", "net..core", "net/", "net./core" } do
    local message = ('"%s" is no kernel parameter: a separator without a name behind it'):format(name)
    equal(run(process.sysctls, { [name] = "1" }), message)
    equal(run(process.sysctls, tables.list { name .. "=1" }), message)
  end
  equal(run(process.sysctls, { a = "x\nkernel.foo = 1" }), "has more than one line")
  equal(run(process.sysctls, tables.list { "a=x\nkernel.foo = 1" }), "has more than one line")
end)

test("variables: what has no value takes it from around", function()
  equal(run(rules.environment, { A = 1, B = true, C = json.null, D = "", E = 1.5, F = 123456789012345678, G = 0.1 }),
    { A = "1", B = "true", C = json.null, D = "", E = "1.5", F = "123456789012345678", G = "0.1" })
  equal(run(rules.environment, tables.list { "A=1=2", "B", "C=", "A=3" }), { A = "3", B = json.null, C = "" })
  equal(run(rules.environment, tables.list { "=x" }), "a variable without a name")
  equal(run(rules.environment, tables.list { "A B=x" }), '"A B" cannot be the name of a variable')
  equal(run(rules.environment, { ["A="] = 1 }), '"A=" cannot be the name of a variable')
  equal(run(rules.environment, { A = tables.list {} }), "expected text, got a list")
end)

test("users", function()
  for _, text in ipairs { "www-data", "1000:1000", "app:users", "_x", "svc$" } do equal(run(rules.user, text), text) end
  equal(run(rules.user, 1000), "1000")
  for _, text in ipairs { "a b", ":x", "a:", "a:b:c", "-x" } do
    equal(run(rules.user, text), ('expected USER or USER:GROUP, got "%s"'):format(text))
  end
end)

test("lines for /etc/hosts", function()
  equal(run(resolver.extra_hosts, tables.list { "a=1.2.3.4", "b:10.0.0.1", "c=[::1]", "c:fe80::1", "d=host-gateway" }), {
    { name = "a", address = "1.2.3.4" }, { name = "b", address = "10.0.0.1" }, { name = "c", address = "::1" },
    { name = "c", address = "fe80::1" }, { name = "d", address = "host-gateway" },
  })
  equal(run(resolver.extra_hosts, { b = "1.2.3.4", a = tables.list { "::1", "[::2]" } }), {
    { name = "a", address = "::1" }, { name = "a", address = "::2" }, { name = "b", address = "1.2.3.4" },
  })
  equal({ hosts.parse "a" }, { nil, 'expected NAME=ADDRESS, got "a"' })
  equal({ hosts.parse "a=b" }, { nil, '"b" is no address; expected an IP address or host-gateway' })
  equal({ hosts.parse "=1.2.3.4" }, { nil, '"" is no host name' })
  equal(run(resolver.addresses, "9.9.9.9"), { "9.9.9.9" })
  equal(run(resolver.addresses, tables.list { "9.9.9.9", "x" }), '"x" is not an IP address')
end)

test("addresses", function()
  for _, text in ipairs { "::", "::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1::8", "1:2:3:4:5:6:1.2.3.4" } do
    equal(address.is_ipv6(text), true, text)
  end
  for _, text in ipairs { "", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1.2.3.4",
    "1:2:3:4:5:6:7::8", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "::ffff:1.2.3.04" } do
    equal(address.is_ipv6(text), false, text)
  end
  equal(address.parse "10.0.0.255", 0x0a0000ff)
  for _, text in ipairs { "1.2.3", "1.2.3.4.5", "256.1.1.1", "a.b.c.d", "1.2.3.0004", "", "10.5.0.010", "01.2.3.4",
    "1.2.00.4" } do equal(address.parse(text), nil) end
  equal(address.network "10.5.0.0/24", { first = 0x0a050000, last = 0x0a0500ff, prefix = 24 })
  equal(select(2, address.network "10.5.0.1/24"), "10.5.0.1/24 is no network: its first address is 10.5.0.0")
  equal(address.network "10.5.0.0/33", nil)
  equal(address.mac "52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef")
  equal(select(2, address.mac "01:00:5e:00:00:01"), "01:00:5e:00:00:01 is for groups: its first byte is odd")
  equal(address.mac "52:54:00:12:34", nil)
  equal(address.mac "00:00:00:00:00:00", nil)
end)

test("clocks", function()
  for text, want in pairs { utc = "utc", localtime = "localtime", ["2026-01-31T12:00:00"] = "2026-01-31T12:00:00",
    ["2024-02-29"] = "2024-02-29T00:00:00", ["2026-01-31 12:00:01Z"] = "2026-01-31T12:00:01" } do
    equal(machine.parse_rtc(text), want)
  end
  for _, text in ipairs { "now", "2026-02-29", "2026-13-01", "2026-01-01T24:00:00", "2026-01-01T12:00", "" } do
    equal(machine.parse_rtc(text), nil, text)
  end
end)

test("platforms, firmware, restart and pull policies", function()
  equal(machine.parse_platform "linux/amd64", { os = "linux", architecture = "x86_64" })
  equal(machine.parse_platform "linux/arm64/v8", { os = "linux", architecture = "aarch64", variant = "v8" })
  equal(machine.parse_platform "aarch64", { os = "linux", architecture = "aarch64" })
  equal(select(2, machine.parse_platform "windows/amd64"), 'platform "windows/amd64": guests run Linux')
  equal(select(2, machine.parse_platform "linux/z80"), 'unknown architecture "z80"')
  for _, text in ipairs { "bios", "uefi", "./x.bin", "/a", "~/x", "OVMF.fd" } do equal(machine.parse_firmware(text), text) end
  equal(machine.parse_firmware "coreboot", nil)
  for _, value in ipairs { "no", "always", "unless-stopped", "on-failure", "on-failure:3" } do
    equal(machine.parse_restart(value), value)
  end
  equal(machine.parse_restart(false), "no")
  for _, value in ipairs { true, "on-failure:x", "sometimes" } do equal((machine.parse_restart(value)), nil) end
  for _, text in ipairs { "always", "missing", "every_1d12h", "weekly" } do equal(machine.parse_pull_policy(text), text) end
  equal((machine.parse_pull_policy "every_day"), nil)
  equal((machine.parse_pull_policy "every_"), nil)
end)

test("host names and domains", function()
  equal({ machine.split_hostname "web" }, { "web", "" })
  equal({ machine.split_hostname "Web.example.org" }, { "Web", "example.org" })
  for _, text in ipairs { "", "-a", "a-", "a..b", "a_b", ("x"):rep(64), ("a."):rep(130) .. "a" } do
    equal(machine.split_hostname(text), nil, text)
  end
end)
