--- Heredocs: `<<NAME` on a line, and the lines that follow it up to one that holds the name alone. Pure.
local lines = require "holos.dockerfile.lines"
local shell = require "holos.dockerfile.shell"

local M = {}

local NOTHING = {}

---@class holos.dockerfile.Heredoc
---@field name string
---@field expands boolean        no part of its name is quoted: variables in the body may be expanded
---@field strips_tabs boolean    "<<-": tabs at the start of its lines are no part of it
---@field descriptor integer     the file descriptor before "<<"; 0 where there is none
---@field body string?           as it stands

local function quotes_in(text) return select(2, text:gsub("['\"]", "")) end

--- The heredoc that a word begins; nil when it begins none.
---@return holos.dockerfile.Heredoc?
---@return string? message
function M.parse(word)
  local descriptor, dash, rest = word:match("^(%d*)<<(%-?)%s*([^<]*)$")
  if not descriptor or rest == "" then return nil end
  local names, message = shell.words(rest, NOTHING, { skip_unset = true })
  if not names then return nil, message end
  if #names ~= 1 then return nil end
  local raw, problem = shell.words(rest, NOTHING, { skip_unset = true, raw_quotes = true })
  if not raw then return nil, problem end
  return {
    name = names[1], expands = quotes_in(names[1]) == quotes_in(raw[1] or ""), strips_tabs = dash == "-",
    descriptor = math.tointeger(tonumber(descriptor:sub(1, 9))) or 0,
  }
end

--- The words of a line as a shell sees them, quotes and all.
function M.words(line)
  return shell.words(line, NOTHING,
    { raw_quotes = true, raw_escapes = true, skip_unset = true, most_bytes = lines.most_bytes }) or {}
end

--- The heredocs that a line begins, in their order.
---@return holos.dockerfile.Heredoc[]? heredocs
---@return string? message
function M.find(line)
  local found = {}
  if not line:find("<<", 1, true) then return found end
  for _, word in ipairs(M.words(line)) do
    local heredoc, message = M.parse(word)
    if message then return nil, message end
    found[#found + 1] = heredoc
  end
  return found
end

--- Reads the bodies of heredocs from the lines that follow.
---@return string? message
---@return string? hint
function M.read(heredocs, reader)
  for _, heredoc in ipairs(heredocs) do
    local body, is_complete = {}, false
    for line, raw in lines.next, reader do
      local candidate = heredoc.strips_tabs and line:gsub("^\t+", "") or line
      is_complete = candidate == heredoc.name
      if is_complete then break end
      body[#body + 1] = raw
    end
    heredoc.body = table.concat(body)
    if not is_complete then
      return ("unterminated heredoc: no line holds %s alone"):format(heredoc.name),
        ("the name stands at the start of a line with nothing before or after it%s"):format(
          heredoc.strips_tabs and ", but tabs" or "")
    end
  end
end

--- The body as its reader gets it: without the tabs that "<<-" strips.
function M.content(heredoc)
  if not heredoc.strips_tabs then return heredoc.body end
  return (("\n" .. heredoc.body):gsub("\n\t+", "\n"):sub(2))
end

return M
