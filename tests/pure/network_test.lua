-- Several networks: subnets, addresses, cards, and who knows whose name.
local address = require "holos.core.address"
local hosts = require "holos.plan.hosts"
local instance = require "holos.plan.instance"
local lease = require "holos.plan.lease"
local made = require "tests.support.project"
local record_schema = require "holos.plan.record_schema"
local restore = require "holos.plan.restore"
local tables = require "holos.core.table"

local function specs_by_name(result)
  local specs = {}
  for _, spec in ipairs(result.specs) do specs[spec.name] = spec end
  return specs
end

local function plan(project, record, facts)
  local result, findings = instance.specs(project, record or made.record(), facts or made.facts())
  return result, made.messages(findings)
end

-- Lines of a guest's /etc/hosts.
local function hosts_of(result, name)
  local spec = specs_by_name(result)[name]
  return tables.map(hosts.seen_by(spec.nics, result.hosts), hosts.line)
end

local function member(network, changes)
  local membership = { network = network, aliases = {} }
  for key, value in pairs(changes or {}) do membership[key] = value end
  return membership
end

local NETWORKS = { front = { key = "front" }, back = { key = "back", internal = true, subnet = "10.5.0.0/28" } }

local function shop(changes)
  return made.project({
    made.service("db", { networks = { member("back", { aliases = { "postgres" }, address = "10.5.0.9" }) } }),
    made.service("api", { replicas = 2, networks = { member("front", { aliases = { "backend" } }), member("back") } }),
    made.service("web", { networks = { member("front") }, mac = "52:54:00:aa:bb:cc" }),
  }, { networks = changes or NETWORKS })
end

test("addresses are read strictly, networks begin where they begin", function()
  equal(address.format(address.parse "10.0.2.15"), "10.0.2.15")
  for _, text in ipairs { "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "a.b.c.d", "1.2.3.0x4" } do
    equal(address.parse(text), nil, text)
  end
  local network = address.network "10.5.0.0/28"
  equal({ network.last - network.first, network.prefix }, { 15, 28 })
  for _, text in ipairs { "10.5.0.0", "10.5.0.0/33", "10.5.0.1/24", "x/8", "10.5.0.0/", "1.2.3/24" } do
    local none, message = address.network(text)
    equal(none, nil, text)
    ok(message:find(text, 1, true), message)
  end
end)

test("each network has a subnet and a group of its own; members get cards in order of priority", function()
  local result = assert(plan(shop()))
  local specs = specs_by_name(result)
  equal({ result.leases.back.subnet, result.leases.front.subnet }, { "10.5.0.0/28", "10.10.0.0/24" })
  ok(result.leases.back.group .. result.leases.back.port ~= result.leases.front.group .. result.leases.front.port)
  local api = specs["api-0"].nics
  equal({ #api, api[1].kind, api[2].network, api[3].network }, { 3, "user", "front", "back" })
  equal({ api[2].address, api[2].prefix, api[3].address, api[3].prefix }, { "10.10.0.2", 24, "10.5.0.2", 28 })
  equal(specs["db-0"].nics[2].address, "10.5.0.9")
  equal(specs["web-0"].nics[2].mac, "52:54:00:aa:bb:cc")
  equal(specs["web-0"].nics[1].restrict, nil)
  equal(specs["db-0"].nics[1].restrict, true)
  equal(specs["api-0"].nics[1].restrict, nil)
end)

test("a guest knows the names of those it shares a network with, at the address of the first such network", function()
  local result = assert(plan(shop()))
  equal(hosts_of(result, "db-0"), { "10.5.0.9 db-0 db postgres", "10.5.0.2 api-0 api", "10.5.0.3 api-1 api" })
  equal(hosts_of(result, "web-0"), { "10.10.0.2 api-0 api backend", "10.10.0.3 api-1 api backend", "10.10.0.4 web-0 web" })
  equal(hosts_of(result, "api-0"), { "10.5.0.9 db-0 db postgres", "10.10.0.2 api-0 api backend",
    "10.10.0.3 api-1 api backend", "10.10.0.4 web-0 web" })
end)

test("an alias belongs to its network: it is known at the address there", function()
  local project = made.project({
    made.service("a", { networks = { member("front", { aliases = { "one" } }), member("back", { aliases = { "two" } }) } }),
    made.service("b", { networks = { member("front"), member("back") } }),
    made.service("c", { networks = { member("back") } }),
  }, { networks = NETWORKS })
  local result = assert(plan(project))
  equal(hosts_of(result, "b-0"), { "10.10.0.2 a-0 a one", "10.5.0.2 two", "10.10.0.3 b-0 b", "10.5.0.4 c-0 c" })
  equal(hosts_of(result, "c-0"), { "10.5.0.2 a-0 a two", "10.5.0.3 b-0 b", "10.5.0.4 c-0 c" })
end)

test("a project without networks is leased as it always was, and its old record goes on", function()
  local project = made.project { made.service "db", made.service("web", { replicas = 2 }) }
  local result = assert(plan(project))
  local record = made.recorded(result, lease)
  equal(record.leases.networks, nil)
  equal(record.leases.network.subnet, "10.10.0.0/24")
  equal(record.leases.addresses, { ["db-0"] = "10.10.0.2", ["web-0"] = "10.10.0.3", ["web-1"] = "10.10.0.4" })
  record.leases.network = { subnet = "10.77.0.0/24", group = "239.192.0.1", port = 5001 }
  record.leases.addresses = { ["web-1"] = "10.77.0.2", gone = "10.77.0.3" }
  local again = assert(plan(project, record))
  equal(again.leases.default.addresses, { ["web-1"] = "10.77.0.2", gone = "10.77.0.3", ["db-0"] = "10.77.0.4",
    ["web-0"] = "10.77.0.5" })
  equal({ again.specs[1].nics[2].group, again.specs[1].nics[2].port }, { "239.192.0.1", 5001 })
end)

test("a network more leaves the cards and addresses of the others alone", function()
  local one = made.project({ made.service("a", { networks = { member("default") } }) },
    { networks = { default = { key = "default" } } })
  local plain = assert(plan(made.project { made.service "a" }))
  equal(assert(plan(one)).specs, plain.specs)
  local record = made.recorded(plain, lease)
  local two = made.project({ made.service("a", { networks = { member("aaa", { priority = 9 }), member("default") } }) },
    { networks = { default = { key = "default" }, aaa = { key = "aaa" } } })
  local result = assert(plan(two, record))
  equal(result.specs[1].nics[3], plain.specs[1].nics[2])
  equal(result.leases.aaa.subnet, "10.11.0.0/24")
  lease.remember(record, result.leases)
  equal(record.leases.networks.aaa.addresses, { ["a-0"] = "10.11.0.2" })
  local third = assert(plan(two, record))
  equal(third.specs, result.specs)
end)

test("subnets avoid each other, recorded ones and the host's routes", function()
  local networks = { a = { key = "a" }, b = { key = "b", subnet = "10.10.0.0/16" }, c = { key = "c" } }
  local project = made.project({ made.service("x", { networks = { member "a", member "b", member "c" } }) },
    { networks = networks })
  local result = assert(plan(project, nil, made.facts { routes = { { destination = "10.12.0.0", prefix = 16,
    interface = "vpn0" } } }))
  equal({ result.leases.a.subnet, result.leases.b.subnet, result.leases.c.subnet },
    { "10.11.0.0/24", "10.10.0.0/16", "10.13.0.0/24" })
  ok(result.warnings[#result.warnings]:find("vpn0", 1, true))
end)

test("a subnet of one's own that the host has a route to is said, one that overlaps another network is refused", function()
  local project = made.project({ made.service("x", { networks = { member "a" } }) },
    { networks = { a = { key = "a", subnet = "192.168.7.0/24" } } })
  local result = assert(plan(project, nil, made.facts { routes = { { destination = "192.168.0.0", prefix = 16,
    interface = "eth0" } } }))
  ok(result.warnings[#result.warnings]:find("192.168.7.0/24 overlaps the host's route 192.168.0.0/16", 1, true))
  project.networks.b = { key = "b", subnet = "192.168.7.128/25" }
  project.services.x.networks[2] = member "b"
  local _, message = plan(project)
  equal(message, "networks a and b overlap: 192.168.7.0/24, 192.168.7.128/25")
  project.networks = { a = { key = "a", subnet = "10.0.0.0/8" } }
  project.services.x.networks[2] = nil
  _, message = plan(project)
  ok(message:find("10.0.2.0/24", 1, true), message)
end)

test("static addresses lie in the subnet and belong to one; who had it before moves", function()
  local project = made.project({ made.service("a", { networks = { member("n") } }),
    made.service("b", { networks = { member("n") } }) }, { networks = { n = { key = "n", subnet = "10.5.0.0/24" } } })
  local record = made.recorded(assert(plan(project)), lease)
  project.services.b.networks[1].address = "10.5.0.2"
  equal(assert(plan(project, record)).leases.n.addresses, { ["a-0"] = "10.5.0.3", ["b-0"] = "10.5.0.2" })
  project.services.a.networks[1].address = "10.5.0.2"
  local _, message = plan(project, record)
  equal(message, "a-0 and b-0 both have the address 10.5.0.2 in network n")
  for _, wrong in ipairs { "10.5.1.2", "10.5.0.0", "10.5.0.255", "10.5.0.300" } do
    project.services.a.networks[1].address = wrong
    _, message = plan(project, record)
    ok(message:find(wrong .. " is not one of a host in 10.5.0.0/24", 1, true), message)
  end
end)

test("another subnet moves everybody, an unchanged file nobody; a full one is refused with its size", function()
  local project = shop()
  local record = made.recorded(assert(plan(project)), lease)
  equal(assert(plan(project, record)).leases.back, assert(plan(project)).leases.back)
  project.networks.back.subnet = "10.6.0.0/24"
  project.services.db.networks[1].address = nil
  local moved = assert(plan(project, record)).leases.back
  equal(moved.addresses["db-0"], "10.6.0.2")
  equal(moved.group, record.leases.networks.back.group)
  project.networks.back.subnet = "10.6.0.0/30"
  local _, message = plan(project)
  equal(message, "api-0: no address is free in 10.6.0.0/30 (1 instances fit)")
end)

test("reserved addresses are given to nobody", function()
  local project = made.project({ made.service("a", { networks = { member("n") } }) },
    { networks = { n = { key = "n", aux = { router = "10.10.0.2", other = "10.10.0.3" } } } })
  equal(assert(plan(project)).specs[1].nics[2].address, "10.10.0.4")
end)

test("without a network there is no card", function()
  local project = made.project { made.service("a", { network_mode = "none", networks = {} }) }
  equal(#assert(plan(project)).specs[1].nics, 0)
  equal(assert(plan(project)).leases, {})
end)

test("networks of others and other drivers are refused by name", function()
  local project = shop { front = { key = "front", external = true }, back = { key = "back", driver = "bridge" } }
  local _, message = plan(project)
  ok(message:find("network front: networks of others", 1, true) and message:find("the driver bridge", 1, true), message)
end)

test("two cards never have one MAC address", function()
  local project = shop()
  project.services.db.mac = "52:54:00:AA:BB:CC"
  local _, message = plan(project)
  equal(message, "db-0 and web-0 both have a card with the MAC address 52:54:00:aa:bb:cc")
end)

test("leases of removed instances are given up", function()
  local record = made.recorded(assert(plan(shop())), lease)
  lease.forget(record, "api-0")
  equal(record.leases.networks.back.addresses["api-0"], nil)
  equal(record.leases.networks.front.addresses["api-0"], nil)
  ok(record.leases.networks.back.addresses["api-1"])
end)

test("what comes back from the trash keeps its addresses in all networks, or gets free ones", function()
  local old = made.recorded(assert(plan(shop())), lease)
  local function restored(living)
    return restore.merge { living = living, old = tables.copy(old), others = {}, sha256 = made.sha256, volumes = {},
      instances = { "api-0", "db-0" } }
  end
  local alone = restored(nil)
  equal(alone.notices, {})
  equal(alone.record.instances["api-0"].spec, old.instances["api-0"].spec)
  equal(alone.record.leases.networks.back.addresses, { ["api-0"] = "10.5.0.2", ["db-0"] = "10.5.0.9" })
  local living = made.recorded(assert(plan(made.project({ made.service("new", { networks = { member("back") } }) },
    { networks = NETWORKS }))), lease)
  local beside = restored(living)
  equal(beside.notices, { "api-0: its address 10.5.0.2 is not free by now; it gets 10.5.0.3" })
  local api = beside.record.instances["api-0"].spec
  equal({ api.nics[2].address, api.nics[3].address }, { "10.10.0.2", "10.5.0.3" })
  local lines = tables.map(hosts.seen_by(beside.record.instances["db-0"].spec.nics, beside.record.hosts), hosts.line)
  equal(lines, { "10.5.0.2 new-0 new", "10.5.0.3 api-0 api", "10.5.0.9 db-0 db postgres" })
end)

test("a network is given up with the last card in it", function()
  local record = made.recorded(assert(plan(shop())), lease)
  record.instances["old-0"] = { spec = { service = "old", index = 0, nics = { { kind = "mcast", network = "gone" } } } }
  record.leases.networks.gone = { subnet = "10.99.0.0/24", group = "239.192.9.9", port = 5009,
    addresses = { ["old-0"] = "10.99.0.2" } }
  local back = assert(plan(shop(), record)).leases
  lease.remember(record, back)
  equal(record.leases.networks.gone.addresses, { ["old-0"] = "10.99.0.2" })
  record.instances["old-0"] = nil
  lease.remember(record, back)
  equal(record.leases.networks.gone, nil)
end)

test("groups are not shared with networks of other projects", function()
  local mine = assert(plan(shop()))
  local other = made.recorded(mine, lease)
  local again = assert(plan(shop(), nil, made.facts { records = { other = other } }))
  for key, mine_too in pairs(again.leases) do
    ok(mine_too.group ~= mine.leases[key].group or mine_too.port ~= mine.leases[key].port, key)
  end
end)

-- -- names ------------------------------------------------------------------------------------------------------------

test("container_name names a new instance; one that is recorded keeps its name and its disk", function()
  local project = made.project { made.service("db", { container_name = "my-db" }), made.service "web" }
  local result = assert(plan(project))
  equal(specs_by_name(result)["my-db"].hostname, "my-db")
  equal(hosts_of(result, "web-0")[1], "10.10.0.2 my-db db-0 db")
  local record = made.recorded(assert(plan(made.project { made.service "db", made.service "web" })), lease)
  ok(specs_by_name(assert(plan(project, record)))["db-0"])
  project.services.web.container_name = "my-db"
  local _, message = plan(project)
  equal(message, "db and web are both called my-db")
end)

test("a name never takes over the disk of another service's instance; a name that cannot change is told", function()
  local record = made.recorded(assert(plan(made.project { made.service "db" })), lease)
  local _, message = plan(made.project { made.service("mail", { container_name = "db-0" }) }, record)
  equal(message, "db-0 is an instance of service db, with its disk; it cannot become one of mail")
  local result = assert(plan(made.project { made.service("db", { container_name = "other" }) }, record))
  equal({ result.specs[1].name, result.warnings[1] }, { "db-0",
    "db-0 keeps its name; to have it made anew as other: holos down db-0, then up" })
end)

test("names that the language lets networks and cards have can be read back from a record", function()
  local project = made.project({ made.service("a", { networks = { member("front.end_1-x", { interface_name = "eth0.1" }) } }) },
    { networks = { ["front.end_1-x"] = { key = "front.end_1-x" } } })
  local record = tables.merge(made.recorded(assert(plan(project)), lease), { schema = { major = 1, minor = 1 }, directory = "/" })
  equal(record_schema.complaint(record_schema.record, record), nil)
  equal(record_schema.complaint(record_schema.launchable, record.instances["a-0"].spec), nil)
end)

test("host names of replicas are numbered", function()
  local project = made.project { made.service("a", { hostname = "one" }), made.service("b", { hostname = "n", replicas = 2 }) }
  local specs = specs_by_name(assert(plan(project)))
  equal({ specs["a-0"].hostname, specs["b-0"].hostname, specs["b-1"].hostname }, { "one", "n-0", "n-1" })
end)

test("a disabled service has no instances and no addresses", function()
  local result = assert(plan(made.project { made.service("a", { is_enabled = false }), made.service "b" }))
  equal({ #result.specs, result.specs[1].name, result.specs[1].nics[2].address }, { 1, "b-0", "10.10.0.2" })
end)
