--- Words that are put together from pieces, some of which are quoted. Pure.

local M = {}

--- A list without words yet.
function M.new() return { parts = {}, is_inside = false } end

--- Unquoted text: blanks in it end words.
function M.add_plain(words, text)
  for word, blanks in text:gmatch("(%S*)(%s*)") do
    if word ~= "" then M.add_whole(words, word) end
    if blanks ~= "" and words.is_inside then
      local whole = table.concat(words.parts)
      if whole ~= "" then words[#words + 1], words.parts, words.is_inside = whole, {}, false end
    end
  end
end

--- Quoted text: it is part of one word, blanks and all.
function M.add_whole(words, text)
  words.parts[#words.parts + 1], words.is_inside = text, true
end

--- The words as a plain list.
---@return string[]
function M.finish(words)
  local whole = table.concat(words.parts)
  if whole ~= "" then words[#words + 1] = whole end
  words.parts, words.is_inside = nil, nil
  return words
end

return M
