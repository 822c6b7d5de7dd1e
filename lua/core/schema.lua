--- Rules for plain trees, as data: what a value may be, its default, what it means. Pure.
--
-- A rule is a table {kind = …, …} made by the constructors here; holos.core.schema.check knows what each kind
-- accepts. One set of rules serves validation, reference pages and the class of a change. Any rule whose final values are
-- none of the forms that it accepts says by `form` how they are written again; see holos.compose.canonical.
local lazy = require "holos.core.lazy"
local fields_ = lazy "holos.core.schema.fields"
local tables = require "holos.core.table"
local words = lazy "holos.core.schema.words"

local M = {}

---@class holos.Field        one key of a record
---@field name string
---@field rule holos.Rule?   nil when the key is known and refused
---@field class string       "works"; "ignored": checked, then a warning; "later": checked, then noted as without effect so
---                          far; "refused": a finding
---@field required boolean|function?  or a function of the mapping that holds it
---@field default any        what an absent key means; nil: nothing
---@field default_text string? what an absent key means, in words, where it is not a plain value
---@field change string?     what a running machine needs when it changes: "live", "restart", "reprovision", "recreate"
---@field same_as string?    the key that says the same, where several do
---@field unit string?       of the number in the file
---@field meaning string?    one sentence
---@field idle any            a value that asks for nothing: no word about it where the class is "later" or "ignored"
---@field reason string?     for the classes other than "works": why, or what to write instead
---@field excusable boolean? a refusal that a lenient check turns into a warning

local function rule(kind)
  return function(options)
    local made = {}
    for name, value in pairs(options or {}) do made[name] = value end
    made.kind = kind
    return made
  end
end

--- Anything, left as it is.
M.any = rule "any"

--- {pattern=, wanted=, most=}: text; `pattern` is a Lua pattern for the whole of it, `wanted` says it in words, `most`
-- bytes. `check = function(text) → nil | message, hint` for what patterns cannot say; `empty = true` allows "".
function M.text(options)
  local made = rule "text" (options)
  if made.pattern then made.pattern = "^" .. made.pattern .. "$" end
  return made
end

--- {least=, most=, unit=}: a whole number; also accepted in quotes, as decimal digits.
M.integer = rule "integer"

--- true or false; also accepted in quotes.
M.boolean = rule "boolean"

--- {least_ms=, most_ms=}: "1m30s"; becomes milliseconds.
M.duration = rule "duration"

--- {least_bytes=, unlimited=}: "20G" or a number of bytes; becomes bytes. `unlimited` admits -1.
M.size = rule "size"

--- {values = {"a", "b"}}: one of these words.
M.choice = rule "choice"

--- {of = rule}: a list whose items all follow one rule. `canonical` as for `either`.
M.list = rule "list"

--- {of = rule, key = text rule}: a mapping with free keys. An item without a value is checked as `empty` when that is
--- given.
M.map = rule "map"

--- {accepts = {text = true, integer = true}, wanted = "…", parse = function(value, context) → result | nil,
--- message, hint}: a small grammar of its own.
M.parsed = rule "parsed"

--- {text = rule, list = rule, map = rule, …}: which rule holds depends on the kind of the value.
--- `canonical = function(value, at) → value` brings the alternatives into one form afterwards.
M.either = rule "either"

--- A rule that is loaded when it is needed first: `load` gives it, or the module that has it under `name`.
function M.lazy(load, name) return { kind = "lazy", load = load, name = name } end

--- The rule that values follow: behind a lazy one, behind that of a key without effect, or the rule itself.
function M.loaded(given)
  if given.kind == "later" or given.kind == "ignored" then return M.loaded(given.of) end
  if given.kind ~= "lazy" then return given end
  if not given.of then
    local found = given.load()
    given.of = given.name and found[given.name] or found
  end
  return given.of
end

-- What the value of a key that has no effect is checked by.
local WRAPPED = { later = true, ignored = true }

local function rule_of(field, given)
  if not given or not WRAPPED[field.class] then return given end
  return { kind = field.class, of = given, reason = field.reason, idle = field.idle }
end

-- Defaults by what they take: simple values, as they are; empty lists, a new one each; what is made by checking it.
local function add_default(defaults, field)
  local default = field.default
  if type(default) ~= "table" then
    table.insert(defaults.names, field.name)
    table.insert(defaults.values, default)
  elseif next(default) == nil and (field.rule.kind == "list" or tables.is_list(default)) then
    table.insert(defaults.lists, field.name)
  else
    table.insert(defaults.made, field)
  end
end

--- A mapping with known keys: a list of {name, rule, …further fields of holos.Field}, or with all by name, which become the
--- fields, and `options.canonical` as for `either`. Keys that start with "x-" are always admitted and never read; `options.open`
--- admits and keeps all others; `options.hint` is for values that are no mapping, `options.is_private` where those may be
--- secrets, which no message shows;
--- `options.others` are fields by name that are not worth a table each.
function M.record(list, options)
  local fields, required, defaults = {}, {}, { names = {}, values = {}, lists = {}, made = {} }
  for position, field in ipairs(list) do
    if field[1] then
      field.name, field.class = field[1], field.class or "works"
      field.rule = rule_of(field, field[2])
      field[1], field[2] = nil, nil
    end
    fields[position], fields[field.name] = field, field
    if field.required then required[#required + 1] = field end
    if field.default ~= nil then add_default(defaults, field) end
  end
  local others = options and options.others
  if others then setmetatable(fields, { __index = others }) end
  return { kind = "record", fields = fields, others = others, required = required, defaults = defaults,
    canonical = options and options.canonical, open = options and options.open, hint = options and options.hint,
    is_private = options and options.is_private }
end

--- The kind of a value as the rules name it: text, integer, number, boolean, null, list, map.
function M.kind_of(value)
  local kind = type(value)
  if kind == "string" then return "text" end
  if kind == "table" then
    local meta = getmetatable(value)
    if not meta then return "map" end
    return meta.__jsontype == "array" and "list" or meta.__jsontype == "null" and "null" or "map"
  end
  return kind == "number" and math.type(value) == "integer" and "integer" or kind
end

--- A value as it stands in a message: what was found.
function M.show(value) return words.show(value) end

--- What a rule wants, in the words of a message: "a whole number from 1 to 288".
function M.describe(rule_here) return words.describe(rule_here) end

--- The names from the root to a value as one text: services.web.ports[2], volumes["a b"]; list positions count from 1.
---@param keys table  texts and integers
function M.path(keys) return words.path(keys) end

--- Every key that the rules know, in their order: {path = "services.*.vm.vcpu", field = holos.Field}. Reference pages
--- and the class of a change are made from it.
function M.fields(rule_here) return fields_.of(rule_here) end

return M
