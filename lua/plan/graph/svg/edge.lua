--- Lines between cards, with what is written at them. Pure.
local paper_ = require "holos.plan.graph.svg.paper"
local text = require "holos.core.text"

local M = {}

local FONT, PADDING, HEIGHT, MOST_CHARACTERS = 10.5, 6, 16, 30
-- How far on its curve a label may stand, what is tried first.
local PLACES = { 0.5, 0.4, 0.6, 0.32, 0.68, 0.24, 0.76, 0.15, 0.85 }
-- Of a card's width, where lines may begin and end.
local SHARE = 0.6
local ARROW = 8
-- Labels are kept by cells, each as large as a label of wide characters: what one meets is in its cell or in those around.
local CELL_WIDTH = paper_.width(("\u{FF21}"):rep(MOST_CHARACTERS), FONT) + 2 * PADDING + 2
local CELL_HEIGHT = HEIGHT + 1

local function x_of(card, position, count)
  return card.x + (position - (count + 1) / 2) * card.width * SHARE / count
end

local function rank_among(list, field)
  table.sort(list, function(a, b)
    if a[field] ~= b[field] then return a[field] < b[field] end
    return a.number < b.number
  end)
end

-- Lines leave and reach a card side by side, in the order of where they come from.
local function spread(edges, which, field, attach)
  local by_card, order = {}, {}
  for number, edge in ipairs(edges) do
    local path = edge.path
    local card, other = path[which == "from" and 1 or #path], path[which == "from" and 2 or #path - 1]
    if not by_card[card] then by_card[card], order[#order + 1] = {}, card end
    table.insert(by_card[card], { edge = edge, number = number, x = other.x })
  end
  for _, card in ipairs(order) do
    rank_among(by_card[card], field)
    for position, entry in ipairs(by_card[card]) do entry.edge[attach] = x_of(card, position, #by_card[card]) end
  end
end

--- Finds the points that lines begin and end at. Nodes have their x, y, width and height by now.
function M.attach(edges)
  spread(edges, "from", "x", "x_from")
  spread(edges, "to", "x", "x_to")
end

-- The curves of a line: {x1, y1, x2, y2}, upright at both ends.
local function curves_of(edge)
  local path, curves = edge.path, {}
  local x, y = edge.x_from, path[1].y + path[1].height
  for i = 2, #path do
    local node = path[i]
    local next_x = i == #path and edge.x_to or node.x
    local next_y = i == #path and node.y - (edge.has_arrow and ARROW or 0) or node.y
    curves[#curves + 1] = { x, y, next_x, next_y }
    x, y = next_x, node.y + node.height
  end
  return curves
end

--- Draws a line; its label is left to `labels`.
function M.draw(paper, edge)
  local n, words = paper_.number, {}
  edge.curves = curves_of(edge)
  for i, curve in ipairs(edge.curves) do
    local x1, y1, x2, y2 = curve[1], curve[2], curve[3], curve[4]
    local middle = n((y1 + y2) / 2)
    words[i] = ("%s%s %sC%s %s %s %s %s %s"):format(i == 1 and "M" or "L", n(x1), n(y1), n(x1), middle, n(x2), middle, n(x2), n(y2))
  end
  local last = edge.curves[#edge.curves]
  paper:element("path", { class = edge.class, d = table.concat(words) })
  if edge.has_arrow then
    paper:element("path", { class = "arrow", d = ("M%s %sl-4 -%d h8z"):format(n(last[3]), n(last[4] + ARROW), ARROW) })
  end
end

-- The point of a curve: both its inner control points are half way down.
local function point(curve, t)
  local s = 1 - t
  local along = 3 * s * t * t + t * t * t
  local middle = (curve[2] + curve[4]) / 2
  return curve[1] + (curve[3] - curve[1]) * along,
    s * s * s * curve[2] + 3 * s * t * middle + t * t * t * curve[4]
end

local function cell_of(box) return box.x // CELL_WIDTH, box.y // CELL_HEIGHT end

local function cell_key(column, row) return ("%d %d"):format(column, row) end

local function meets_in(cell, box)
  for _, other in ipairs(cell) do
    if math.abs(other.x - box.x) < (other.width + box.width) / 2 + 2 and math.abs(other.y - box.y) < HEIGHT + 1 then
      return true
    end
  end
  return false
end

local function meets(placed, box)
  local column, row = cell_of(box)
  for x = column - 1, column + 1 do
    for y = row - 1, row + 1 do
      if meets_in(placed[cell_key(x, y)] or {}, box) then return true end
    end
  end
  return false
end

local function put(placed, box)
  local key = cell_key(cell_of(box))
  placed[key] = placed[key] or {}
  table.insert(placed[key], box)
end

local function place(placed, edge, width)
  local first
  for _, t in ipairs(PLACES) do
    local x, y = point(edge.curves[1], t)
    local box = { x = x, y = y, width = width }
    first = first or box
    if not meets(placed, box) then return box end
  end
  return first
end

--- Draws the labels of all lines, apart from each other where there is room.
function M.labels(paper, edges, pause)
  local placed = {}
  for _, edge in ipairs(edges) do
    local label = text.truncate(edge.label, MOST_CHARACTERS)
    local width = paper_.width(label, FONT) + 2 * PADDING
    local box = place(placed, edge, width)
    put(placed, box)
    paper:element("rect", { class = "pill", x = box.x - width / 2, y = box.y - HEIGHT / 2, width = width, height = HEIGHT,
      rx = HEIGHT / 2 })
    paper:text(box.x, box.y + 4, "label", label, "middle")
    pause()
  end
end

return M
