-- Networks for people to look at: from the record, and before there is one.
local instance = require "holos.plan.instance"
local lease = require "holos.plan.lease"
local made = require "tests.support.project"
local networks = require "holos.plan.networks"
local record_schema = require "holos.plan.record_schema"
local tables = require "holos.core.table"

local function project()
  local function service(name, replicas, list) return made.service(name, { replicas = replicas, networks = list }) end
  return made.project({
    service("db", 1, { { network = "back", aliases = { "sql" }, address = "10.5.0.9" } }),
    service("web", 2, { { network = "front", aliases = {} }, { network = "back", aliases = {}, interface_name = "lan0" } }),
    service("alone", 1, {}), made.service("none", { network_mode = "none" }),
  }, { networks = { front = { key = "front", name = "shop_front", driver = "mcast" }, back = { key = "back", name = "cellar",
    driver = "mcast", internal = true, subnet = "10.5.0.0/24" }, default = { key = "default", name = "shop_default" },
    unused = { key = "unused", name = "shop_unused" } } })
end

local function planned()
  local described, facts = project(), made.facts()
  local wanted = assert(instance.specs(described, made.record(), facts))
  return networks.of_project(described, instance.list(described, made.record()), wanted.leases, facts), wanted
end

local function by_key(rows)
  local found = {}
  for _, row in ipairs(rows) do found[row.key] = row end
  return found
end

test("what the record holds is what would be leased", function()
  local before, wanted = planned()
  local record = made.recorded(wanted, lease)
  local after = networks.of_record(record)
  local known = by_key(before)
  equal(tables.map(after, function(row) return row.key end), { "back", "front" })
  for _, row in ipairs(after) do
    equal({ row.state, known[row.key].state }, { "leased", "planned" })
    known[row.key].state = "leased"
    equal(row, known[row.key])
  end
end)

test("names, addresses, aliases and what is special", function()
  local rows = by_key((planned()))
  local back = rows.back
  equal({ back.name, back.subnet, back.internal, back.driver }, { "cellar", "10.5.0.0/24", true, "mcast" })
  ok(back.group:find("^239%.19[2-5]%.") and back.port >= 5000)
  local first = back.members[1]
  equal({ first.instance, first.address, first.names }, { "db-0", "10.5.0.9", { "db-0", "db", "sql" } })
  equal({ back.members[3].instance, back.members[3].interface }, { "web-1", "lan0" })
  equal(#rows.front.members, 2)
  ok(rows.front.members[1].mac ~= back.members[2].mac)
  equal({ #rows.unused.members, rows.unused.group }, { 0, nil })
end)

test("records of before there were names are shown too, and those with names are sound", function()
  local _, wanted = planned()
  local record = made.recorded(wanted, lease)
  local whole = tables.merge({ schema = { major = 1, minor = 1 }, directory = "/d" }, record)
  equal(record_schema.complaint(record_schema.record, whole), nil)
  for _, kept in pairs(record.leases.networks) do kept.name, kept.internal = nil, nil end
  record.hosts = nil
  local rows = by_key(networks.of_record(record))
  equal({ rows.back.name, rows.back.internal, rows.back.members[1].names }, { "shop_back", false, { "db-0" } })
end)

test("what cannot be leased is shown as far as it is known", function()
  local described = project()
  local rows = by_key(networks.of_project(described, instance.list(described, made.record()), {}, made.facts()))
  equal({ rows.back.subnet, rows.back.group, #rows.back.members, rows.back.members[1].address }, { "10.5.0.0/24", nil, 3, nil })
end)

test("a network is found by its key and by its name", function()
  local rows = planned()
  for _, word in ipairs { "back", "cellar" } do equal(networks.named(rows, word)[1].key, "back") end
  equal(#networks.named(rows, "nothing"), 0)
end)
