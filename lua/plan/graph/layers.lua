--- Layers of a drawing: which node stands above which, and in what order side by side, so that few lines cross. Pure.
--
-- As Sugiyama has it: the longest path gives the layer, lines that pass layers get a bend in each, then every layer is
-- sorted again and again by where its neighbours stand (barycentres), and the best order that was seen is kept.
-- Of very many lines no order makes a picture: those are drawn straight, in layers as they come.
local M = {}

---@class holos.LayerNode
---@field id string
---@field rank integer      its layer, 1 is on top
---@field is_bend boolean?  a bend of a line, no node of the graph
---@field above holos.LayerNode[]
---@field below holos.LayerNode[]
---@field position integer  in its layer

---@class holos.LayerEdge
---@field from string
---@field to string
---@field path holos.LayerNode[]  from its first node over its bends to its last; made here

local SWEEPS = 12

--- A line counts once for each layer that it leads down. With more than these, lines have no bends.
M.MOST_STEPS = 5000

--- How many nodes lie on the longest way down from each, itself included. `order` has what is needed before who needs it.
---@param order string[]
---@param needs fun(name: string): string[]
---@return table<string, integer> heights
---@return integer highest
function M.heights(order, needs)
  local heights, highest = {}, 0
  for _, name in ipairs(order) do
    local height = 1
    for _, other in ipairs(needs(name)) do height = math.max(height, (heights[other] or 0) + 1) end
    heights[name], highest = height, math.max(highest, height)
  end
  return heights, highest
end

local function node_in(layers, id, rank, is_bend)
  for level = #layers + 1, rank do layers[level] = {} end
  local node = { id = id, rank = rank, is_bend = is_bend, above = {}, below = {}, position = #layers[rank] + 1 }
  table.insert(layers[rank], node)
  return node
end

local function connect(upper, lower)
  table.insert(upper.below, lower)
  table.insert(lower.above, upper)
end

-- The bends come after all nodes of their layer.
local function add_path(layers, edge, first, last)
  edge.path = { first }
  for rank = first.rank + 1, last.rank do
    local node = rank == last.rank and last or node_in(layers, ("%s>%s"):format(edge.from, edge.to), rank, true)
    connect(edge.path[#edge.path], node)
    table.insert(edge.path, node)
  end
end

local function barycentre(node, side)
  local neighbours, sum = node[side], 0
  if #neighbours == 0 then return node.position end
  for _, other in ipairs(neighbours) do sum = sum + other.position end
  return sum / #neighbours
end

local function sort_layer(layer, side)
  local keys = {}
  for _, node in ipairs(layer) do keys[node] = barycentre(node, side) end
  table.sort(layer, function(a, b)
    if keys[a] ~= keys[b] then return keys[a] < keys[b] end
    return a.position < b.position
  end)
  for position, node in ipairs(layer) do node.position = position end
end

-- Inversions in a list of numbers up to `most`, by a Fenwick tree.
local function inversions(list, most)
  local tree, count = {}, 0
  for seen, value in ipairs(list) do
    local at, not_above = value, 0
    while at > 0 do not_above, at = not_above + (tree[at] or 0), at - (at & -at) end
    count, at = count + seen - 1 - not_above, value
    while at <= most do tree[at], at = (tree[at] or 0) + 1, at + (at & -at) end
  end
  return count
end

--- How many lines cross.
---@param layers holos.LayerNode[][]
function M.crossings(layers)
  local count = 0
  for rank = 1, #layers - 1 do
    local ends = {}
    for _, node in ipairs(layers[rank]) do
      local positions = {}
      for i, other in ipairs(node.below) do positions[i] = other.position end
      table.sort(positions)
      table.move(positions, 1, #positions, #ends + 1, ends)
    end
    count = count + inversions(ends, #layers[rank + 1])
  end
  return count
end

local function sweep(layers, is_down, pause)
  local first, last, step = 1, #layers, 1
  if not is_down then first, last, step = last, first, -1 end
  for rank = first, last, step do
    sort_layer(layers[rank], is_down and "above" or "below")
    pause()
  end
end

local function picture(layers)
  local copy = {}
  for rank, layer in ipairs(layers) do copy[rank] = table.move(layer, 1, #layer, 1, {}) end
  return copy
end

local function untangle(layers, pause)
  local best, least = picture(layers), M.crossings(layers)
  for round = 1, SWEEPS do
    if least == 0 then break end
    sweep(layers, round % 2 == 1, pause)
    local count = M.crossings(layers)
    if count < least then best, least = picture(layers), count end
  end
  for _, layer in ipairs(best) do
    for position, node in ipairs(layer) do node.position = position end
  end
  return best
end

local function steps_of(edges, by_id)
  local count = 0
  for _, edge in ipairs(edges) do count = count + by_id[edge.to].rank - by_id[edge.from].rank end
  return count
end

local function add_straight(edge, first, last)
  edge.path = { first, last }
  connect(first, last)
end

--- Nodes in layers, in an order that lets few lines cross. Every edge leads down: its `from` has the smaller rank.
---@param nodes {id: string, rank: integer}[]
---@param edges {from: string, to: string}[]  each gets its `path`
---@param pause fun()  called once in a while, for others to run
---@return holos.LayerNode[][] layers
function M.arrange(nodes, edges, pause)
  local layers, by_id = {}, {}
  for _, node in ipairs(nodes) do by_id[node.id] = node_in(layers, node.id, node.rank) end
  if steps_of(edges, by_id) > M.MOST_STEPS then
    for _, edge in ipairs(edges) do add_straight(edge, by_id[edge.from], by_id[edge.to]) end
    return layers
  end
  for _, edge in ipairs(edges) do add_path(layers, edge, by_id[edge.from], by_id[edge.to]) end
  return untangle(layers, pause)
end

return M
