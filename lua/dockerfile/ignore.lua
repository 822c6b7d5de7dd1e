--- .dockerignore: which files of a directory are left out. Pure.
--- The last pattern that matches a path, or a directory above it, decides; "!" takes back in.
local glob = require "holos.dockerfile.glob"
local path = require "holos.core.path"

local M = {}

---@class holos.IgnorePattern
---@field text string     as cleaned, without "!"
---@field takes_back boolean
---@field kind "exact"|"prefix"|"suffix"|"pattern"  how it is compared; only a `pattern` needs its pieces
---@field pieces holos.GlobPiece[]

-- As Go's filepath.Clean does it, without what leads to the root.
local function clean(text)
  local cleaned = path.normalize(text)
  if #cleaned > 1 then cleaned = cleaned:gsub("^/+", "") end
  return cleaned
end

local function trim(text) return text:match("^%s*(.-)%s*$") end

--- The patterns in the text of a file.
---@return string[]
function M.read(text)
  local patterns = {}
  for line in text:gsub("^\xEF\xBB\xBF", ""):gmatch("[^\n]+") do
    local pattern = line:sub(1, 1) ~= "#" and trim(line) or ""
    local mark, rest = pattern:match("^(!?)(.*)$")
    rest = trim(rest)
    if rest ~= "" then rest = clean(rest) end
    if pattern ~= "" then patterns[#patterns + 1] = mark .. rest end
  end
  return patterns
end

-- "**" and what follows it. At the end it takes everything; elsewhere, whole directories.
local function deep_piece(pattern, text, at)
  at = at + 2
  if text:sub(at, at) == "/" then at = at + 1 end
  local is_first, is_last = #pattern.pieces == 0, at > #text
  if not is_last then
    pattern.kind = is_first and "suffix" or "pattern"
  else
    pattern.kind = is_first and "suffix" or pattern.kind == "exact" and "prefix" or "pattern"
  end
  pattern.pieces[#pattern.pieces + 1] = { kind = is_last and "all" or "deep" }
  return at
end

-- What stands between two places of "**" is as in patterns of COPY.
local function plain_pieces(pattern, text)
  local pieces, message = glob.parse(text)
  if not pieces then return message end
  for _, piece in ipairs(pieces) do
    if piece.kind ~= "text" or text:find("\\", 1, true) then pattern.kind = "pattern" end
    pattern.pieces[#pattern.pieces + 1] = piece
  end
end

-- Where the next "**" begins that is none of a set's or escaped.
local function find_deep(text, at)
  while at <= #text do
    local byte = text:sub(at, at)
    if byte == "*" and text:sub(at + 1, at + 1) == "*" then return at end
    local _, next_at
    if byte == "[" then _, next_at = glob.set(text, at) end
    at = byte == "\\" and at + 2 or math.max(next_at or 0, at + 1)
  end
  return #text + 1
end

local function compile(text)
  local pattern = { takes_back = text:sub(1, 1) == "!", kind = "exact", pieces = {} }
  if pattern.takes_back then text = text:sub(2) end
  pattern.text = clean(text)
  local at = 1
  while at <= #pattern.text do
    local deep = find_deep(pattern.text, at)
    local message = deep > at and plain_pieces(pattern, pattern.text:sub(at, deep - 1))
    if message then return nil, message end
    at = deep <= #pattern.text and deep_piece(pattern, pattern.text, deep) or deep
  end
  return pattern
end

--- Patterns in the order of the file, ready to be matched.
---@param patterns string[]
---@return holos.IgnorePattern[]? compiled
---@return string? message
function M.compile(patterns)
  local compiled = {}
  for _, text in ipairs(patterns) do
    text = trim(text)
    if text == "!" then return nil, 'illegal exclusion pattern: "!"' end
    if text ~= "" then
      local pattern, message = compile(text)
      if not pattern then return nil, ("%s: %q"):format(message, text) end
      compiled[#compiled + 1] = pattern
    end
  end
  return compiled
end

local comparers = {}

function comparers.exact(pattern, name) return name == pattern.text end

function comparers.prefix(pattern, name)
  local prefix = pattern.text:sub(1, -3)
  return name:sub(1, #prefix) == prefix
end

function comparers.suffix(pattern, name)
  local suffix = pattern.text:sub(3)
  return name:sub(-#suffix) == suffix or suffix == "" or suffix == "/" .. name
end

function comparers.pattern(pattern, name) return glob.matches(pattern.pieces, name) end

local function matches(pattern, name) return comparers[pattern.kind](pattern, name) end

-- The directories above a path, the path last.
local function levels(name)
  local list = {}
  for at in name:gmatch("()/") do list[#list + 1] = name:sub(1, at - 1) end
  list[#list + 1] = name
  return list
end

local function matches_any(pattern, list)
  for _, name in ipairs(list) do
    if matches(pattern, name) then return true end
  end
  return false
end

--- Whether a path is left out.
---@param compiled holos.IgnorePattern[]
---@param name string  relative to the directory that the patterns are for
function M.matches(compiled, name)
  local list, is_ignored = levels(clean(name)), false
  for _, pattern in ipairs(compiled) do
    if pattern.takes_back == is_ignored and matches_any(pattern, list) then is_ignored = not pattern.takes_back end
  end
  return is_ignored
end

--- Whether something below a directory that is left out may be taken back in, so that one has to look into it.
function M.may_hold(compiled, directory)
  for _, pattern in ipairs(compiled) do
    local first = pattern.takes_back and pattern.text
    if first and (pattern.kind ~= "exact" or first:sub(1, #directory + 1) == directory .. "/") then return true end
  end
  return false
end

return M
