--- Command lines: services.*.command and services.*.entrypoint as text. Pure.
--
-- Text is split into words as a shell would do it, and no shell is run: no variables, no "|", no ">".
local M = {}

-- What a backslash inside double quotes takes its meaning from (POSIX, 2.2.3).
local ESCAPABLE = { ['"'] = true, ["\\"] = true, ["$"] = true, ["`"] = true, ["\n"] = true }

local function double_quoted(text, at)
  local parts = {}
  while true do
    local stop = text:find('["\\]', at)
    if not stop then return nil end
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    local escaped = text:sub(stop + 1, stop + 1)
    parts[#parts + 1] = ESCAPABLE[escaped] and (escaped == "\n" and "" or escaped) or "\\" .. escaped
    at = stop + 2
  end
end

local function single_quoted(text, at)
  local stop = text:find("'", at, true)
  if stop then return text:sub(at, stop - 1), stop + 1 end
end

local function escaped_character(text, at)
  local character = text:sub(at, at)
  return character == "\n" and "" or character, at + 1
end

local readers = { ['"'] = double_quoted, ["'"] = single_quoted, ["\\"] = escaped_character }

-- One word from `at` on, which is no white space.
local function word(text, at)
  local parts = {}
  while at <= #text and not text:find("^%s", at) do
    local plain = text:match("^[^%s'\"\\]+", at)
    local piece, after = plain, at + #(plain or "")
    if not plain then
      local mark = text:sub(at, at)
      piece, after = readers[mark](text, at + 1)
      if not piece then return nil, ("the %s in column %d of the text is never closed"):format(mark, at) end
    end
    parts[#parts + 1], at = piece, after
  end
  return table.concat(parts), at
end

--- The words of a command line.
---@return string[]? words
---@return string? message
function M.split(text)
  if text:find("\0", 1, true) then return nil, "has a zero byte" end
  local words, at = {}, text:find("%S")
  while at do
    local one, after = word(text, at)
    if not one then return nil, after end
    words[#words + 1] = one
    at = text:find("%S", after)
  end
  return words
end

return M
