--- plan/restore: what comes back from the trash beside what was leased since.

local hosts = require "holos.plan.hosts"
local restore = require "holos.plan.restore"
local tables = require "holos.core.table"

local function sha256(text) -- not a hash to trust, but one that differs with its text
  local state = 7
  for i = 1, #text do state = (state * 31 + text:byte(i)) & 0xffffffffffff end
  return ("%012x"):format(state):rep(5)
end

local NETWORK = { subnet = "10.10.0.0/24", group = "239.192.0.1", port = 5000 }

local function entry(name, address, more)
  local made = { desired = "running", leased = { ssh = 40000 }, spec = { name = name, service = name:match("^(.*)%-"),
    ports = tables.list {}, nics = tables.list { { kind = "user" }, { kind = "mcast", address = address,
      group = NETWORK.group, port = NETWORK.port } } } }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local function record(name, instances, network)
  local made = { name = name, volumes = {}, instances = instances, hosts = tables.list {},
    leases = { network = tables.copy(network or NETWORK), uid = 1900000001, addresses = {} } }
  for instance, one in tables.sorted_pairs(instances) do
    made.leases.addresses[instance] = one.spec.nics[2].address
    table.insert(made.hosts, hosts.of_instance({ name = instance, service = one.spec.service }, one.spec.nics[2].address))
  end
  return made
end

local function merge(living, old, others, batch)
  return restore.merge { living = living, old = old, others = others or {}, sha256 = sha256, volumes = {},
    instances = batch or tables.keys(old.instances) }
end

test("restore: a volume that the record of its batch does not know holds what is not ours", function()
  local old = record("shop", { ["web-0"] = entry("web-0", "10.10.0.2") })
  old.volumes.made = { size_bytes = 512, made = true, desired = "removed" }
  local result = restore.merge { living = nil, old = old, others = {}, sha256 = sha256, volumes = { "made", "other" },
    instances = { "web-0" } }
  equal(result.record.volumes, { made = { size_bytes = 512, made = true }, other = { is_copied = true } })
end)

test("restore: nothing that is still free changes", function()
  local old = record("shop", { ["web-0"] = entry("web-0", "10.10.0.2"), ["db-0"] = entry("db-0", "10.10.0.3") })
  local result = merge(nil, old, { other = record("other", { ["x-0"] = entry("x-0", "10.10.0.2", { leased = { ssh = 40009 } }) },
    { subnet = "10.10.0.0/24", group = "239.192.0.9", port = 5000 }) }, { "web-0" })
  equal(result.notices, {})
  equal(result.refusals, {})
  equal(result.record.instances["db-0"], nil)
  equal(result.record.leases.addresses, { ["web-0"] = "10.10.0.2" })
  equal(result.record.leases.network, NETWORK)
  local web = result.record.instances["web-0"]
  equal({ web.desired, web.leased.ssh, web.spec.nics[2].address }, { "stopped", 40000, "10.10.0.2" })
end)

test("restore: an address that a new instance got is leased anew, in the guest's NIC and everybody's hosts", function()
  local living = record("shop", { ["api-0"] = entry("api-0", "10.10.0.2", { leased = {} }) })
  local result = merge(living, record("shop", { ["web-0"] = entry("web-0", "10.10.0.2") }))
  equal(result.record.leases.addresses, { ["api-0"] = "10.10.0.2", ["web-0"] = "10.10.0.3" })
  equal(result.notices, { "web-0: its address 10.10.0.2 is not free by now; it gets 10.10.0.3" })
  local web = result.record.instances["web-0"].spec
  equal(web.nics[2].address, "10.10.0.3")
  equal(tables.map(result.record.hosts, hosts.line), { "10.10.0.2 api-0 api", "10.10.0.3 web-0 web" })
end)

test("restore: into a project that has got another network since, it gets that one", function()
  local network = { subnet = "10.11.0.0/24", group = "239.193.0.1", port = 6000 }
  local living = record("shop", { ["api-0"] = entry("api-0", "10.11.0.2", { leased = {} }) }, network)
  local result = merge(living, record("shop", { ["web-0"] = entry("web-0", "10.10.0.2") }))
  local nic = result.record.instances["web-0"].spec.nics[2]
  equal({ nic.address, nic.group, nic.port }, { "10.11.0.3", "239.193.0.1", 6000 })
  equal(result.record.leases.network, network)
end)

test("restore: a network that is in use by now becomes a free one, also for the length of its prefix; that is said", function()
  local old = record("shop", { ["web-0"] = entry("web-0", "10.20.0.2") }, { subnet = "10.20.0.0/16", group = "239.192.0.1",
    port = 5000 })
  old.leases.networks = { back = old.leases.network }
  old.leases.networks.back.addresses, old.leases.network, old.leases.addresses = old.leases.addresses, nil, {}
  local nic = old.instances["web-0"].spec.nics[2]
  nic.network, nic.prefix, old.hosts[1].network = "back", 16, "back"
  local living = record("shop", { ["api-0"] = entry("api-0", "10.20.5.2", { leased = {} }) }, { subnet = "10.20.5.0/24",
    group = "239.193.0.1", port = 6000 })
  local result = restore.merge { living = living, old = old, others = {}, sha256 = sha256, volumes = {}, instances = { "web-0" },
    routes = { { destination = "10.10.0.0", prefix = 24, interface = "eth0" } } }
  local web = result.record.instances["web-0"].spec.nics[2]
  equal({ web.address, web.prefix }, { "10.11.0.2", 24 })
  equal(result.notices[1], "its network 10.20.0.0/16 is in use by now; it gets 10.11.0.0/24")
end)

test("restore: a multicast group, a uid and picked ports that others have by now are leased anew", function()
  local others = { other = record("other", { ["x-0"] = entry("x-0", "10.10.0.2", { desired = "stopped" }) }) }
  local result = merge(nil, record("shop", { ["web-0"] = entry("web-0", "10.10.0.2") }), others)
  local leases, web = result.record.leases, result.record.instances["web-0"]
  ok(leases.network.group ~= NETWORK.group or leases.network.port ~= NETWORK.port)
  equal({ web.spec.nics[2].group, web.spec.nics[2].port }, { leases.network.group, leases.network.port })
  ok(leases.uid ~= 1900000001)
  equal(web.leased.ssh, nil)
  equal(#result.notices, 2)
  ok(result.notices[1]:find("its multicast group is other's by now", 1, true), result.notices[1])
  equal(result.notices[2], "web-0: host port 40000 is other/x-0's by now; it gets another when it starts")
end)

local function publishing(name, port, desired, ip)
  local made = entry(name, "10.10.0.2", { leased = {}, desired = desired })
  made.spec.ports = tables.list { { protocol = "tcp", host_ip = ip or "127.0.0.1", host = port, guest = 80 } }
  return made
end

test("restore: a fixed port that runs elsewhere by now is a refusal, one that only could run is none", function()
  local old = record("shop", { ["web-0"] = publishing("web-0", 8080) })
  local function refusals(desired, ip, port)
    local other = record("other", { ["x-0"] = publishing("x-0", port or 8080, desired, ip) },
      { subnet = "10.10.0.0/24", group = "239.192.0.9", port = 5000 })
    return merge(nil, old, { other = other }).refusals
  end
  equal(refusals("running"), { { owner = "other/x-0",
    message = "web-0 publishes 127.0.0.1:8080/tcp, which other/x-0 has by now" } })
  equal(#refusals("running", "0.0.0.0"), 1)
  equal(refusals("running", "127.0.0.2"), {})
  equal(refusals("running", nil, 8081), {})
  equal(refusals("stopped"), {})
end)

test("restore: what a restore that was cut off has done stays as it is", function()
  local old = record("shop", { ["web-0"] = entry("web-0", "10.10.0.2"),
    ["web-1"] = entry("web-1", "10.10.0.3", { leased = { ssh = 40001 } }) })
  local living = record("shop", { ["api-0"] = entry("api-0", "10.10.0.2", { leased = {} }) })
  local first = merge(living, old)
  local addresses = tables.copy(first.record.leases.addresses)
  local second = merge(first.record, old, {}, { "web-1" })
  equal(second.record.leases.addresses, addresses)
  equal(second.notices, {})
end)

test("restore: an instance that the batch's record does not name is refused, and nothing of the living record changes", function()
  local living = record("shop", { ["api-0"] = entry("api-0", "10.10.0.2") })
  local before = tables.copy(living)
  local result = merge(living, record("shop", { ["web-0"] = entry("web-0", "10.10.0.3") }), {}, { "web-0", "stray-0" })
  equal(#result.refusals, 1)
  ok(result.refusals[1].message:find("instances/stray-0 of this batch is not in its record.json", 1, true))
  equal({ result.record, living }, { nil, before })
end)

test("restore: a leased port that two others have by now is told once", function()
  local function other(name, address) return record(name, { ["x-0"] = entry("x-0", address) }) end
  local result = merge(nil, record("shop", { ["web-0"] = entry("web-0", "10.10.0.2") }),
    { one = other("one", "10.10.0.2"), two = other("two", "10.10.0.2") })
  local told = tables.filter(result.notices, function(notice) return notice:find("host port 40000", 1, true) end)
  equal(told, { "web-0: host port 40000 is one/x-0's by now; it gets another when it starts" })
  equal(result.record.instances["web-0"].leased, {})
end)
