--- Plain trees as YAML text: block style, sorted keys, quotes where a reader of YAML 1.1 or 1.2 would take a text for
--- something else. Reading is sys.yaml's. Pure.
local json = require "holos.core.json"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

---@class holos.YamlOptions
---@field first string?   key of the outermost mapping that stands before all others
---@field note function?  (container, key) → what a comment at the end of the value's line says, or nil

-- What some readers take for something else than text, in lower case.
local WORDS = {
  y = true, n = true, yes = true, no = true, on = true, off = true, ["true"] = true, ["false"] = true, null = true,
}

-- Longer keys need a "?" in front (YAML 1.2, 7.4.2).
local MOST_KEY_BYTES = 1000

-- Sizes, durations and addresses; nothing that is a number to anybody: no 1e5, 0x1, 0b1, 1_000, 1:30.
local function is_measure(text)
  return text:find("^%d+[KMGTPB]$") or text:find("^%d[%d.hms]*[hms]$") or text:find("^%d+%.%d+%.%d+%.%d+/?%d*$")
end

-- Cautious: what is not sure to be read as this text goes into quotes.
local function is_plain(text)
  if is_measure(text) then return true end
  local first = text:match("^%-?%-?[%a_]") or text:match("^%.?%.?/")
  if not first or text:find("[^%w_./@+=,:~%% ()$*;<>&|!?-]") then return false end
  return not (text:find(": ", 1, true) or text:find("[: ]$") or WORDS[text:lower()])
end

-- What JSON escapes, but for the two that end lines or stand between words in every file of code.
local function has_odd_character(text)
  return text:find("[^\n\t\32-\126\128-\255]") or json.encode(text:gsub("[\n\t]", "")):find("\\u", 1, true)
end

-- A text of several lines that can stand as it is: the first begins with something to see, none has blanks only.
local function is_block(text)
  return text:find("\n", 1, true) and not text:find("^[ \t\n]") and text:find("[^\n]\n?$")
    and not text:find("\n[ \t]+%f[\n\0]") and not has_odd_character(text)
end

local function float(value)
  local short = ("%.14g"):format(value)
  if tonumber(short) ~= value then short = ("%.17g"):format(value) end
  if short:find(".", 1, true) then return short end
  return (short:gsub("^(-?%d+)", "%1.0"))
end

local function quoted(text) return is_plain(text) and text or json.encode(text) end

local function block(text, indent)
  local lines = text:gsub("\n$", ""):gsub("[^\n]+", indent .. "%0")
  return (text:sub(-1) == "\n" and "|" or "|-"), lines
end

-- A scalar, or an empty container: the words on its line, and the lines below it.
local function inline(value, indent)
  local kind = schema.kind_of(value)
  if kind == "text" then
    if is_block(value) then return block(value, indent) end
    return quoted(value)
  end
  if kind == "null" or kind == "boolean" or kind == "integer" then return tostring(value) end
  if kind == "number" then return float(value) end
  if next(value) == nil then return kind == "list" and "[]" or "{}" end
end

local Writer = {}
Writer.__index = Writer

-- A line, with its comment at the end.
function Writer:line(text, container, key)
  local note = self.note and self.note(container, key)
  self.lines[#self.lines + 1] = note and ("%s  # %s"):format(text, note) or text
end

local function key_text(key, indent)
  local text = quoted(key)
  return #text > MOST_KEY_BYTES and ("? %s\n%s:"):format(text, indent) or text .. ":"
end

local STEP = "  "

-- `head` is what stands on the first line already: the indentation, or "- " of the list that this is an item of.
function Writer:map(map, head, indent, first)
  local keys = tables.keys(map)
  local position = first and tables.index_of(keys, first)
  if position then table.insert(keys, 1, table.remove(keys, position)) end
  for _, key in ipairs(keys) do
    local value, start = map[key], head .. key_text(key, indent)
    local words, below = inline(value, indent .. STEP)
    self:line(words and start .. " " .. words or start, map, key)
    if below then self.lines[#self.lines + 1] = below end
    if not words then self:container(value, indent .. STEP, indent .. STEP) end
    head = indent
  end
end

function Writer:list(list, head, indent)
  for position, value in ipairs(list) do
    local words, below = inline(value, indent .. STEP)
    if words then
      self:line(head .. "- " .. words, list, position)
    else
      self:container(value, head .. "- ", indent .. STEP)
    end
    if below then self.lines[#self.lines + 1] = below end
    head = indent
  end
end

function Writer:container(value, head, indent, first)
  if schema.kind_of(value) == "list" then self:list(value, head, indent) else self:map(value, head, indent, first) end
end

--- The YAML text of a plain tree. Texts are UTF-8; lists are core.table lists.
---@param tree table
---@param options holos.YamlOptions?
function M.encode(tree, options)
  options = options or {}
  local words, below = inline(tree, STEP)
  if words then return (below and words .. "\n" .. below or words) .. "\n" end
  local writer = setmetatable({ lines = {}, note = options.note }, Writer)
  writer:container(tree, "", "", options.first)
  return table.concat(writer.lines, "\n") .. "\n"
end

return M
