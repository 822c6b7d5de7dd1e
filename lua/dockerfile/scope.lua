--- Variables as a stage sees them, and what they make of texts. Pure.
local lines = require "holos.dockerfile.lines"
local shell = require "holos.dockerfile.shell"
local stage = require "holos.dockerfile.stage"
local table_ = require "holos.core.table"
local text_ = require "holos.core.text"

local M = {}

--- Variables at a time, and what they may hold together: less than a program could be given.
M.most_variables = 1000
M.most_bytes = 1 << 20

-- -- expansion --------------------------------------------------------------------------------------------------------

local function note_undefined(state, seen, values)
  local known = values == state.globals and state.known_globals or state.known_args
  for name in table_.sorted_pairs(seen.bare) do
    if not known[name] and #state.undefined < stage.most_findings then
      state.undefined[#state.undefined + 1] = { line = state.line, name = name, is_from = values == state.globals }
    end
  end
end

local function expand(state, how, text, o)
  o = o or {}
  local values = o.values or state.values
  local result, seen, hint = shell[how](text, values, {
    escape = state.escape, budget = state.budget, skip_quotes = o.skip_quotes, most_bytes = o.most_bytes,
  })
  if not result then
    stage.report(state, ("%s: %s"):format(text_.truncate(text:match("^[^\n]*"), 60), seen), hint)
    return nil
  end
  note_undefined(state, seen, values)
  return result
end

--- A text with its variables, quotes and escapes taken for what they mean; nil when it is wrong, which is reported.
---@param o {values: table?, skip_quotes: boolean?, most_bytes: integer?}?
---@return string?
function M.expand(state, text, o) return expand(state, "word", text, o) end

--- The same as words.
---@return string[]?
function M.expand_words(state, text) return expand(state, "words", text) end

--- The content of a heredoc: quotes mean nothing in it.
function M.expand_content(state, text)
  return expand(state, "word", text, { skip_quotes = true, most_bytes = lines.most_bytes })
end

-- -- variables --------------------------------------------------------------------------------------------------------

local function charge(state, name, value, old)
  local count = state.variable_bytes + #value - #(old or "") + (old and 0 or #name + 16)
  state.variable_bytes = count
  if count <= M.most_bytes and #state.env + #state.arg_names <= M.most_variables then return true end
  if not state.is_full then
    stage.report(state, ("there are more than %d variables, or more than %d bytes in them"):format(M.most_variables, M.most_bytes))
  end
  state.is_full = true
  return false
end

--- Whether a name may be a variable's; else it is reported.
function M.check_name(state, name)
  if name:find("^[%a_][%w_]*$") then return true end
  stage.report(state, name == "" and "names of variables can not be blank" or ("%q is no name of a variable"):format(name),
    "names have letters, digits and _, and do not begin with a digit")
  return false
end

--- Sets a variable for all that follows, and for the machine.
function M.set_env(state, name, value)
  local old = state.env_values[name]
  if not charge(state, name, value, old) then return end
  state.env_values[name], state.snapshot = value, nil
  local pair = { name = name, value = value }
  local place = state.env_places[name] or #state.env + 1
  state.env[place], state.env_places[name] = pair, place
end

--- Declares an argument: it is seen by all that follows, and no part of the machine. Without a value it keeps the one it has.
function M.set_arg(state, name, value)
  state.known_args[name] = true
  if value == nil then return end
  local old = state.arg_values[name]
  if not charge(state, name, value, old) then return end
  if not old then state.arg_names[#state.arg_names + 1] = name end
  state.arg_values[name], state.snapshot = value, nil
end

local function add_unless_set(state, list, name, value)
  if value and not state.env_values[name] then list[#list + 1] = { name = name, value = value } end
end

--- The variables that a step gets: those of ENV, and the arguments that none of them hides. The same table until one changes.
---@return {name: string, value: string}[]
function M.environment(state)
  if state.snapshot then return state.snapshot end
  local list = {}
  add_unless_set(state, list, "PATH", stage.default_path)
  for _, pair in ipairs(state.env) do list[#list + 1] = pair end
  for _, name in ipairs(state.arg_names) do add_unless_set(state, list, name, state.arg_values[name]) end
  for _, name in ipairs(stage.proxies) do
    for _, spelling in ipairs { name, name:lower() } do
      if not state.arg_values[spelling] then add_unless_set(state, list, spelling, state.proxies[spelling]) end
    end
  end
  state.snapshot = list
  return list
end

return M
