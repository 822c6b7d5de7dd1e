--- Holds a plain tree against its rules: brings values into their final form in place, and collects all findings. Pure.
--
-- A value that does not fit is reported and taken out (`false` in its place in a list, so that positions stay), and
-- later stages may still look at the rest.
local lazy = require "holos.core.lazy"
local hints = lazy "holos.core.schema.hints"
local json = require "holos.core.json"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"
local units = lazy "holos.core.units"
local walk = require "holos.core.schema.walk"

local M = {}

--- A fresh walk. `marks`, `context` and `incomplete` may be nil.
---@return holos.At
function M.new(marks, context, incomplete) return walk.new(marks, context, incomplete) end

local checkers = {}

-- Reports what was found and what is wanted; gives nil, so that a checker can return it.
local function wrong(rule, value, at, hint)
  local found = rule.is_private and "something else" or schema.show(value)
  at:report(("expected %s, got %s"):format(schema.describe(rule), found), hint or hints.kind(rule, value, at.keys[at.depth]))
end

--- `value` in its final form; nil when it does not fit, which is then among the findings.
function M.value(rule, value, at)
  return checkers[rule.kind](rule, value, at)
end

function checkers.any(_, value) return value end

-- Most tables are mappings without a metatable.
local function is_map(value)
  return type(value) == "table" and (getmetatable(value) == nil or schema.kind_of(value) == "map")
end

local QUOTABLE = { integer = true, number = true, boolean = true }

function checkers.text(rule, value, at)
  if type(value) ~= "string" then
    local hint = QUOTABLE[schema.kind_of(value)] and ('put it in quotes: "%s"'):format(tostring(value)) or nil
    return wrong(rule, value, at, hint)
  end
  if value == "" and not rule.empty then return at:report("is empty; expected " .. schema.describe(rule)) end
  if rule.pattern and not value:find(rule.pattern) then
    return wrong(rule, value, at, rule.advise and rule.advise(value) or rule.hint)
  end
  if rule.most and #value > rule.most then
    return at:report(("is %d bytes long; at most %d fit"):format(#value, rule.most))
  end
  local message, hint
  if rule.check then message, hint = rule.check(value) end
  if message then return at:report(message, hint) end
  return value
end

-- Digits in quotes count as the number they show; those beyond 64 bits stay text and are out of any range.
local function whole_number(value)
  if type(value) == "string" and value:find("^%-?%d+$") then return math.tointeger(tonumber(value)) end
  return math.type(value) == "integer" and value or nil
end

function checkers.integer(rule, value, at)
  local number = whole_number(value)
  local fits = number and number >= (rule.least or number) and number <= (rule.most or number)
  if fits then return number end
  return wrong(rule, value, at, rule.hint)
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

-- YAML 1.1 took these for booleans, and many files have them.
local YES_NO = { yes = true, no = false, on = true, off = false, y = true, n = false }

function checkers.boolean(rule, value, at)
  if type(value) == "boolean" then return value end
  if BOOLEANS[value] ~= nil then return BOOLEANS[value] end
  local meant = type(value) == "string" and YES_NO[value:lower()]
  if meant == nil or type(value) ~= "string" then return wrong(rule, value, at) end
  at:warn(('"%s" is text in YAML; it is taken for %s'):format(value, meant), ("write %s"):format(meant))
  return meant
end

function checkers.duration(rule, value, at)
  local unitless = tostring(value):find("^%d+$") and tostring(value) ~= "0"
  if (type(value) ~= "string" and value ~= 0) or unitless then
    local hint = unitless and ('with its unit: "%ss"'):format(tostring(value)) or nil
    return wrong(rule, value, at, hint)
  end
  local duration_ms, message = units.parse_duration(value)
  if not duration_ms then return at:report(message, hints.duration(value)) end
  if duration_ms >= (rule.least_ms or 0) then return duration_ms end
  at:report(("%s is below %s"):format(tostring(value), units.format_duration(rule.least_ms or 0)))
end

function checkers.size(rule, value, at)
  if type(value) ~= "string" and math.type(value) ~= "integer" then return wrong(rule, value, at) end
  if rule.unlimited and (value == -1 or value == "-1") then return -1 end
  local bytes, message = units.parse_bytes(value)
  if not bytes then return at:report(message, hints.size(value)) end
  if bytes >= (rule.least_bytes or 0) then return bytes end
  local unitless = tostring(value):find("^%d+$")
  at:report(("%s is below %s"):format(tostring(value), units.format_bytes(rule.least_bytes)),
    unitless and hints.unit(value) or nil)
end

function checkers.choice(rule, value, at)
  if tables.index_of(rule.values, value) then return value end
  local close = type(value) == "string" and not rule.wanted and text.nearest(value, rule.values)
  return wrong(rule, value, at, close and ('did you mean "%s"?'):format(close) or nil)
end

function checkers.list(rule, value, at)
  if schema.kind_of(value) ~= "list" then return wrong(rule, value, at) end
  at:enter(value)
  local of, keys, depth = rule.of, at.keys, at.depth
  for position = 1, #value do
    keys[depth] = position
    local item = checkers[of.kind](of, value[position], at)
    if item == nil then item = false end
    value[position] = item
  end
  at:leave()
  return rule.canonical and rule.canonical(value, at) or value
end

function checkers.map(rule, value, at)
  if not is_map(value) then return wrong(rule, value, at) end
  at:enter(value)
  local of, keys, depth = rule.of, at.keys, at.depth
  for key, item in next, value do
    keys[depth] = key
    if rule.key then M.value(rule.key, key, at) end
    if item == json.null and rule.empty then item = rule.empty() end
    value[key] = checkers[of.kind](of, item, at)
  end
  at:leave()
  return value
end

function checkers.parsed(rule, value, at)
  if not rule.accepts[schema.kind_of(value)] then return wrong(rule, value, at, rule.hint) end
  local result, message, hint = rule.parse(value, at.context)
  if result ~= nil then return result end
  at:report(message, hint)
end

function checkers.either(rule, value, at)
  local chosen = rule[schema.kind_of(value)]
  if not chosen then return wrong(rule, value, at, rule.hint) end
  local result = checkers[chosen.kind](chosen, value, at)
  if result ~= nil and rule.canonical then return rule.canonical(result, at) end
  return result
end

function checkers.lazy(rule, value, at)
  local of = rule.of or schema.loaded(rule)
  return checkers[of.kind](of, value, at)
end

function checkers.later(rule, value, at)
  local result = checkers[rule.of.kind](rule.of, value, at)
  if result ~= nil and result ~= rule.idle then at:put_off(rule.reason) end
  return result
end

function checkers.ignored(rule, value, at)
  local result = checkers[rule.of.kind](rule.of, value, at)
  if result ~= nil and result ~= rule.idle then at:warn("has no effect: " .. rule.reason) end
  return result
end

local function is_extension(key)
  return key:sub(1, 2) == "x-"
end

local function refuse(field, at)
  local hint = field.hint or "remove it"
  if field.excusable then at:refuse(field.reason, hint) else at:report(field.reason, hint) end
end

-- The way to the mapping that holds the present key.
local function keys_above(at) return table.move(at.keys, 1, at.depth - 1, 1, {}) end

local function unknown_key(rule, key, value, at)
  at:report(hints.unknown_key(rule, key, value, keys_above(at), (at.context or {}).belongs))
end

-- The value of a key that is not simply usable: unknown, refused, or without a value.
local function check_odd_field(rule, key, value, at)
  local field = rule.fields[key]
  if field and field.class == "refused" then return refuse(field, at) end
  if not field and not is_extension(key) then unknown_key(rule, key, value, at) end
  return not field and value or nil -- a known key without a value says nothing
end

-- A default that is no simple value is checked like something written, so that its own defaults come in.
local function add_defaults(defaults, value, at)
  local names, values, lists, made = defaults.names, defaults.values, defaults.lists, defaults.made
  for position = 1, #names do
    local name = names[position]
    if value[name] == nil then value[name] = values[position] end
  end
  for position = 1, #lists do
    local name = lists[position]
    if value[name] == nil then value[name] = tables.list {} end
  end
  for position = 1, #made do
    local field = made[position]
    if value[field.name] == nil then value[field.name] = M.value(field.rule, tables.copy(field.default), at) end
  end
end

local function is_required(field, value)
  if type(field.required) == "function" then return field.required(value) end
  return field.required
end

-- Asks for what is missing; not for what was just refused. A key without a value, or whose value was taken away, has a
-- place.
local function ask_for_missing(rule, value, at, refused)
  local required = rule.required
  if at.incomplete == true or at.incomplete[value] then return end
  for position = 1, #required do
    local field = required[position]
    local name = field.name
    if value[name] == nil and not (refused and refused[name]) and is_required(field, value) then
      local marks = at.marks[value]
      local place = marks and marks[name]
      at:report((place and '"%s" is empty' or '"%s" is missing'):format(name), field.hint, place)
    end
  end
end

function checkers.record(rule, value, at)
  if not is_map(value) then return wrong(rule, value, at) end
  local refused
  local depth, fields, keys = at.depth + 1, rule.fields, at.keys
  at.depth, at.containers[depth] = depth, value
  for key, item in next, value do
    local field, result = fields[key]
    if field or not rule.open then
      local field_rule = field and field.rule
      keys[depth] = key
      if field_rule and (item ~= json.null or field_rule.kind == "any") then
        result = checkers[field_rule.kind](field_rule, item, at)
      else
        result = check_odd_field(rule, key, item, at)
      end
      value[key] = result
      if result == nil and item ~= json.null then
        refused = refused or {}
        refused[key] = true
      end
    end
  end
  at.depth = depth - 1
  if rule.required[1] then ask_for_missing(rule, value, at, refused) end
  add_defaults(rule.defaults, value, at)
  if rule.canonical then return rule.canonical(value, at) end
  return value
end

return M
