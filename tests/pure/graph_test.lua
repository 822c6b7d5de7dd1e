-- Layers of drawings: who stands where.
local layers = require "holos.plan.graph.layers"
local made = require "tests.support.project"
local graph = require "holos.plan.graph"
local place = require "holos.plan.graph.place"
local svg = require "holos.plan.graph.svg"
local tables = require "holos.core.table"

-- A generator of its own: the same graphs in every run.
local function random_from(seed)
  local state = seed
  return function(most)
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
    return (state >> 33) % most + 1
  end
end

local function random_graph(seed)
  local random, nodes, edges = random_from(seed), {}, {}
  for i = 1, 10 + random(30) do
    nodes[i] = { id = "n" .. i, rank = random(6) }
    for _ = 1, random(3) - 1 do
      local other = nodes[random(i)]
      local upper, lower = nodes[i], other
      if upper.rank > lower.rank then upper, lower = lower, upper end
      if upper.rank < lower.rank then edges[#edges + 1] = { from = upper.id, to = lower.id } end
    end
  end
  return nodes, edges
end

local function no_pause() end

test("the longest way down gives the layer", function()
  local needs = { web = { "api", "db" }, api = { "db" }, db = {}, alone = {} }
  local heights, highest = layers.heights({ "alone", "db", "api", "web" }, function(name) return needs[name] end)
  equal({ heights, highest }, { { web = 3, api = 2, db = 1, alone = 1 }, 3 })
end)

test("two lines that cross are brought apart", function()
  local nodes = { { id = "a", rank = 1 }, { id = "b", rank = 1 }, { id = "x", rank = 2 }, { id = "y", rank = 2 } }
  local result = layers.arrange(nodes, { { from = "a", to = "y" }, { from = "b", to = "x" } }, no_pause)
  equal(layers.crossings(result), 0)
  equal(result[1][1].below[1], result[2][1])
end)

test("crossings are counted as by hand", function()
  local a, b, x, y = { position = 1 }, { position = 2 }, { position = 1, below = {} }, { position = 2, below = {} }
  a.below, b.below = { x, y }, { x, y }
  equal(layers.crossings { { a, b }, { x, y } }, 1)
  a.below, b.below = { y }, { x, x }
  equal(layers.crossings { { a, b }, { x, y } }, 2)
end)

test("every node is in its layer once, lines bend in each layer that they pass", function()
  for seed = 1, 200 do
    local nodes, edges = random_graph(seed)
    local result, seen, count = layers.arrange(nodes, edges, no_pause), {}, 0
    for rank, layer in ipairs(result) do
      for position, node in ipairs(layer) do
        equal({ node.rank, node.position }, { rank, position })
        if not node.is_bend then seen[node.id], count = rank, count + 1 end
      end
    end
    equal(count, #nodes)
    for _, node in ipairs(nodes) do equal(seen[node.id], node.rank) end
    for _, edge in ipairs(edges) do
      equal(#edge.path, seen[edge.to] - seen[edge.from] + 1)
      for i = 2, #edge.path - 1 do ok(edge.path[i].is_bend) end
    end
  end
end)

test("cards in a layer keep their order and their distance", function()
  for seed = 1, 200 do
    local random, nodes, edges = random_from(seed), random_graph(seed)
    local result = layers.arrange(nodes, edges, no_pause)
    for _, layer in ipairs(result) do
      for _, node in ipairs(layer) do node.width = 10 + random(100) end
    end
    local width = place.all(result, 20, no_pause)
    for _, layer in ipairs(result) do
      for i, node in ipairs(layer) do
        ok(node.x - node.width / 2 > -0.01 and node.x + node.width / 2 < width + 0.01, "outside of the drawing")
        local before = layer[i - 1]
        if before then ok(node.x - before.x > (node.width + before.width) / 2 + 20 - 0.01, "too near to its neighbour") end
      end
    end
  end
end)

test("a layer stands where its nodes want to be, if it can", function()
  local layer = { { width = 10 }, { width = 10 }, { width = 10 } }
  place.layer(layer, { 0, 100, 200 }, { 1, 1, 1 }, 5)
  equal({ layer[1].x, layer[2].x, layer[3].x }, { 0, 100, 200 })
  place.layer(layer, { 100, 100, 100 }, { 1, 1, 1 }, 5)
  equal({ layer[1].x, layer[2].x, layer[3].x }, { 85, 100, 115 })
end)

local function chain(count)
  local services = {}
  for i = 1, count do
    services[i] = made.service("s" .. i, { depends_on = tables.list {}, networks = {} })
    if i > 1 then services[i].depends_on[1] = { service = "s" .. i - 1, condition = "auto" } end
  end
  return graph.of(made.project(services, { networks = {} }))
end

test("nothing at all, one service, and a long chain can be drawn", function()
  for _, count in ipairs { 0, 1, 253 } do
    local lines = svg.lines(chain(count))
    equal(lines[#lines], "</svg>")
    local _, cards = table.concat(lines, "\n"):gsub('class="card"', "")
    equal(cards, count)
  end
end)

-- Each needs the `most` before it.
local function dense(count, most)
  local services = {}
  for i = 1, count do
    services[i] = made.service("s" .. i, { depends_on = tables.list {}, networks = {} })
    for j = math.max(1, i - most), i - 1 do
      table.insert(services[i].depends_on, { service = "s" .. j, condition = "auto" })
    end
  end
  return graph.of(made.project(services, { networks = {} }))
end

test("lines without number stay few bytes each, and others run meanwhile", function()
  for _, case in ipairs { { 30, 30 }, { 70, 70 }, { 100, 40 } } do
    local drawn, pauses, edges = dense(case[1], case[2]), 0, 0
    for _, service in ipairs(drawn.services) do edges = edges + #service.needs end
    local text = table.concat(svg.lines(drawn, function() pauses = pauses + 1 end), "\n")
    local _, arrows = text:gsub('class="arrow"', "")
    equal(arrows, edges)
    ok(pauses > edges, pauses)
    ok(#text < 4000 * case[1] + 60 * layers.MOST_STEPS + 600 * edges, ("%d bytes for %d lines"):format(#text, edges))
  end
end)

test("more lines than can be followed have no bends", function()
  local nodes, edges = {}, {}
  for i = 1, 60 do nodes[i] = { id = "n" .. i, rank = i } end
  local function arrange(distance)
    for i = 1, 60 do
      for j = i + 1, math.min(60, i + distance) do table.insert(edges, { from = "n" .. i, to = "n" .. j }) end
    end
    return layers.arrange(nodes, edges, no_pause)
  end
  equal(#arrange(3)[30], 4)
  equal(#arrange(59)[30], 1)
  for _, edge in ipairs(edges) do equal({ edge.path[1].id, edge.path[2].id, #edge.path }, { edge.from, edge.to, 2 }) end
end)

test("ports of replicas are told together", function()
  local service = made.service("web", { replicas = 3 })
  local function words(port)
    return graph.port(service, tables.merge({ host_ip = "127.0.0.1", guest = 80, protocol = "tcp" }, port))
  end
  equal(words { host = 8080 }, "127.0.0.1:8080-8082 → 80")
  equal(words { host = 0 }, "127.0.0.1:any → 80")
  equal(words { host = 8000, host_to = 8010, protocol = "udp" }, "127.0.0.1:8000-8010 → 80/udp")
end)
