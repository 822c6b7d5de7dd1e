--- The text of a Dockerfile as lines, and as logical lines: what is continued over several is one. Pure.

local M = {}

--- What a whole file, and a line of it, may hold; the second is BuildKit's own limit.
M.most_bytes = 1 << 20
M.most_line_bytes = 65535

local BOM = "\239\187\191"

---@class holos.dockerfile.Reader
---@field text string
---@field at integer       where the next line begins
---@field number integer   of the line that was read last; 0 before the first
---@field too_long integer?  the first line that is longer than a line may be

--- A reader of lines that stands before the first.
function M.reader(text)
  return { text = text, at = text:sub(1, #BOM) == BOM and #BOM + 1 or 1, number = 0 }
end

--- The next line: without its end, and as it stands. Nil after the last.
---@return string? line
---@return string? raw
function M.next(reader)
  local text, from = reader.text, reader.at
  if from > #text then return nil end
  local newline = text:find("\n", from, true)
  reader.at, reader.number = (newline or #text) + 1, reader.number + 1
  local raw = text:sub(from, newline or #text)
  if #raw > M.most_line_bytes and not reader.too_long then reader.too_long = reader.number end
  local last = #raw - (newline and 1 or 0)
  while last > 0 and raw:byte(last) == 13 do last = last - 1 end -- "\r"
  return raw:sub(1, last), raw
end

--- Whether a line holds nothing but a comment.
function M.is_comment(line) return line:find("^%s*#") ~= nil end

--- A line without the sign at its end that the next one continues it, and whether it had one. A sign that stands after
--- another one is none.
---@param escape string  "\\" or "`"
---@return string line
---@return boolean continues
function M.continued(line, escape)
  local last = #line
  while last > 0 and (line:byte(last) == 32 or line:byte(last) == 9) do last = last - 1 end
  if last == 0 or line:sub(last, last) ~= escape or line:sub(last - 1, last - 1) == escape and last > 1 then
    return line, false
  end
  return line:sub(1, last - 1), true
end

---@class holos.dockerfile.LogicalLine
---@field text string
---@field line integer
---@field end_line integer
---@field has_gap boolean  an empty line stands inside it

--- The logical line that begins with a line just read: comments and empty lines inside of it are left out, blanks at the
--- start of its first line too. Nil where there is nothing on it.
---@return holos.dockerfile.LogicalLine?
function M.logical(reader, first, escape)
  local logical = { line = reader.number, has_gap = false }
  local piece, continues = M.continued(first:match("^%s*(.*)$"), escape)
  if piece == "" and not continues then return nil end
  local parts = { piece }
  while continues do
    local line = M.next(reader)
    if not line then break end
    if line:find("^%s*$") then
      logical.has_gap = true
    elseif not M.is_comment(line) then
      parts[#parts + 1], continues = M.continued(line, escape)
    end
  end
  logical.text, logical.end_line = table.concat(parts), reader.number
  return logical
end

return M
