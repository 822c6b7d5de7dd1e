--- What is drawn for a service, and for a volume: how large it is, and its lines. Pure.
local paper_ = require "holos.plan.graph.svg.paper"
local text = require "holos.core.text"

local M = {}

local PADDING, LINE, NAME_LINE, LEAST_WIDTH, MOST_CHARACTERS = 14, 17, 20, 110, 44
local FONT, NAME_FONT, CHIP_FONT = 12, 14, 10.5
local CHIP_HEIGHT, CHIP_GAP, CHIP_PADDING = 16, 5, 7
-- Cards of services with replicas have others behind them.
local BEHIND, ROUND = 5, 7
-- Of the ellipses of a cylinder.
local LID = 7

local function cut(value) return text.truncate(value, MOST_CHARACTERS) end

local function chip_width(name) return paper_.width(cut(name), CHIP_FONT) + 2 * CHIP_PADDING end

local function chips_width(names)
  local width = 0
  for i, name in ipairs(names) do width = width + chip_width(name) + (i > 1 and CHIP_GAP or 0) end
  return width
end

local function text_lines(service, shares)
  local lines = { { class = "image", text = service.image } }
  for _, port in ipairs(service.ports) do lines[#lines + 1] = { class = "port", text = port } end
  for _, share in ipairs(shares) do lines[#lines + 1] = { class = "share", text = share } end
  for _, line in ipairs(lines) do line.text = cut(line.text) end
  return lines
end

--- A service.
---@param service holos.GraphService
---@param shares string[]  "./www at /srv/www, read-only"
---@param colours table<string, string>?  of its networks, by key
function M.service(service, shares, colours)
  local card = { kind = "service", service = service, lines = text_lines(service, shares), colours = colours }
  local width = math.max(LEAST_WIDTH, paper_.width(cut(service.title), NAME_FONT) + 2 * PADDING,
    chips_width(service.networks) + 2 * PADDING)
  for _, line in ipairs(card.lines) do width = math.max(width, paper_.width(line.text, FONT) + 2 * PADDING) end
  card.width = width
  card.behind = service.replicas > 1 and BEHIND or 0
  card.height = card.behind + 2 * PADDING - 8 + NAME_LINE + #card.lines * LINE + (#service.networks > 0 and CHIP_HEIGHT + 6 or 0)
  return card
end

--- A volume.
---@param volume {key: string, text: string}
function M.volume(volume)
  local width = math.max(LEAST_WIDTH - 20, paper_.width(cut(volume.key), FONT) + 2 * PADDING,
    paper_.width(volume.text, FONT) + 2 * PADDING)
  return { kind = "volume", volume = volume, width = width,
    height = 2 * LID + 3 * PADDING / 2 + LINE * (volume.text ~= "" and 2 or 1) }
end

local function draw_chips(paper, card, left, top)
  for _, name in ipairs(card.service.networks) do
    local width = chip_width(name)
    paper:element("rect", { x = left, y = top, width = width, height = CHIP_HEIGHT, rx = CHIP_HEIGHT / 2,
      fill = card.colours[name] })
    paper:text(left + width / 2, top + CHIP_HEIGHT - 4, "chip", cut(name), "middle")
    left = left + width + CHIP_GAP
  end
end

local function draw_service(paper, card, left, top)
  local service, height = card.service, card.height - card.behind
  if card.behind > 0 then
    paper:element("rect", { class = "behind", x = left + BEHIND, y = top, width = card.width, height = height, rx = ROUND })
  end
  top = top + card.behind
  paper:element("rect", { class = "card", x = left, y = top, width = card.width, height = height, rx = ROUND })
  local y = top + PADDING + 8
  paper:text(left + PADDING, y, "name", cut(service.title))
  y = y + 2
  for _, line in ipairs(card.lines) do
    y = y + LINE
    paper:text(left + PADDING, y, line.class, line.text)
  end
  draw_chips(paper, card, left + PADDING, y + 9)
end

local function draw_volume(paper, card, left, top)
  local right, bottom, n = left + card.width, top + card.height, paper_.number
  local radius = card.width / 2
  local half = (" %s %s 0 0 0 "):format(n(radius), n(LID))
  local rim = ("M%s %sA%s%s %sA%s%s %s"):format(n(left), n(top + LID), half, n(right), n(top + LID), half, n(left), n(top + LID))
  paper:element("path", { class = "disk", d = rim .. ("V%sA%s%s %sV%s"):format(n(bottom - LID), half, n(right), n(bottom - LID),
    n(top + LID)) })
  paper:text(left + radius, top + 2 * LID + LINE, "image", cut(card.volume.key), "middle")
  if card.volume.text ~= "" then paper:text(left + radius, top + 2 * LID + 2 * LINE, "image", card.volume.text, "middle") end
end

--- Draws a card with its middle at `x`, its top at `y`.
function M.draw(paper, card, x, y)
  paper:open(card.kind == "service" and card.service.name or "volume " .. card.volume.key)
  local draw = card.kind == "service" and draw_service or draw_volume
  draw(paper, card, x - card.width / 2, y)
  paper:close()
end

return M
