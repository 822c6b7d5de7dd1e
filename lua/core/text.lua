--- Text for people, shells and QEMU: quoting, escaping, layout, near misses. Pure.
local M = {}

--- One word for a POSIX shell.
function M.shell_quote(word)
  if word ~= "" and not word:find("[^%w%-_=+:,./@%%]") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- A value inside a QEMU option: a comma is doubled (QEMU's keyval syntax).
function M.qemu_escape(value) return (value:gsub(",", ",,")) end

local function escaped_byte(byte) return ("\\x%02x"):format(byte:byte()) end

--- Guest bytes, harmless on a terminal: control characters but newline and tab become \xNN, as do C1 controls, whether
--- they stand alone or as UTF-8 (C2 80..9F). A carriage return before a newline is dropped.
function M.escape_terminal(bytes)
  local safe = bytes:gsub("\r+\n", "\n"):gsub("[%z\1-\8\11-\31\127]", escaped_byte)
  safe = safe:gsub("\194([\128-\159])", function(second) return "\\xc2" .. escaped_byte(second) end)
  if utf8.len(safe) then return safe end
  return M.escape_invalid(safe)
end

--- Bytes that are no UTF-8 become \xNN; the rest stays.
function M.escape_invalid(bytes)
  local parts, from = {}, 1
  while from <= #bytes do
    local length, bad = utf8.len(bytes, from)
    if length then
      parts[#parts + 1] = bytes:sub(from)
      break
    end
    parts[#parts + 1] = bytes:sub(from, bad - 1)
    parts[#parts + 1] = escaped_byte(bytes:sub(bad, bad))
    from = bad + 1
  end
  return table.concat(parts)
end

--- Columns that a text takes on a terminal: code points, as none of our own output is double width.
function M.width(line) return utf8.len(line) or #line end

--- The first characters of a UTF-8 text that fit into so many bytes.
function M.cut(value, bytes)
  if #value <= bytes then return value end
  return value:sub(1, utf8.offset(value, 0, bytes + 1) - 1)
end

function M.pad(line, width) return line .. (" "):rep(width - M.width(line)) end

--- At most `width` columns of a line; what is cut off shows as "…".
function M.truncate(line, width)
  if M.width(line) <= width then return line end
  local offset = utf8.offset(line, width) or width
  return line:sub(1, offset - 1) .. "…"
end

--- The lines of a text; a newline at the end begins no further line.
function M.lines(value)
  local lines = {}
  for line in (value:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return value == "" and {} or lines
end

local SPACE = 32

--- Rows of cells as lines whose columns line up, two spaces between them.
---@param rows string[][]
---@return string[] lines
function M.columns(rows)
  local most, widths, lines = {}, {}, {}
  for n, row in ipairs(rows) do
    local here = {}
    for i, cell in ipairs(row) do
      here[i] = M.width(cell)
      if here[i] > (most[i] or -1) then most[i] = here[i] end
    end
    widths[n] = here
  end
  for n, row in ipairs(rows) do
    local cells, last = {}, #row
    for i, cell in ipairs(row) do
      cells[i] = i < last and cell .. (" "):rep(most[i] - widths[n][i]) or cell
    end
    local line = table.concat(cells, "  ")
    lines[n] = line:byte(-1) == SPACE and line:gsub("%s+$", "") or line
  end
  return lines
end

--- Breaks a paragraph into lines of at most `width` columns.
function M.wrap(paragraph, width)
  local lines, line = {}, ""
  for word in paragraph:gmatch("%S+") do
    if line ~= "" and M.width(line) + 1 + M.width(word) > width then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  if line ~= "" then lines[#lines + 1] = line end
  return lines
end

-- Characters that look like others: spaces and quotation marks of word processors and web pages.
local LOOKALIKES = {
  { "\u{A0}", "a no-break space" }, { "\u{200B}", "an invisible space" }, { "\u{202F}", "a no-break space" },
  { "\u{201C}", 'a typographic quotation mark; write "' }, { "\u{201D}", 'a typographic quotation mark; write "' },
  { "\u{201E}", 'a typographic quotation mark; write "' }, { "\u{2018}", "a typographic quotation mark; write '" },
  { "\u{2019}", "a typographic quotation mark; write '" }, { "\u{2013}", "a dash; write -" },
}

--- Words about a character in `word` that looks like another one, or is no letter from a to z though it looks so; nil when
--- there is none.
---@return string?
function M.odd_character(word)
  if not word:find("[\x80-\xff]") or not utf8.len(word) then return nil end
  for _, lookalike in ipairs(LOOKALIKES) do
    if word:find(lookalike[1], 1, true) then
      return ("there is U+%04X in it, %s"):format(utf8.codepoint(lookalike[1]), lookalike[2])
    end
  end
  local character = word:match(utf8.charpattern, word:find("[\xc2-\xf4]"))
  return ('"%s" is U+%04X, no letter from a to z'):format(character, utf8.codepoint(character))
end

--- Edits from `a` to `b`: insert, delete, replace, swap of neighbours (optimal string alignment).
function M.distance(a, b)
  local before, last = {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local now = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      now[j] = math.min(last[j] + 1, now[j - 1] + 1, last[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        now[j] = math.min(now[j], before[j - 2] + 1)
      end
    end
    before, last = last, now
  end
  return last[#b]
end

--- The candidate that a misspelt word most likely means; nil when none is near.
---@param candidates string[]
function M.nearest(word, candidates)
  local best, least = nil, math.max(1, #word // 3) + 1
  for _, candidate in ipairs(candidates) do
    local distance = math.abs(#candidate - #word) < least and M.distance(word, candidate) or least
    if distance < least then best, least = candidate, distance end
  end
  return best
end

return M
