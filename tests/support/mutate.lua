--- Damages texts: cut, grown, lines and words in other places.

local M = {}

local PIECES = {
  "", " ", "\n", "\t", ":", "- ", "[", "]", "{", "}", "'", '"', "*x", "&x ", "!!str ", "<<: ", "null", "~", "-1", "0x",
  "1e999",
  "true", "#", "|", ">", "? ", "\0", "\255", "é", "---\n", "...\n", "%", "@", "x-a: 1\n", "99999999999999999999", "$",
  "\\", ",",
}

local function cut(text)
  local from = math.random(#text)
  return text:sub(1, from - 1) .. text:sub(from + math.random(0, 20))
end

local function insert(text)
  local at = math.random(#text)
  return text:sub(1, at) .. PIECES[math.random(#PIECES)] .. text:sub(at + 1)
end

local function swap_lines(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  local one, other = math.random(#lines), math.random(#lines)
  lines[one], lines[other] = lines[other], lines[one]
  return table.concat(lines, "\n") .. "\n"
end

-- A word of the file in the place of another: right words in wrong places.
local function swap_words(text)
  local words = {}
  for word in text:gmatch("[%w_./-]+") do words[#words + 1] = word end
  local target, count = math.random(#words), 0
  return (text:gsub("[%w_./-]+", function()
    count = count + 1
    return count == target and words[math.random(#words)] or nil
  end))
end

local function drop_line(text)
  local count, target = select(2, text:gsub("\n", "")), 0
  local dropped = math.random(math.max(count, 1))
  return (text:gsub("[^\n]*\n", function()
    target = target + 1
    return target == dropped and "" or nil
  end))
end

-- Another digit for one of them.
local function change_digit(text)
  local count, at = select(2, text:gsub("%d", "")), 0
  local target = math.random(math.max(count, 1))
  return (text:gsub("%d", function()
    at = at + 1
    return at == target and tostring(math.random(0, 9)) or nil
  end))
end

local MUTATIONS = { cut, insert, swap_lines, swap_words, drop_line, change_digit }

--- The text with one to three changes; math.random decides.
function M.text(text)
  for _ = 1, math.random(3) do text = MUTATIONS[math.random(#MUTATIONS)](text .. "\n") end
  return text
end

return M
