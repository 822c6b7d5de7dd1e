--- Patterns of file names: those of COPY and ADD (Go's filepath.Match), and the pieces that .dockerignore is made of. Pure.
--- A pattern becomes a list of pieces, and matching keeps the set of places where what is left of a name may begin: no
--- pattern takes longer than its length times that of the name.
local M = {}

---@alias holos.GlobPiece {kind: "text"|"one"|"some"|"deep"|"all"|"set", text: string?, not_in: boolean?, ranges: integer[][]?}
--- one: a character but "/". some: any number of those. deep: nothing, or whole directories with their "/". all: anything.

local BAD = "syntax error in pattern"

-- Where the character at `at` ends. What is no UTF-8 counts byte by byte.
local function after(text, at)
  local byte = text:byte(at)
  if byte < 0xC2 then return at + 1 end
  local _, last = text:find("^[\xC2-\xF4][\x80-\xBF]+", at)
  local wanted = at + (byte < 0xE0 and 1 or byte < 0xF0 and 2 or 3)
  return last and last >= wanted and wanted + 1 or at + 1
end

local function code_of(text, at, last)
  return last - at > 1 and utf8.len(text, at, last - 1) and utf8.codepoint(text, at) or text:byte(at)
end

-- One end of a range: a character, or an escaped one.
local function bound(pattern, at)
  local first = pattern:sub(at, at)
  if first == "" or first == "-" or first == "]" then return nil end
  if first == "\\" then at = at + 1 end
  if at > #pattern then return nil end
  local next_at = after(pattern, at)
  return code_of(pattern, at, next_at), next_at
end

--- The set that begins with "[" at a place.
---@return holos.GlobPiece? piece  nil: it is none
---@return integer next_at
function M.set(pattern, at)
  local piece = { kind = "set", ranges = {} }
  at = at + 1
  if pattern:sub(at, at) == "^" then piece.not_in, at = true, at + 1 end
  local from = at
  while pattern:sub(at, at) ~= "]" or #piece.ranges == 0 do
    local low, high, next_at
    low, next_at = bound(pattern, at)
    if not low then return nil, at end
    high = low
    if pattern:sub(next_at, next_at) == "-" then high, next_at = bound(pattern, next_at + 1) end
    if not high then return nil, at end
    piece.ranges[#piece.ranges + 1], at = { low, high }, next_at
  end
  piece.text = pattern:sub(from, at - 1)
  return piece, at + 1
end

-- A run of characters that stand for themselves.
local function add_text(pieces, text)
  local last = pieces[#pieces]
  if last and last.kind == "text" then
    last.text = last.text .. text
  else
    pieces[#pieces + 1] = { kind = "text", text = text }
  end
end

local readers = {}

readers["*"] = function(pieces, _, at)
  if not (pieces[#pieces] and pieces[#pieces].kind == "some") then pieces[#pieces + 1] = { kind = "some" } end
  return at + 1
end

readers["?"] = function(pieces, _, at)
  pieces[#pieces + 1] = { kind = "one" }
  return at + 1
end

readers["["] = function(pieces, pattern, at)
  local piece, next_at = M.set(pattern, at)
  pieces[#pieces + 1] = piece
  return piece and next_at
end

readers["\\"] = function(pieces, pattern, at)
  if at == #pattern then return nil end
  add_text(pieces, pattern:sub(at + 1, at + 1))
  return at + 2
end

--- The pieces of a pattern of COPY.
---@return holos.GlobPiece[]? pieces
---@return string? message
function M.parse(pattern)
  local pieces, at = {}, 1
  while at <= #pattern do
    local read = readers[pattern:sub(at, at)]
    if read then
      at = read(pieces, pattern, at)
      if not at then return nil, BAD end
    else
      local last = (pattern:find("[*?%[\\]", at) or #pattern + 1) - 1
      add_text(pieces, pattern:sub(at, last))
      at = last + 1
    end
  end
  return pieces
end

local function is_in(piece, code)
  for _, range in ipairs(piece.ranges) do
    if code >= range[1] and code <= range[2] then return not piece.not_in end
  end
  return piece.not_in or false
end

local steppers = {}

function steppers.text(piece, name, at, to)
  if name:sub(at, at + #piece.text - 1) == piece.text then to[at + #piece.text] = true end
end

function steppers.one(_, name, at, to)
  if at <= #name and name:sub(at, at) ~= "/" then to[after(name, at)] = true end
end

function steppers.set(piece, name, at, to)
  if at > #name then return end
  local next_at = after(name, at)
  if is_in(piece, code_of(name, at, next_at)) then to[next_at] = true end
end

-- Places that are in the set already have gone this way.
function steppers.some(_, name, at, to)
  while not to[at] do
    to[at] = true
    if at > #name or name:sub(at, at) == "/" then return end
    at = after(name, at)
  end
end

function steppers.all(_, name, at, to)
  while not to[at] and at <= #name do
    to[at] = true
    at = after(name, at)
  end
  to[at] = true
end

function steppers.deep(_, name, at, to)
  to[at] = true
  while true do
    local slash = name:find("/", at, true)
    if not slash or to[slash + 1] then return end
    at = slash + 1
    to[at] = true
  end
end

--- Whether the pieces match all of a name.
---@param pieces holos.GlobPiece[]
---@param name string
function M.matches(pieces, name)
  local places = { [1] = true }
  for _, piece in ipairs(pieces) do
    local to, step = {}, steppers[piece.kind]
    for at in pairs(places) do step(piece, name, at, to) end
    if next(to) == nil then return false end
    places = to
  end
  return places[#name + 1] == true
end

--- Whether a text is a pattern, and not simply a name.
function M.is_pattern(text) return text:find("[*?%[\\]") ~= nil end

return M
