--- Variables in texts: "$NAME", "${NAME:-word}" and their like become what they stand for. Pure.
--
-- text := ( "$$" | "$" NAME | "${" NAME [ OP word ] "}" | any )*     OP := ":-" "-" ":?" "?" ":+" "+"
--
-- A word is a text again, with as many "}" as "{"; it is looked at only when it is used. A "$" before anything else is
-- left alone. What a variable holds is never expanded a second time.
local M = {}

--- How to write a "$" that is no variable; the hint of every text that breaks the grammar.
M.ESCAPE = 'a "$" that stands for itself is written "$$"'

--- What one text may grow to: variables of variables of variables end here.
M.most_bytes = 1 << 20

--- Words inside of words.
M.depth_limit = 50

local SHOWN_BYTES = 60

local function cut(piece)
  return #piece > SHOWN_BYTES and piece:sub(1, SHOWN_BYTES) .. "…" or piece
end

local function bad(piece, reason)
  return nil, ('"%s" is no variable: %s'):format(cut(piece), reason), M.ESCAPE
end

-- For every "{" of a text the position of its "}". Found in one go: words inside of words would be searched once a level.
local function closings_of(text)
  local closings, open = {}, {}
  local at = text:find("[{}]")
  while at do
    if text:byte(at) == 123 then -- "{"
      open[#open + 1] = at
    elseif #open > 0 then
      closings[open[#open]], open[#open] = at, nil
    end
    at = text:find("[{}]", at + 1)
  end
  return closings
end

local function closing_of(job, brace)
  job.closings = job.closings or closings_of(job.text)
  return job.closings[brace]
end

-- No pattern here may try again from a later place: names and words can be long.
local function braced(job, dollar)
  local text = job.text
  local name, rest = text:match("^([_%a][_%w]*)()", dollar + 2)
  local operator, word = text:match("^(:?[-?+])()", rest or #text + 1)
  local last = text:find("[{}]", word or rest or dollar + 2)
  if last and text:byte(last) == 123 then last = closing_of(job, dollar + 1) end -- "{": braces in the word
  if not last then return bad(text:match("^[^\n]*", dollar), 'its "}" is missing') end
  if not name then return bad(text:sub(dollar, last), 'a name comes directly after "${"') end
  if operator or rest == last then return last, name, operator, word end
  return bad(text:sub(dollar, last), ('after %s comes "}" or one of :- - :? ? :+ +'):format(cut(name)))
end

-- What the "$" at a position begins: where it ends, then name, operator and the start of the word of a variable. No
-- name: a "$" that stands for itself. No end: it is wrong, then follow message and hint.
local function reference(job, dollar)
  local following = job.text:sub(dollar + 1, dollar + 1)
  if following == "{" then return braced(job, dollar) end
  if following == "$" then return dollar + 1 end
  local name = job.text:match("^[_%a][_%w]*", dollar + 1)
  return dollar + (name and #name or 0), name
end

local function ignore() end

local expand

local function required(job, name, word, last, depth)
  local reason, problem, hint = expand(job, word, last, depth)
  if not reason then return nil, problem, hint end
  return nil, ("required variable %s is missing a value%s"):format(name, reason ~= "" and ": " .. reason or ""),
    ("set it in the environment, in .env, or in a file that --env-file names: %s=…"):format(name)
end

local function value_of(job, name)
  local value = job.lookup(name)
  if value and not utf8.len(value) then return nil, ("the value of the variable %s is not UTF-8"):format(name) end
  return value
end

-- What stands for a variable whose word, if any, goes from `word` to `last`.
local function substitute(job, name, operator, word, last, depth)
  local value, problem = value_of(job, name)
  if problem then return nil, problem end
  if not operator then
    if value == nil then job.unset(name) end
    return value or ""
  end
  local is_blank = value == nil or (value == "" and #operator == 2)
  local kind = operator:sub(-1)
  if kind == "+" then is_blank = not is_blank end
  if not is_blank then return kind == "+" and "" or value end
  if kind == "?" then return required(job, name, word, last, depth + 1) end
  return expand(job, word, last, depth + 1)
end

local function too_much()
  return nil, ("with its variables it would be longer than %d bytes"):format(M.most_bytes)
end

local function too_deep()
  return nil, ("its variables stand inside each other more than %d levels deep"):format(M.depth_limit)
end

-- The next "$" of a part of a text.
local function next_dollar(text, from, to)
  local dollar = text:find("$", from, true)
  return dollar and dollar <= to and dollar or nil
end

function expand(job, from, to, depth)
  local text = job.text
  local dollar = next_dollar(text, from, to)
  if not dollar then return text:sub(from, to) end
  if depth > M.depth_limit then return too_deep() end
  local parts = {}
  while dollar do
    parts[#parts + 1] = text:sub(from, dollar - 1)
    local last, name, operator, word = reference(job, dollar)
    if not last then return nil, name, operator end
    local value, problem, hint = "$", nil, nil
    if name then value, problem, hint = substitute(job, name, operator, word, last - 1, depth) end
    if not value then return nil, problem, hint end
    job.bytes = job.bytes + #value
    if job.bytes > M.most_bytes then return too_much() end
    parts[#parts + 1] = value
    from = last + 1
    dollar = next_dollar(text, from, to)
  end
  parts[#parts + 1] = text:sub(from, to)
  return table.concat(parts)
end

--- A text with its variables replaced.
---@param text string
---@param lookup fun(name: string): string?  nil: the variable is not set
---@param unset fun(name: string)?           told of every variable that became a blank because it is not set
---@return string? expanded
---@return string? message
---@return string? hint
function M.expand(text, lookup, unset)
  return expand({ text = text, lookup = lookup, unset = unset or ignore, bytes = 0 }, 1, #text, 1)
end

local FIELDS = { ["-"] = "default", ["+"] = "alternate" }

local function collect(job, from, to, depth)
  local found, dollar = job.found, depth <= M.depth_limit and next_dollar(job.text, from, to)
  while dollar do
    local last, name, operator, word = reference(job, dollar)
    if not last then return end
    if name then
      local field = FIELDS[operator and operator:sub(-1)]
      local shown = field and job.text:sub(word, last - 1) or operator and true
      found[#found + 1] = { name = name, [field or "required"] = shown }
      if word then collect(job, word, last - 1, depth + 1) end
    end
    dollar = next_dollar(job.text, last + 1, to)
  end
end

--- Every variable that a text names, in its order; those in words come after the one whose word it is. What follows a
--- mistake is left out.
---@return {name: string, default: string?, required: boolean?, alternate: string?}[]
function M.variables(text)
  local job = { text = text, found = {} }
  collect(job, 1, #text, 1)
  return job.found
end

return M
