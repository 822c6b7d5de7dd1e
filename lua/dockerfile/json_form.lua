--- The list form of commands, `["program", "argument"]`: lists of texts in JSON, as strict as JSON is. Pure.

local M = {}

--- What is said of a list that holds anything but texts.
M.NOT_TEXTS = "when using JSON array syntax, arrays must be comprised of strings only"

-- Lists inside lists can only be wrong, so that nobody needs many levels.
local MOST_LEVELS = 100

local PLAIN = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function skip_blanks(text, at) return text:match("^[ \t\r\n]*()", at) end

-- The character of a \u escape at `at`, and where it ends; two of them make one character beyond U+FFFF.
local function unicode(text, at)
  local code = text:match("^%x%x%x%x", at)
  if not code then return nil end
  local point = tonumber(code, 16)
  if point < 0xD800 or point > 0xDFFF then return utf8.char(point), at + 4 end
  local low = point < 0xDC00 and text:match("^\\u([dD][c-fC-F]%x%x)", at + 4)
  if not low then return "\u{FFFD}", at + 4 end
  return utf8.char(0x10000 + ((point - 0xD800) << 10) + (tonumber(low, 16) - 0xDC00)), at + 10
end

-- What follows a "\" at `at`, and where it ends.
local function escaped(text, at)
  local char = text:sub(at, at)
  if char == "u" then return unicode(text, at + 1) end
  return PLAIN[char], PLAIN[char] and at + 1
end

-- The text whose opening quote stands at `at`, and where it ends.
local function read_text(text, at)
  local parts = {}
  at = at + 1
  while true do
    local stop = text:find('["\\\0-\31]', at)
    if not stop then return nil end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local char = text:sub(stop, stop)
    if char == '"' then return table.concat(parts), stop + 1 end
    if char ~= "\\" then return nil end
    parts[#parts + 1], at = escaped(text, stop + 1)
    if not at then return nil end
  end
end

local function after_number(text, at)
  local rest = text:match("^%-?0()", at) or text:match("^%-?[1-9]%d*()", at)
  if not rest then return nil end
  rest = text:match("^%.%d+()", rest) or rest
  return text:match("^[eE][+-]?%d+()", rest) or rest
end

local skip_value

-- Where a list or an object ends. Each of `members` is skipped in turn; between them stand commas.
local function skip_members(text, at, closing, levels, skip_member)
  at = skip_blanks(text, at + 1)
  if text:sub(at, at) == closing then return at + 1 end
  while true do
    at = skip_member(text, at, levels + 1)
    at = at and skip_blanks(text, at)
    local char = at and text:sub(at, at)
    if char == closing then return at + 1 end
    if char ~= "," then return nil end
    at = skip_blanks(text, at + 1)
  end
end

local function skip_pair(text, at, levels)
  local key, stop = nil, nil
  if text:sub(at, at) == '"' then key, stop = read_text(text, at) end
  stop = key and skip_blanks(text, stop)
  if not stop or text:sub(stop, stop) ~= ":" then return nil end
  return skip_value(text, skip_blanks(text, stop + 1), levels)
end

function skip_value(text, at, levels)
  if levels > MOST_LEVELS then return nil end
  local char = text:sub(at, at)
  if char == '"' then return select(2, read_text(text, at)) end
  if char == "[" then return skip_members(text, at, "]", levels, skip_value) end
  if char == "{" then return skip_members(text, at, "}", levels, skip_pair) end
  for _, word in ipairs { "true", "false", "null" } do
    if text:sub(at, at + #word - 1) == word then return at + #word end
  end
  return after_number(text, at)
end

--- The texts of a list. Nil when the text is no JSON list at all; nil and a message when it is one of other things.
---@return string[]? texts
---@return string? message
function M.parse(text)
  local at = text:match("^%s*%[()")
  if not at then return nil end
  local texts, others = {}, false
  local function member(_, from, levels)
    if text:sub(from, from) ~= '"' then
      others = true
      return skip_value(text, from, levels)
    end
    local value, stop = read_text(text, from)
    texts[#texts + 1] = value
    return stop
  end
  local stop = skip_members(text, at - 1, "]", 0, member)
  if not stop or skip_blanks(text, stop) <= #text then return nil end
  if others then return nil, M.NOT_TEXTS end
  return texts
end

return M
