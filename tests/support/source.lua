--- Reads our own sources for the tests of architecture: Lua tokens, lengths of functions, what a module requires.

local files = require "tests.support.files"

local M = {}

--- The tree that is tested.
function M.root()
  return files.directory .. "/.."
end

--- All files below a directory of the tree, as {path = "lua/core/err.lua", text =}.
function M.list(directory, pattern)
  local list = {}
  for _, full in ipairs(files.below(M.root() .. "/" .. directory, pattern)) do
    list[#list + 1] = { path = full:sub(#M.root() + 2), text = files.read(full) }
  end
  return list
end

--- One file of the tree.
function M.file(path)
  return { path = path, text = assert(files.read(M.root() .. "/" .. path), path) }
end

-- The end of a long bracket "[==[ … ]==]" that begins at `at`, or nil.
local function long_bracket(text, at)
  local level = text:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, last = text:find("]" .. level .. "]", at, true)
  return last or #text
end

local function comment_end(text, at)
  return long_bracket(text, at + 2) or (text:find("\n", at, true) or #text + 1) - 1
end

local function string_end(text, at, quote)
  local position = at + 1
  while position <= #text do
    local byte = text:sub(position, position)
    if byte == quote then return position end
    position = position + (byte == "\\" and 2 or 1)
  end
  return #text
end

-- The last position of the token at `at`, and whether it is code (no comment, string or blank).
local function token_end(text, at)
  local char = text:sub(at, at)
  if text:sub(at, at + 1) == "--" then return comment_end(text, at), false end
  if char == '"' or char == "'" then return string_end(text, at, char), false end
  if char == "[" and long_bracket(text, at) then return long_bracket(text, at), false end
  local _, word = text:find("^[%a_][%w_]*", at)
  if word then return word, true end
  local _, last = text:find("^[^%a_\"'%[%-]+", at + 1)
  return last or at, false
end

--- `for word, line, position in source.words(text)`: names and keywords of Lua code, without comments and strings.
function M.words(text)
  local at, line = 1, 1
  return function()
    while at <= #text do
      local first, first_line = at, line
      local last, is_word = token_end(text, at)
      local token = text:sub(first, last)
      line = line + select(2, token:gsub("\n", ""))
      at = last + 1
      if is_word then return token, first_line, first end
    end
  end
end

local OPENS = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }

--- The functions of a Lua text: {line =, lines =} each.
function M.lua_functions(text)
  local open, functions = {}, {}
  for word, line in M.words(text) do
    if OPENS[word] then
      open[#open + 1] = { word = word, line = line }
    elseif CLOSES[word] then
      local block = table.remove(open)
      if block.word == "function" then
        functions[#functions + 1] = { line = block.line, lines = line - block.line + 1 }
      end
    end
  end
  return functions
end

--- The functions of a C text in Linux style: a body begins and ends with a brace in the first column.
function M.c_functions(text)
  local functions, first, line = {}, nil, 0
  for content in (text .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    if content == "{" then first = line end
    if content == "}" and first then
      functions[#functions + 1] = { line = first, lines = line - first + 1 }
      first = nil
    end
  end
  return functions
end

--- How many lines a text has.
function M.lines(text)
  return select(2, text:gsub("\n", ""))
end

--- Names of the modules that a Lua text requires by a literal name, at once or when they are needed (holos.core.lazy), with
--- their lines: {name =, line =}.
function M.requires(text)
  local list, line = {}, 0
  for content in (text .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    local code = content:gsub("%-%-.*$", "")
    for word, name in code:gmatch("%f[%w_](%l+)%s*%(?%s*[\"']([%w_.]+)[\"']") do
      if word == "require" or word == "lazy" then list[#list + 1] = { name = name, line = line } end
    end
  end
  return list
end

--- C code without comments and without what stands in strings.
function M.c_code(text)
  return (text:gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", " ")) end))
end

return M
