--- Files of variables: `.env`, `--env-file`, `env_file:`. Pure.
--
-- file      := { blank | "#" comment | [ "export" ] KEY [ ( "=" | ":" ) value ] }
-- value     := to the end of the line or to a comment, which begins with " #"; variables replaced
--            | '…'  as it stands, over several lines; \' is a quote
--            | "…"  over several lines, with escapes; variables replaced; \$ and $$ are a "$"
-- A KEY alone takes the value that is around it, and is absent when there is none.
local template = require "holos.compose.template"
local text_ = require "holos.core.text"

local M = {}

--- What all values of one file may add up to.
M.most_bytes = 8 << 20

local ESCAPE = 'put the value in single quotes, or write "$$" for every "$" that stands for itself'

local LINE = "a line is KEY=value, or a comment after #"

---@class holos.EnvFile
---@field order string[]                 names in the order of their first places
---@field values table<string, string>

local Reader = {}
Reader.__index = Reader

-- The line of a byte. It is asked for from the front to the back, so that a file is counted once.
function Reader:line_of(at)
  local _, line_breaks = self.text:sub(self.counted, at - 1):gsub("\n", "")
  self.counted, self.line = at, self.line + line_breaks
  return self.line
end

-- What went wrong, at a byte of the text; raised, as it ends the reading of the file wherever it is found.
function Reader:fail(at, message, hint)
  local before = self.text:sub(1, at - 1):match("[^\n]*$")
  error({
    line = self:line_of(at), column = text_.width(before) + 1, hint = hint,
    message = text_.escape_terminal(message):gsub("[\n\t]", { ["\n"] = "\\n", ["\t"] = "\\t" }),
  }, 0)
end

function Reader:store(name, value, at)
  self.bytes = self.bytes + #value
  if self.bytes > M.most_bytes then
    self:fail(at, ("the values up to here add up to more than %d bytes"):format(M.most_bytes))
  end
  if not self.values[name] then self.order[#self.order + 1] = name end
  self.values[name] = value
end

-- A name alone.
function Reader:inherit(name, at)
  local value = self.outer(name)
  if value then self:store(name, value, at) end
end

function Reader:expand(value, at)
  local function unset(name)
    if self.unset then self.unset(name, self:line_of(at)) end
  end
  local expanded, message, hint = template.expand(value, self.lookup, unset)
  if expanded then return expanded end
  return self:fail(at, message, hint == template.ESCAPE and ESCAPE or hint)
end

local function shown(piece) return text_.truncate(piece, 40) end

local function line_end(text, at)
  return text:find("\n", at, true) or #text + 1
end

-- Bytes beyond ASCII are letters as far as we can tell.
local NO_NAME = "[^%w_.%-%[%]%s\128-\255]"

function Reader:check_name(name, at)
  local wrong = name:find(NO_NAME)
  if wrong then
    local message = ('unexpected character "%s" in variable name "%s"'):format(name:sub(wrong, wrong), shown(name))
    self:fail(at + wrong - 1, message, LINE)
  end
  local space = name:find("%s")
  if space then self:fail(at + space - 1, ('key cannot contain a space: "%s"'):format(shown(name)), LINE) end
end

local function unquoted(reader, at)
  local last = line_end(reader.text, at)
  local line = reader.text:sub(at, last - 1)
  local comment = line:find(" #", 1, true)
  if comment then line = line:sub(1, comment - 1) end
  local from = line:find("%S") or 1
  return reader:expand(line:match("^.*%S", from) or "", at), last
end

-- The position of the quote that ends what begins at `at`; a backslash takes the next byte with it.
local function closing(text, at, quote)
  local stops = "[\\" .. quote .. "]"
  while true do
    at = text:find(stops, at)
    if not at or text:sub(at, at) == quote then return at end
    at = at + 2
  end
end

local function single(_, value)
  return (value:gsub("\\(.)", { ["'"] = "'" }))
end

-- "$$" is what the variables' grammar calls a "$".
local ESCAPES = {
  a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v", ['"'] = '"', ["\\"] = "\\", ["$"] = "$$",
}

local function unescape(letter, digits)
  if letter == "0" then
    local code = #digits == 3 and tonumber(digits, 8) or 0
    return code > 0 and code < 256 and string.char(code) or nil
  end
  return ESCAPES[letter] and ESCAPES[letter] .. digits
end

local function double(reader, value, at)
  value = value:gsub("\\(.)([0-7]?[0-7]?[0-7]?)", unescape)
  if not utf8.len(value) then reader:fail(at, "with its escapes this value is no UTF-8") end
  return reader:expand(value, at)
end

local function quoted(reader, at)
  local text = reader.text
  local quote = text:sub(at, at)
  local last = closing(text, at + 1, quote)
  if not last then
    reader:fail(at, "unterminated quoted value " .. shown(text:sub(at, line_end(text, at) - 1)),
      ("a %s is missing at its end"):format(quote))
  end
  local after = text:find("[^%s]", last + 1)
  local next_line = line_end(text, last + 1)
  if after and after < next_line and text:sub(after, after) ~= "#" then
    reader:fail(after, ("after the closing %s only a comment may follow"):format(quote),
      ("a %s inside of the value is written \\%s"):format(quote, quote))
  end
  return (quote == "'" and single or double)(reader, text:sub(at + 1, last - 1), at), next_line
end

-- `export` goes with the name that follows it, in the same line.
local function after_export(text, at)
  local name = text:match("^export[ \t\v\f]+()", at)
  return name and text:find("^[^=:\n]", name) and name or at
end

-- One line, or several when its value is quoted; gives where it ends.
local function statement(reader, at)
  local text = reader.text
  at = after_export(text, at)
  local stop = text:find("[=:\n]", at) or #text + 1
  local name = text:sub(at, stop - 1):match("^.*%S") or ""
  reader:check_name(name, at)
  if not text:find("^[=:]", stop) then
    reader:inherit(name, at)
    return stop
  end
  local value_at = text:match("^[^%S\n]*()", stop + 1)
  local value, last
  if text:find("^['\"]", value_at) then value, last = quoted(reader, value_at)
  else value, last = unquoted(reader, stop + 1) end
  reader:store(name, value, at)
  return last
end

local function read_statements(reader)
  local text = reader.text
  local at = text:find("%S")
  while at do
    if text:sub(at, at) == "#" then at = line_end(text, at) else at = statement(reader, at) end
    at = text:find("%S", at)
  end
end

local function raw_line(reader, line, at)
  local name, value = line:match("^([^=]*)=(.*)$")
  name = name or line
  if name == "" then reader:fail(at, "no variable name before the =") end
  if name:find("%s") then reader:fail(at, ('key cannot contain a space: "%s"'):format(shown(name))) end
  if value then reader:store(name, value, at) else reader:inherit(name, at) end
end

-- As `docker run --env-file` reads: no quotes, no variables, values to the last space.
local function read_raw(reader)
  for at, line in reader.text:gmatch("()([^\n]+)") do
    local from = line:find("%S")
    if from and line:sub(from, from) ~= "#" then raw_line(reader, line:sub(from), at + from - 1) end
  end
end

local function check_encoding(reader)
  local zero = reader.text:find("\0", 1, true)
  if zero then reader:fail(zero, "a zero byte: this is no text, or one in UTF-16", "save the file as UTF-8") end
  local fine, wrong = utf8.len(reader.text)
  if not fine then reader:fail(wrong, "this is no UTF-8", "save the file as UTF-8") end
end

--- The variables of a file.
---@param text string
---@param lookup fun(name: string): string?  what is around the file; it wins over the file's own names
---@param options {format: "raw"|nil, earlier: table<string, string>?, unset: fun(name: string, line: integer)?}?
---  `earlier`: values of other files, which the file's own names win over; `unset` is told of every variable that became
---  a blank because it is not set
---@return holos.EnvFile?
---@return {line: integer, column: integer, message: string, hint: string?}? problem  the first one
function M.parse(text, lookup, options)
  options = options or {}
  local values, earlier = {}, options.earlier or {}
  local reader = setmetatable({
    text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n"), outer = lookup, unset = options.unset,
    order = {}, values = values, bytes = 0, counted = 1, line = 1,
    lookup = function(name) return lookup(name) or values[name] or earlier[name] end,
  }, Reader)
  local fine, problem = pcall(function()
    check_encoding(reader)
    if options.format == "raw" then read_raw(reader) else read_statements(reader) end
  end)
  if fine then return { order = reader.order, values = values } end
  if type(problem) ~= "table" or not problem.line then error(problem, 0) end
  return nil, problem
end

return M
