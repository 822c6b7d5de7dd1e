--- ENV, ARG and LABEL: names and values. Pure.
local flags = require "holos.dockerfile.flags"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"

local M = {}

local function read_arguments(node)
  local pairs_ = {}
  for position, word in ipairs(node.words) do
    local name, value = word:match("^([^=]*)=(.*)$")
    pairs_[position] = { name = name or word, value = value }
  end
  return pairs_
end

--- {pairs = {{name, value}, …}}
function M.read(node)
  local values, message, hint = flags.read(node.flags, {})
  if not values then return nil, message, hint end
  local list = node.name == "ARG" and read_arguments(node) or node.pairs
  if #list == 0 then
    return nil, node.name .. " requires at least one argument", node.name .. " NAME=value"
  end
  for _, pair in ipairs(list) do
    if pair.name == "" then return nil, node.name .. " names can not be blank", node.name .. " NAME=value" end
  end
  return { pairs = list }
end

-- Names and values with their variables as they were before the instruction.
local function expanded(state, list, values)
  local result = {}
  for _, pair in ipairs(list) do
    local name = scope.expand(state, pair.name, { values = values })
    local value = pair.value and scope.expand(state, pair.value, { values = values })
    if name and (value or not pair.value) then result[#result + 1] = { name = name, value = value } end
  end
  return result
end

-- An argument's value: the one that is given, else its default, else what was said before FROM, else the builder's own.
local function value_of(state, pair, is_global)
  local given = state.given[pair.name]
  state.used_args = state.used_args or {}
  state.used_args[pair.name] = true
  if given ~= nil then return given end
  if pair.value then return pair.value end
  if is_global then return nil end
  return rawget(state.globals, pair.name) or state.platform[pair.name]
end

local apply = {}

function apply.ENV(state, list)
  for _, pair in ipairs(expanded(state, list)) do
    if scope.check_name(state, pair.name) then scope.set_env(state, pair.name, pair.value) end
  end
end

function apply.LABEL(state, list)
  for _, pair in ipairs(expanded(state, list)) do state.labels[pair.name] = pair.value end
end

function apply.ARG(state, list)
  for _, pair in ipairs(expanded(state, list)) do
    if scope.check_name(state, pair.name) then scope.set_arg(state, pair.name, value_of(state, pair)) end
  end
end

function M.apply(state, command, node) apply[node.name](state, command.pairs) end

--- An ARG before FROM: FROM sees it, and a stage that declares it again. Here one sees those before it on its line.
function M.apply_global(state, command)
  for _, pair in ipairs(command.pairs) do
    pair = expanded(state, { pair }, state.globals)[1]
    if pair and scope.check_name(state, pair.name) then
      state.known_globals[pair.name] = true
      state.globals[pair.name] = value_of(state, pair, true)
    end
  end
end

--- Warns of arguments that no ARG declares.
function M.check_unused(state)
  local unused = {}
  for name in pairs(state.given) do
    local is_known = (state.used_args or {})[name] or state.proxies[name] or state.platform[name]
    if not is_known then unused[#unused + 1] = name end
  end
  table.sort(unused)
  state.line = 1
  for _, name in ipairs(unused) do
    stage.warn(state, "UnusedBuildArg", ("the argument %s is given, and no ARG declares it"):format(name))
  end
end

return M
