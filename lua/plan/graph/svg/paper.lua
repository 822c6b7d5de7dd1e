--- What an SVG drawing is made of: elements with escaped texts and whole numbers, so that the same graph gives the same
--- bytes everywhere. Pure.
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

-- Of the em; generous, as nobody knows the reader's fonts. East Asian characters are twice as wide.
local CHARACTER, WIDE_FROM = 0.6, 0x1100

--- Looks well on light and on dark pages: cards bring their own ground, what stands outside of them is a middle grey.
M.STYLE = [[
text{font-family:system-ui,"DejaVu Sans",Helvetica,Arial,sans-serif;font-size:12px;fill:#1c2733}
.title{font-size:17px;font-weight:600;fill:#7f8a96}.legend{fill:#7f8a96}
.name{font-size:14px;font-weight:600}.image{fill:#5b6775}.port{fill:#0b63b0}.share{fill:#5b6775}
.card{fill:#fbfcfd;stroke:#8a95a2}.behind{fill:#e7ebef;stroke:#8a95a2}.disk{fill:#f1ede4;stroke:#9a8f76}
.need,.use{fill:none;stroke:#8a95a2;stroke-width:1.5}.use{stroke:#a89b7d;stroke-width:1.2}
.optional,.reads{stroke-dasharray:5 4}.arrow{fill:#8a95a2}
.pill{fill:#f1f4f6;stroke:#c6cdd5}.label{font-size:10.5px;fill:#47525e}.chip{font-size:10.5px;fill:#fff}]]

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;", ["\n"] = " ", ["\t"] = " " }

--- Text as it may stand in XML: no markup, and no character that XML has not.
function M.escape(value)
  local safe = text.escape_terminal(value):gsub("[&<>\"'\n\t]", ESCAPES)
  return (safe:gsub("\239\191[\190\191]", "\239\191\189")) -- U+FFFE and U+FFFF are none
end

--- A number as SVG writes it: whole, for the same bytes on every machine.
function M.number(value) return ("%d"):format(math.floor(value + 0.5)) end

--- How wide a text will be at most, more or less.
---@param size number  of the font, in pixels
function M.width(value, size)
  local units = 0
  for _, code in utf8.codes(text.escape_invalid(value)) do units = units + (code >= WIDE_FROM and code ~= 0x2192 and 2 or 1) end
  return units * size * CHARACTER
end

local Paper = {}
Paper.__index = Paper

--- An empty drawing.
function M.new() return setmetatable({ lines = {} }, Paper) end

local function attributes(given)
  local words = {}
  for name, value in table_.sorted_pairs(given) do
    words[#words + 1] = (' %s="%s"'):format(name, type(value) == "number" and M.number(value) or M.escape(value))
  end
  return table.concat(words)
end

--- An element without anything in it.
function Paper:element(name, given) self.lines[#self.lines + 1] = ("<%s%s/>"):format(name, attributes(given)) end

--- One line of text.
function Paper:text(x, y, class, value, anchor)
  self.lines[#self.lines + 1] = ("<text%s>%s</text>"):format(attributes { x = x, y = y, class = class,
    ["text-anchor"] = anchor }, M.escape(value))
end

--- Begins a group with a title, which browsers show where the pointer is; `close` ends it.
function Paper:open(title) self.lines[#self.lines + 1] = ("<g><title>%s</title>"):format(M.escape(title)) end

function Paper:close() self.lines[#self.lines + 1] = "</g>" end

--- The whole file, as lines.
function Paper:finish(width, height, title)
  local size = ("%s %s"):format(M.number(width), M.number(height))
  local lines = { ('<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s" role="img">')
    :format(M.number(width), M.number(height), size), ("<title>%s</title>"):format(M.escape(title)),
    "<style>" .. M.STYLE .. "</style>" }
  table.move(self.lines, 1, #self.lines, #lines + 1, lines)
  lines[#lines + 1] = "</svg>"
  return lines
end

return M
