--- Command lines by option tables: one table gives parsing here, and help, completion and man page elsewhere. Pure.
---
--- An option: { "-n", "--tail", value = "LINES", kind = "integer", help = "…", repeated = true, choices =, least =
--- 0 }. Its field in the result is the first long name with "_" for "-". kind: string (default), integer, duration
--- (ms; a bare number is seconds), moment (as core/units has it), size (bytes), choice; an option without `value` is a
--- flag. With `bare = TEXT` the value may be left out, which stands for that text; it is then given behind "=" only. With
--- `of = "export, import"` it is for these actions alone, the first argument being the action. An argument: { name =,
--- optional =, repeated =, rest =, choices = }.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local text = lazy "holos.core.text"
local units = lazy "holos.core.units"

local M = {}

M.USAGE = 64

local function usage(message, hint)
  err.raise { message = message, code = "EUSAGE", exit = M.USAGE, hint = hint }
end

--- The field that an option fills: "lock_timeout" for --lock-timeout.
function M.field(option)
  for _, name in ipairs(option) do
    local long = name:match("^%-%-(.+)$")
    if long then return (long:gsub("-", "_")) end
  end
  return (option[1]:gsub("^%-", ""))
end

--- Every spelling of the options: "-n", "--tail", and "-tail", as single-dash long names are accepted.
function M.index(options)
  local by_name, names = {}, {}
  for _, option in ipairs(options) do
    for _, name in ipairs(option) do
      by_name[name], names[#names + 1] = option, name
      local long = name:match("^%-%-(..+)$")
      if long and not by_name["-" .. long] then by_name["-" .. long] = option end
    end
  end
  return by_name, names
end

M.kinds = {}

function M.kinds.string(value) return value end

function M.kinds.integer(value, option)
  local number = value:find("^%-?%d+$") and math.tointeger(tonumber(value))
  if not number then return nil, ("expected a whole number, got %q"):format(value) end
  if option.least and number < option.least then return nil, ("%d is below %d"):format(number, option.least) end
  return number
end

function M.kinds.duration(value)
  return units.parse_duration(value:find("^%d+$") and value .. "s" or value)
end

function M.kinds.moment(value) return units.parse_moment(value:find("^%d+$") and value .. "s" or value) end

function M.kinds.size(value) return units.parse_bytes(value) end

function M.kinds.choice(value, option)
  for _, choice in ipairs(option.choices) do
    if choice == value then return value end
  end
  local near = text.nearest(value, option.choices)
  return nil, ("expected %s, got %q"):format(table.concat(option.choices, ", "), value),
    near and ("did you mean %s?"):format(near)
end

--- "--flag=false" and the like.
function M.kinds.flag(value)
  if value == "true" or value == "false" then return value == "true" end
  return nil, ("takes no value but true or false, got %q"):format(value)
end

local function convert(option, name, value)
  local converted, message, hint = M.kinds[option.value and (option.kind or "string") or "flag"](value, option)
  if converted == nil then usage(("%s: %s"):format(name, message), hint) end
  return converted
end

local function store(result, option, name, text_value)
  local field, value = M.field(option), convert(option, name, text_value)
  if not option.repeated then
    result[field] = value
  else
    result[field] = result[field] or {}
    table.insert(result[field], value)
  end
end

local function unknown(word, names)
  local near = #word > 2 and text.nearest(word, names) or nil
  usage(("unknown option %s"):format(word), near and ("did you mean %s?"):format(near))
end

local Parser = {}
Parser.__index = Parser

function Parser:store(option, name, value)
  self.given[#self.given + 1] = { option = option, name = name }
  store(self.result, option, name, value)
end

--- One word that begins with a dash; gives how many words it took.
function Parser:option(words, at)
  local word = words[at]
  local name, value = word:match("^(%-%-?[^=]+)=(.*)$")
  name = name or word
  local option = self.by_name[name]
  if not option then return self:bundle(words, at) end
  if value or not option.value or option.bare then
    self:store(option, name, value or option.bare or "true")
    return 1
  end
  if words[at + 1] == nil then usage(("%s wants a value (%s)"):format(name, option.value)) end
  self:store(option, name, words[at + 1])
  return 2
end

--- "-qf FILE", "-n5": short options written together.
function Parser:bundle(words, at)
  local word = words[at]
  local letters = word:match("^%-(%w.*)$")
  if not letters then unknown(word, self.names) end
  for position = 1, #letters do
    local name = "-" .. letters:sub(position, position)
    local option = self.by_name[name] or unknown(word, self.names)
    if option.value then
      local value = letters:sub(position + 1)
      if value ~= "" then
        self:store(option, name, value)
        return 1
      end
      return self:option({ name, words[at + 1] }, 1)
    end
    self:store(option, name, "true")
  end
  return 1
end

local function takes_rest(arguments, count)
  local argument = arguments[count]
  return argument ~= nil and argument.rest or false
end

-- The definition that the argument at `position` falls under; the last one repeats.
local function argument_at(spec, position)
  local last = spec.arguments and spec.arguments[#spec.arguments]
  return spec.arguments and spec.arguments[position] or last and last.repeated and last or nil
end

local function check_arguments(spec, found)
  local least, most = 0, 0
  for _, argument in ipairs(spec.arguments or {}) do
    if not argument.optional then least = least + 1 end
    most = argument.repeated and math.huge or most + 1
  end
  if #found < least then usage(("missing %s"):format(spec.arguments[#found + 1].name), spec.usage()) end
  if #found > most then usage(("%q is one argument too many"):format(found[most + 1]), spec.usage()) end
  for position, word in ipairs(found) do
    local argument = argument_at(spec, position)
    if argument.choices then
      local fine, message, hint = M.kinds.choice(word, argument)
      if not fine then usage(("%s: %s"):format(argument.name, message), hint) end
    end
  end
end

-- What another action would do with an option is not guessed at.
local function check_actions(spec, given, action)
  for _, use in ipairs(given) do
    local actions = use.option.of
    if actions and not (", %s,"):format(actions):find((" %s,"):format(action), 1, true) then
      usage(("%s is for %s only"):format(use.name, actions:gsub(", (%l+)$", " and %1")), spec.usage())
    end
  end
end

--- Parses words against a spec. Options may stand anywhere before "--"; where an argument marked `rest` is due, all
--- words that are left belong to it.
---@param words string[]
---@param spec {options: table[], arguments: table[], usage: fun(): string}
---@param result table?  to be filled; the parsed global options, for a command
---@return table result  fields of options, and `arguments`: the positional words; unchecked when --help was given
function M.parse(words, spec, result)
  local parser = setmetatable({ result = result or {}, given = {} }, Parser)
  parser.by_name, parser.names = M.index(spec.options)
  local found, at = {}, 1
  while words[at] do
    local word = words[at]
    if word == "--" then
      table.move(words, at + 1, #words, #found + 1, found)
      break
    elseif word:find("^%-.") and not takes_rest(spec.arguments, #found + 1) then
      at = at + parser:option(words, at)
    else
      found[#found + 1], at = word, at + 1
      if takes_rest(spec.arguments, #found) then
        table.move(words, at, #words, #found + 1, found)
        break
      end
    end
  end
  if not parser.result.help then
    check_arguments(spec, found)
    check_actions(spec, parser.given, found[1])
  end
  parser.result.arguments = found
  return parser.result
end

return M
