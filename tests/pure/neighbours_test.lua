-- Ports of the host that other projects want too: who, and what is said of it.

local neighbours = require "holos.plan.neighbours"

local function instance(ports, leased) return { spec = { ports = ports }, leased = leased } end

local function tcp(host, guest, host_ip, host_to)
  return { protocol = "tcp", host_ip = host_ip or "127.0.0.1", host = host, guest = guest or 80, host_to = host_to }
end

local RECORDS = {
  shop = { instances = {
    ["web-0"] = instance({ tcp(8080), tcp(0, 443), tcp(9000, 90, "0.0.0.0", 9009) }, { ssh = 2222, ["tcp:443"] = 40000,
      ["tcp:90"] = 9003 }),
  } },
  mine = { instances = { ["web-0"] = instance { tcp(7000) }, ["old-0"] = instance { tcp(7001) } } },
}

test("who has a port: fixed, leased for any and out of a range, SSH; of our own only what left the file", function()
  local claims = neighbours.claims(RECORDS, "mine", { ["web-0"] = true })
  local function owner(port) return neighbours.owner(claims, port) end
  local shop = "web-0 of project shop"
  equal({ owner(tcp(8080)), owner(tcp(40000)), owner(tcp(9003)), owner(tcp(2222)) }, { shop, shop, shop, shop .. " (its SSH)" })
  equal({ owner(tcp(8080, 80, "0.0.0.0")), owner(tcp(9003, 80, "10.0.0.1")) }, { shop, shop })
  equal({ owner(tcp(8080, 80, "10.0.0.1")), owner(tcp(9000)), owner(tcp(7000)) }, {})
  equal(owner { protocol = "udp", host_ip = "127.0.0.1", host = 8080 }, nil)
  equal(owner(tcp(7001)), "old-0, which is no longer in the file")
end)

test("fixed ports that two want are said, those that can give way are not", function()
  local claims = neighbours.claims(RECORDS, "other", {})
  equal(neighbours.warnings(claims, { { name = "a-0", ports = { tcp(8080), tcp(0), tcp(9000, 90, nil, 9009), tcp(8081) } },
    { name = "a-1", ports = { tcp(7000) } } }), {
    "a-0: host port 127.0.0.1:8080/tcp is also that of web-0 of project shop: only one of them can run",
    "a-1: host port 127.0.0.1:7000/tcp is also that of web-0 of project mine: only one of them can run",
  })
end)
