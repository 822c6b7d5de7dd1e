--- Variables, quotes and escapes of a Dockerfile's arguments, and how they become words. Pure.
--
-- $name ${name} and ${name OP word} with OP one of :- - :+ + :? ? # ## % %% / //. In single quotes nothing means anything,
-- in double quotes variables do. Whatever a text holds, it costs no more than its budget allows.
local pattern = require "holos.dockerfile.pattern"
local word_list = require "holos.dockerfile.word_list"

local M = {}

--- How to write a "$" that is no variable.
M.ESCAPE = 'a "$" that stands for itself is written "\\$"'

--- Substitutions inside of substitutions.
M.depth_limit = 50

--- What a word may grow to by its variables: no program could be given more (MAX_ARG_STRLEN of Linux).
M.most_bytes = 131072

--- What one file's substitutions may cost altogether: bytes made, and steps of pattern matching.
function M.budget() return { bytes = 32 << 20, steps = 1000000 } end

local function fail(state, message, hint)
  state.message, state.hint = message, hint
end

local function missing(state, from, what)
  local piece = state.text:sub(from, from + 39):match("^[^\n]*")
  local is_quote = what == "'" or what == '"'
  return fail(state, ("there is no closing %s for %s"):format(what, piece),
    is_quote and ("a quote that stands for itself, outside of quotes: %s%s"):format(state.escape, what) or M.ESCAPE)
end

-- -- variables --------------------------------------------------------------------------------------------------------

-- Names are letters, digits and "_"; other alphabets have letters too. A number, or one special character, is a name.
local function read_name(state)
  local text, at = state.text, state.at
  local name = text:match("^%d+", at) or text:match("^[@*#?%-$!]", at) or text:match("^[%a_\x80-\xFF][%w_\x80-\xFF]*", at) or ""
  state.at = at + #name
  return name
end

-- `has_word`: something is said for when it is not set.
local function lookup(state, name, has_word)
  local value = state.environment[name]
  local seen = value and state.matched or state.unmatched
  seen[name] = true
  if value == nil and not has_word then state.bare[name] = true end
  return value
end

local read_until

local function spend(state, text)
  local budget = state.budget
  budget.bytes = budget.bytes - #text
  if budget.bytes < 0 then
    return fail(state, "its variables, or those before it, make too much text of it")
  end
  if #text > state.most_bytes then
    return fail(state, ("with its variables it would be longer than %d bytes"):format(state.most_bytes))
  end
  return text
end

local function spent(state, text)
  if state.budget.steps > 0 then return spend(state, text) end
  return fail(state, "its patterns, or those before it, take too long to match")
end

local choose = {}

choose["-"] = function(_, value, is_blank, word) return is_blank and word or value end
choose["+"] = function(_, _, is_blank, word) return is_blank and "" or word end

choose["?"] = function(state, value, is_blank, word, name)
  if not is_blank then return value end
  local default = value and "is not allowed to be empty" or "is not allowed to be unset"
  return fail(state, ("%s: %s"):format(name, word ~= "" and word or default), ("ARG %s=…"):format(name))
end

local function trimmed(trim, sign)
  return function(state, value, _, word)
    local is_longest = word:sub(1, 1) == sign
    local blocks, message = pattern.parse(is_longest and word:sub(2) or word)
    if not blocks then return fail(state, message) end
    return spent(state, pattern[trim](value or "", blocks, is_longest, state.budget))
  end
end

choose["#"], choose["%"] = trimmed("trim_start", "#"), trimmed("trim_end", "%")

local function unsupported(state, operator)
  return fail(state, ("unsupported modifier (%s) in substitution"):format(operator),
    "known are :- - :+ + :? ? # ## % %% / //\n" .. M.ESCAPE)
end

-- ${name OP word}
local function with_word(state, from, name, operator)
  local kind = operator:sub(-1)
  local is_pattern = kind == "#" or kind == "%"
  if not choose[kind] or is_pattern and #operator == 2 then return unsupported(state, operator) end
  state.at = state.at + #operator
  local word = read_until(state, "}", is_pattern)
  if not word then return not state.message and missing(state, from, "}") or nil end
  local value = lookup(state, name, not is_pattern)
  if state.skip_unset and value == nil then return state.text:sub(from, state.at - 1) end
  local is_blank = value == nil or #operator == 2 and value == ""
  return choose[kind](state, value, is_blank, word, name)
end

-- ${name/pattern/replacement} and ${name//pattern/replacement}
local function with_replacement(state, from, name)
  local is_everywhere = state.text:sub(state.at + 1, state.at + 1) == "/"
  state.at = state.at + (is_everywhere and 2 or 1)
  local wanted = read_until(state, "/", true)
  if not wanted then return not state.message and missing(state, from, "/") or nil end
  local replacement = read_until(state, "}", true)
  if not replacement then return not state.message and missing(state, from, "}") or nil end
  local value = lookup(state, name)
  if state.skip_unset and value == nil then return state.text:sub(from, state.at - 1) end
  local blocks, message = pattern.parse(wanted)
  if not blocks then return fail(state, message) end
  return spent(state, pattern.replace(value or "", blocks, replacement, is_everywhere, state.budget))
end

local function braced(state, from)
  state.at = from + 2
  if state.text:find("^[{}:]", state.at) then
    return fail(state, ('"%s" is a bad substitution: a name comes after "${"'):format(state.text:sub(from, from + 2)), M.ESCAPE)
  end
  local name = read_name(state)
  local operator = state.text:match("^:?.", state.at)
  if not operator then return missing(state, from, "}") end
  if operator == "}" then
    state.at = state.at + 1
    local value = lookup(state, name)
    if value == nil and state.skip_unset then return state.text:sub(from, state.at - 1) end
    return value or ""
  end
  if operator == "/" then return with_replacement(state, from, name) end
  return with_word(state, from, name, operator)
end

-- What the "$" at the state's place stands for.
local function dollar(state)
  local from = state.at
  if state.text:sub(from + 1, from + 1) == "{" then return braced(state, from) end
  state.at = from + 1
  local name = read_name(state)
  if name == "" then return "$" end
  local value = lookup(state, name)
  if value == nil and state.skip_unset then return state.text:sub(from, state.at - 1) end
  return value or ""
end

-- -- quotes -----------------------------------------------------------------------------------------------------------

local function single_quoted(state)
  local from = state.at
  local stop = state.text:find("'", from + 1, true)
  if not stop then return missing(state, from, "'") end
  state.at = stop + 1
  return state.raw_quotes and state.text:sub(from, stop) or state.text:sub(from + 1, stop - 1)
end

-- The escape character inside double quotes: it protects a few characters, and is itself everywhere else.
local function escape_in_quotes(state)
  local following = state.text:sub(state.at + 1, state.at + 1)
  state.at = state.at + 1
  if following == "" then return "" end
  if following ~= '"' and following ~= "$" and following ~= state.escape then return state.escape end
  state.at = state.at + 1
  return state.raw_escapes and state.escape .. following or following
end

local function double_quoted(state)
  local from, text = state.at, state.text
  local parts = { state.raw_quotes and '"' or "" }
  state.at = from + 1
  while true do
    local stop = text:find('["$%' .. state.escape .. "]", state.at)
    if not stop then return missing(state, from, '"') end
    parts[#parts + 1] = text:sub(state.at, stop - 1)
    state.at = stop
    local char = text:sub(stop, stop)
    if char == '"' then break end
    local made = char == "$" and dollar(state) or char ~= "$" and escape_in_quotes(state)
    if not made or not spend(state, made) then return nil end
    parts[#parts + 1] = made
  end
  state.at = state.at + 1
  parts[#parts + 1] = state.raw_quotes and '"' or ""
  return table.concat(parts)
end

-- -- whole texts ------------------------------------------------------------------------------------------------------

-- "<<" or "<<-" and the blanks behind it belong to the word that follows: it may be the name of a heredoc.
local function angle(state)
  local made = state.text:match("^<<%-?%s*", state.at) or "<"
  state.at = state.at + #made
  return made
end

local function escaped(state, raw_escapes)
  local char = state.text:match("^" .. utf8.charpattern, state.at + 1) or state.text:sub(state.at + 1, state.at + 1)
  state.at = state.at + 1 + #char
  return raw_escapes and state.escape .. char or char
end

-- What the special character at the state's place becomes, and how it counts for words.
local function special(state, char, raw_escapes)
  if char == "$" then return dollar(state), "add_plain" end
  if char == state.escape then return escaped(state, raw_escapes), "add_whole" end
  if char == "'" then return single_quoted(state), "add_whole" end
  if char == '"' then return double_quoted(state), "add_whole" end
  return angle(state), "add_whole"
end

-- Everything up to a character that is left out, or to the end; nil when the character never comes.
function read_until(state, stop_at, raw_escapes, words)
  if state.depth >= M.depth_limit then
    return fail(state, ("its substitutions stand inside each other more than %d levels deep"):format(M.depth_limit))
  end
  local outer = state.raw_escapes
  state.depth, state.raw_escapes = state.depth + 1, raw_escapes
  local parts, text = {}, state.text
  local class = "[<$%" .. state.escape .. (state.skip_quotes and "" or "'\"") .. (stop_at and "%" .. stop_at or "") .. "]"
  local char
  repeat
    local stop = text:find(class, state.at) or #text + 1
    local plain = text:sub(state.at, stop - 1)
    parts[#parts + 1] = plain
    if words then word_list.add_plain(words, plain) end
    state.at, char = stop, text:sub(stop, stop)
    if char ~= stop_at and char ~= "" then
      local made, add = special(state, char, raw_escapes)
      if not made or not spend(state, made) then return nil end
      parts[#parts + 1] = made
      if words then word_list[add](words, made) end
    end
  until char == stop_at or char == ""
  state.depth, state.raw_escapes = state.depth - 1, outer
  if char == "" and stop_at then return nil end
  state.at = state.at + 1
  return spend(state, table.concat(parts))
end

local function state_of(text, environment, o)
  return {
    text = text, at = 1, depth = 0, environment = environment, matched = {}, unmatched = {}, bare = {},
    escape = o.escape or "\\",
    raw_quotes = o.raw_quotes, raw_escapes = o.raw_escapes or false, skip_quotes = o.skip_quotes, skip_unset = o.skip_unset,
    most_bytes = o.most_bytes or M.most_bytes, budget = o.budget or M.budget(),
  }
end

---@class holos.dockerfile.ShellOptions
---@field escape string?        "\\" where nothing is said
---@field raw_quotes boolean?   quotes stay
---@field raw_escapes boolean?  escapes stay
---@field skip_quotes boolean?  quotes are characters like others
---@field skip_unset boolean?   variables that are not set stay
---@field most_bytes integer?   the result is refused when it is longer
---@field budget {bytes: integer, steps: integer}?  shared by all texts of a file

--- A text with its variables, quotes and escapes taken for what they mean.
---@param environment table<string, string>
---@param o holos.dockerfile.ShellOptions?
---@return string? result
---@return string|{matched: table, unmatched: table, bare: table} seen  sets of names, or the message; bare are those that are
---        not set where nothing is said for that
---@return string? hint
function M.word(text, environment, o)
  local state = state_of(text, environment, o or {})
  local result = read_until(state, nil, state.raw_escapes)
  if not result then return nil, state.message, state.hint end
  return result, state
end

--- The same as words: blanks that are neither quoted nor escaped end them, those inside of variables too.
---@return string[]? words
function M.words(text, environment, o)
  local state, words = state_of(text, environment, o or {}), word_list.new()
  local result = read_until(state, nil, state.raw_escapes, words)
  if not result then return nil, state.message, state.hint end
  return word_list.finish(words), state
end

return M
