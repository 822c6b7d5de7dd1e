--- What is wrong with a text that is no YAML, in more words than the parser has: it knows the place, not the lines around
--- it. Pure; needed only when something is wrong.
local M = {}

local function line_at(text, number)
  local at = 1
  for _ = 2, number do
    local stop = text:find("\n", at, true)
    if not stop then return nil end
    at = stop + 1
  end
  return (text:sub(at, (text:find("\n", at, true) or #text + 1) - 1):gsub("\r$", ""))
end

-- The last line above that holds more than a comment, and its number.
local function line_above(text, number)
  for above = number - 1, 1, -1 do
    local line = line_at(text, above) or ""
    if line:find("^%s*[^%s#]") then return line, above end
  end
end

local function indentation(line) return #line:match("^ *") end

local function spaces(count) return count == 1 and "1 space" or ("%d spaces"):format(count) end

local explainers = {}

-- "a value cannot start with …" is said of a tab, too, wherever it stands.
explainers["a value cannot start with"] = function(line, column)
  if line:find("^ *\t") then return "this line is indented with a tab; YAML wants spaces" end
  local sign = line:sub(column, column)
  if sign == "" or sign == "\t" then return nil end
  return ('a value cannot start with "%s"; put it in quotes'):format(sign)
end

explainers['a second ": "'] = function(line, _, text, number)
  local key, rest = line:match("^%s*%-?%s*([%w_.-]+): +(.*)$")
  if key and rest:find("^[%w]") and rest:find(": ", 1, true) then
    return nil, ('write %s: "%s"'):format(key, (rest:gsub('[\\"]', "\\%0")))
  end
  local above, above_number = line_above(text, number)
  if above and above:find("^%s*//") then return ('comments begin with "#"; line %d does not'):format(above_number) end
  if not above or above:find(":", 1, true) or above:find("^%s*%-") then return nil end
  return ('line %d has no ":" at its end'):format(above_number)
end

local function compare_indentation(line, _, text, number)
  local above, above_number = line_above(text, number)
  if not above or indentation(above) == indentation(line) then return nil end
  return nil, ("line %d begins with %s, line %d with %s; what belongs together begins with as many"):format(number,
    spaces(indentation(line)), above_number, spaces(indentation(above)))
end

explainers["expected a key"], explainers['expected "- "'] = compare_indentation, compare_indentation

--- The parser's reason, and advice where the lines around the place give some.
---@return string message
---@return string? hint
function M.explain(text, line_number, column, reason)
  local line = line_at(text, line_number) or ""
  for start, explain in pairs(explainers) do
    if reason:sub(1, #start) == start then
      local message, hint = explain(line, column, text, line_number)
      return message or reason, hint
    end
  end
  return reason
end

return M
