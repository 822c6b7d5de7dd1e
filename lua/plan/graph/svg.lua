--- The graph as a drawing (SVG): services in layers above what they need, volumes below who mounts them. Pure.
local card_ = require "holos.plan.graph.svg.card"
local edge_ = require "holos.plan.graph.svg.edge"
local layers_ = require "holos.plan.graph.layers"
local paper_ = require "holos.plan.graph.svg.paper"
local place = require "holos.plan.graph.place"
local table_ = require "holos.core.table"

local M = {}

local MARGIN, TITLE_HEIGHT, GAP, LAYER_GAP, BEND_WIDTH = 24, 40, 36, 84, 12
local LEGEND_LINE, LEGEND_FONT = 20, 12
-- What nothing leads to stands in rows below, as wide as the rest but at least so wide.
local LEAST_ROW_WIDTH = 760

--- Of networks, in their order; again from the first when there are more.
M.COLOURS = { "#3b78c9", "#c4652f", "#34895a", "#8f55b8", "#b83d63", "#2a8b91", "#92771f", "#66717d" }

local function colours_of(graph)
  local colours = {}
  for position, network in ipairs(graph.networks) do
    colours[network.key] = M.COLOURS[(position - 1) % #M.COLOURS + 1]
  end
  return colours
end

local function shares_by_service(graph)
  local shares = {}
  for _, share in ipairs(graph.shares) do
    for _, use in ipairs(share.users) do
      shares[use.service] = shares[use.service] or {}
      table.insert(shares[use.service], ("%s at %s%s"):format(share.source, use.target, use.read_only and ", read-only" or ""))
    end
  end
  return shares
end

local function cards_of(graph)
  local cards, colours, shares = {}, colours_of(graph), shares_by_service(graph)
  for _, service in ipairs(graph.services) do
    cards["service " .. service.name] = card_.service(service, shares[service.name] or {}, colours)
  end
  for _, volume in ipairs(graph.volumes) do cards["volume " .. volume.key] = card_.volume(volume) end
  return cards
end

local function edges_of(graph)
  local edges = {}
  for _, service in ipairs(graph.services) do
    for _, need in ipairs(service.needs) do
      edges[#edges + 1] = { from = "service " .. service.name, to = "service " .. need.service, has_arrow = true,
        label = need.is_optional and need.condition .. ", optional" or need.condition,
        class = need.is_optional and "need optional" or "need" }
    end
  end
  for _, volume in ipairs(graph.volumes) do
    for _, use in ipairs(volume.users) do
      edges[#edges + 1] = { from = "service " .. use.service, to = "volume " .. volume.key, label = use.target,
        class = use.read_only and "use reads" or "use" }
    end
  end
  return edges
end

-- Services in start order: those that need most on top, those that nobody needs and that need nothing too.
local function service_ranks(graph)
  local order, needs, is_needed, ranks = {}, {}, {}, {}
  for position, service in ipairs(graph.services) do
    order[position] = service.name
    needs[service.name] = table_.map(service.needs, function(need)
      is_needed[need.service] = true
      return need.service
    end)
  end
  local heights, highest = layers_.heights(order, function(name) return needs[name] end)
  for _, name in ipairs(order) do
    ranks["service " .. name] = heights[name] == 1 and not is_needed[name] and 1 or highest - heights[name] + 1
  end
  return ranks
end

-- Nodes that lines lead to or from, with their ranks; and the others.
local function nodes_of(graph, edges)
  local ranks, is_joined, nodes, others = service_ranks(graph), {}, {}, {}
  for _, edge in ipairs(edges) do
    is_joined[edge.from], is_joined[edge.to] = true, true
    if edge.to:find("^volume ") then ranks[edge.to] = math.max(ranks[edge.to] or 0, ranks[edge.from] + 1) end
  end
  local function add(id) table.insert(is_joined[id] and nodes or others, { id = id, rank = ranks[id] }) end
  for _, service in ipairs(graph.services) do add("service " .. service.name) end
  for _, volume in ipairs(graph.volumes) do add("volume " .. volume.key) end
  return nodes, others
end

-- Every layer is as high as its highest card; the cards hang from its top.
local function set_heights(layers, cards, top)
  for _, layer in ipairs(layers) do
    local height = 0
    for _, node in ipairs(layer) do
      if not node.is_bend then height = math.max(height, cards[node.id].height) end
    end
    for _, node in ipairs(layer) do node.y, node.height = top, node.is_bend and height or cards[node.id].height end
    top = top + height + LAYER_GAP
  end
  return #layers > 0 and top - LAYER_GAP or top
end

local function lay_out(graph, cards, edges, pause)
  local nodes, others = nodes_of(graph, edges)
  local layers = layers_.arrange(nodes, edges, pause)
  for _, layer in ipairs(layers) do
    for _, node in ipairs(layer) do node.width = node.is_bend and BEND_WIDTH or cards[node.id].width end
  end
  local width = #layers > 0 and place.all(layers, GAP, pause) or 0
  local bottom = set_heights(layers, cards, MARGIN + TITLE_HEIGHT)
  for _, layer in ipairs(layers) do
    for _, node in ipairs(layer) do node.x = node.x + MARGIN end
  end
  return layers, others, width, bottom
end

-- What no line leads to, in rows from left to right.
local function draw_others(paper, others, cards, widest, top)
  local left, row_height, right = MARGIN, 0, MARGIN
  for _, node in ipairs(others) do
    local card = cards[node.id]
    if left > MARGIN and left + card.width > MARGIN + widest then
      top, left, row_height = top + row_height + GAP, MARGIN, 0
    end
    card_.draw(paper, card, left + card.width / 2, top)
    left, row_height = left + card.width + GAP, math.max(row_height, card.height)
    right = math.max(right, left - GAP)
  end
  return top + row_height, right
end

local function draw_legend(paper, graph, top)
  local colours, right = colours_of(graph), MARGIN
  for position, network in ipairs(graph.networks) do
    local y = top + position * LEGEND_LINE
    local words = ("network %s: %s, %s"):format(network.key, network.name, network.text)
    paper:element("circle", { cx = MARGIN + 6, cy = y - 4, r = 5, fill = colours[network.key] })
    paper:text(MARGIN + 18, y, "legend", words)
    right = math.max(right, MARGIN + 18 + paper_.width(words, LEGEND_FONT))
  end
  return top + #graph.networks * LEGEND_LINE, right
end

local function draw_layers(paper, layers, cards, edges, pause)
  edge_.attach(edges)
  for _, edge in ipairs(edges) do
    edge_.draw(paper, edge)
    pause()
  end
  for _, layer in ipairs(layers) do
    for _, node in ipairs(layer) do
      if not node.is_bend then card_.draw(paper, cards[node.id], node.x, node.y) end
    end
  end
  edge_.labels(paper, edges, pause)
end

local function no_pause() end

--- The lines of an SVG file.
---@param graph holos.Graph
---@param pause fun()?  called once in a while, for others to run
function M.lines(graph, pause)
  pause = pause or no_pause
  local paper, cards, edges = paper_.new(), cards_of(graph), edges_of(graph)
  local layers, others, width, bottom = lay_out(graph, cards, edges, pause)
  paper:text(MARGIN, MARGIN + 16, "title", graph.name)
  draw_layers(paper, layers, cards, edges, pause)
  local right = MARGIN + width
  if #others > 0 then
    local top = #layers > 0 and bottom + GAP or bottom
    local others_right
    bottom, others_right = draw_others(paper, others, cards, math.max(width, LEAST_ROW_WIDTH), top)
    right = math.max(right, others_right)
  end
  local legend_bottom, legend_right = draw_legend(paper, graph, bottom + 16)
  right = math.max(right, legend_right, MARGIN + paper_.width(graph.name, 17))
  return paper:finish(right + MARGIN, legend_bottom + MARGIN, graph.name)
end

return M
