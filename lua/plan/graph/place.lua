--- Where the nodes of layers stand: as near to their neighbours as can be without touching. Pure.
local M = {}

local ROUNDS = 16
-- Long lines are to be straight.
local BEND_WEIGHT, NODE_WEIGHT = 4, 1

-- Of blocks that want to overlap one is made, in the middle of what all of it wants (isotonic regression).
local function settle(blocks, wanted, weight)
  local block = { sum = wanted * weight, weight = weight, count = 1 }
  while #blocks > 0 and blocks[#blocks].sum / blocks[#blocks].weight > block.sum / block.weight do
    local before = table.remove(blocks)
    block = { sum = before.sum + block.sum, weight = before.weight + block.weight, count = before.count + block.count }
  end
  blocks[#blocks + 1] = block
end

--- Puts a layer where its nodes want to be, in their order and as far apart as they must.
---@param layer {x: number, width: number}[]  x: of their centres; set here
---@param wanted number[]   centres
---@param weights number[]
---@param gap number        between neighbours
function M.layer(layer, wanted, weights, gap)
  local blocks, offsets, offset = {}, {}, 0
  for i, node in ipairs(layer) do
    if i > 1 then offset = offset + (layer[i - 1].width + node.width) / 2 + gap end
    offsets[i] = offset
    settle(blocks, wanted[i] - offset, weights[i])
  end
  local i = 0
  for _, block in ipairs(blocks) do
    for _ = 1, block.count do
      i = i + 1
      layer[i].x = block.sum / block.weight + offsets[i]
    end
  end
end

local function mean_x(node, sides)
  local sum, count = 0, 0
  for _, side in ipairs(sides) do
    for _, other in ipairs(node[side]) do sum, count = sum + other.x, count + 1 end
  end
  return count > 0 and sum / count or node.x
end

local function adjust(layer, sides, gap)
  local wanted, weights = {}, {}
  for i, node in ipairs(layer) do
    wanted[i], weights[i] = mean_x(node, sides), node.is_bend and BEND_WEIGHT or NODE_WEIGHT
  end
  M.layer(layer, wanted, weights, gap)
end

local function shift_to_zero(layers)
  local left, right = math.huge, -math.huge
  for _, layer in ipairs(layers) do
    for _, node in ipairs(layer) do
      left, right = math.min(left, node.x - node.width / 2), math.max(right, node.x + node.width / 2)
    end
  end
  for _, layer in ipairs(layers) do
    for _, node in ipairs(layer) do node.x = node.x - left end
  end
  return math.max(0, right - left)
end

--- Gives every node its `x` (of its centre); the leftmost begins at 0.
---@param layers holos.LayerNode[][]  with a `width` each
---@param pause fun()  called once in a while, for others to run
---@return number width  of all
function M.all(layers, gap, pause)
  for _, layer in ipairs(layers) do
    local zeros, weights = {}, {}
    for i in ipairs(layer) do zeros[i], weights[i] = 0, 1 end
    M.layer(layer, zeros, weights, gap)
  end
  for round = 1, ROUNDS do
    local sides = round % 2 == 1 and { "above" } or { "below" }
    for i = 1, #layers do
      adjust(layers[round % 2 == 1 and i or #layers + 1 - i], sides, gap)
      pause()
    end
  end
  for _, layer in ipairs(layers) do adjust(layer, { "above", "below" }, gap) end
  return shift_to_zero(layers)
end

return M
