--- What was found in a user's files: put in order, placed, made harmless for a terminal. Pure.
--
-- While stages run, a finding is {mark, path, message, hint}; what leaves here is {file, line, column, path, message,
-- hint}.
local lazy = require "holos.core.lazy"
local document = require "holos.compose.document"
local err = require "holos.core.err"
local text = lazy "holos.core.text"

local M = {}

local function in_file_order(a, b)
  if a.mark ~= b.mark then return (a.mark or 0) < (b.mark or 0) end
  if a.path ~= b.path then return (a.path or "") < (b.path or "") end
  return a.message < b.message
end

-- What comes out of a file may hold anything, and goes to a terminal.
local function on_one_line(value)
  return value and (text.escape_terminal(value):gsub("[\n\t]", { ["\n"] = "\\n", ["\t"] = "\\t" }))
end

-- A mark becomes file, line and column.
local function place(finding, files)
  local line, column, file_index = document.position(finding.mark or document.pack(0, 1, 1))
  return {
    file = on_one_line(files[file_index + 1]), line = line, column = column, path = on_one_line(finding.path),
    message = on_one_line(finding.message), hint = finding.hint and text.escape_terminal(finding.hint),
  }
end

-- What an alias or a service that others extend brings to many places has one cause, and is told for the first of them.
local function first_of_each(sorted)
  local kept, seen = {}, {}
  for _, finding in ipairs(sorted) do
    local messages = finding.mark and seen[finding.mark] or {}
    if finding.mark then seen[finding.mark] = messages end
    if not messages[finding.message] then kept[#kept + 1] = finding end
    messages[finding.message] = true
  end
  return kept
end

--- What to do with keys that have no effect so far.
M.WITHOUT = "what is not available yet is to be left out until then"

--- Findings in the order of the files, each with its place.
---@param files string[]  names as the user should see them; a mark's file index counts from 0
function M.placed(list, files)
  table.sort(list, in_file_order)
  local placed = {}
  for position, finding in ipairs(first_of_each(list)) do placed[position] = place(finding, files) end
  return placed
end

--- Raises all findings at once, if there are any.
---@param hint string?  about all of them
function M.raise(list, files, hint)
  if #list > 0 then err.findings(M.placed(list, files), hint) end
end

--- Warnings as one line each; advice comes after a semicolon.
---@return string[]
function M.lines(list, files)
  local lines = {}
  for position, finding in ipairs(M.placed(list, files)) do
    local line = err.render_finding(finding)
    lines[position] = finding.hint and line .. "; " .. finding.hint or line
  end
  return lines
end

return M
