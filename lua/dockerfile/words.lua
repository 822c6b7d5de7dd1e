--- Splits what stands after an instruction into words; quotes and escapes stay in them. Pure.

local M = {}

--- A text without blanks at both ends.
function M.trim(text)
  local from = text:match("^%s*()")
  return from > #text and "" or text:match(".*%S", from)
end

--- Words between blanks, whatever is in them.
function M.split(text)
  local words = {}
  for word in text:gmatch("%S+") do words[#words + 1] = word end
  return words
end

-- Where the quoted part that begins before `at` ends: behind its closing quote, or at the end of the text.
local function after_quote(text, at, quote, escape)
  local special = quote == "'" and "'" or "[" .. quote .. "%" .. escape .. "]"
  while true do
    local found = text:find(special, at)
    if not found then return #text + 1 end
    if text:sub(found, found) == quote then return found + 1 end
    at = found + 2
  end
end

-- Where the word that begins at a position ends: at the first blank that is neither quoted nor escaped.
local function end_of_word(text, at, escape)
  local special = "[%s'\"%" .. escape .. "]"
  while true do
    local found = text:find(special, at)
    if not found then return #text + 1 end
    local char = text:sub(found, found)
    if char == escape then
      at = found + 2
    elseif char == "'" or char == '"' then
      at = after_quote(text, found + 1, char, escape)
    else
      return found
    end
  end
end

-- An escape character that ends the text stands for nothing.
local function without_last_escape(word, escape)
  local run = #word:match("%" .. escape .. "*$")
  return run % 2 == 1 and word:sub(1, -2) or word
end

--- Words between blanks that are neither quoted nor escaped.
---@param escape string  "\\" or "`"
function M.quoted(text, escape)
  local words, at = {}, text:match("^%s*()")
  while at <= #text do
    local stop = end_of_word(text, at, escape)
    local word = text:sub(at, stop - 1)
    if stop > #text then word = without_last_escape(word, escape) end
    if word ~= "" then words[#words + 1] = word end
    at = text:match("^%s*()", stop)
  end
  return words
end

return M
