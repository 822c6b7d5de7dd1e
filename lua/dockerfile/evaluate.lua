--- A Dockerfile's instructions as a recipe: the steps that make a machine, and what is said of its application. Pure.
local from = require "holos.dockerfile.instruction.from"
local health = require "holos.dockerfile.instruction.health"
local instructions = require "holos.dockerfile.instructions"
local parse = require "holos.dockerfile.parse"
local stage = require "holos.dockerfile.stage"
local table_ = require "holos.core.table"
local variables = require "holos.dockerfile.instruction.variables"

local M = {}

local NO_STAGE = "%s before FROM: only ARG may stand there"

local function take(state, node)
  state.line = node.line
  if node.is_broken then return end
  local said, message, hint = instructions.read(node)
  if not said then return stage.report(state, message, hint) end
  local has_stage = state.stages ~= nil
  if node.name == "FROM" then return instructions.apply(state, said, node) end
  if not has_stage and node.name == "ARG" then return variables.apply_global(state, said) end
  if not has_stage then
    if not state.has_said_stage then stage.report(state, NO_STAGE:format(node.name), "FROM debian:12") end
    state.has_said_stage = true
  elseif state.stages == 1 then
    instructions.apply(state, said, node)
  end
end

-- Two commands where the last one counts.
local function check_again(state, node)
  if node.name ~= "CMD" and node.name ~= "ENTRYPOINT" and node.name ~= "HEALTHCHECK" then return end
  state.seen = state.seen or {}
  if state.seen[node.name] and state.stages == 1 then
    state.line = node.line
    stage.warn(state, "MultipleInstructionsDisallowed",
      ("Multiple %s instructions should not be used in the same stage because only the last one will be used"):format(node.name))
  end
  state.seen[node.name] = true
end

local function finish(state, ast)
  if not state.stages and not state.has_said_stage and #state.findings == 0 then
    stage.report(state, "there is no FROM", "FROM debian:12")
  end
  from.check_target(state)
  variables.check_unused(state)
  for _, warning in ipairs(ast.warnings) do state.warnings[#state.warnings + 1] = warning end
end

-- A list without the keys that kept it free of doubles.
local function plain(list)
  local result = {}
  for position, item in ipairs(list) do result[position] = item end
  return result
end

local function recipe_of(state)
  return {
    from = state.from, steps = state.steps, env = state.env, workdir = state.workdir, user = state.user, cmd = state.cmd,
    entrypoint = state.entrypoint, shell = state.shell, expose = plain(state.expose), volumes = plain(state.volumes),
    labels = state.labels, healthcheck = health.finish(state), stop_signal = state.stop_signal, places = state.places,
    warnings = parse.sort(state.warnings), undefined = state.undefined,
    arguments = table_.keys(state.known_args),
  }
end

---@class holos.dockerfile.Recipe
---@field from {text: string, platform: string?, line: integer, name: string?}
---@field steps table[]          run, copy, add, workdir: see docs/internals.md
---@field env {name: string, value: string}[]
---@field workdir string         "/" where nothing is said
---@field user string?           "user" or "user:group"
---@field cmd table?             {argv} or {shell, script}
---@field entrypoint table?      the same
---@field shell string[]
---@field expose {port: integer, to: integer?, protocol: string}[]
---@field volumes string[]
---@field labels table<string, string>
---@field healthcheck table?     {test, interval_ms, timeout_ms, start_period_ms, start_interval_ms, retries} or {disable = true}
---@field stop_signal string?    "SIGTERM" or "15"
---@field warnings {rule: string, line: integer, message: string}[]
---@field places table           the lines of what is said last: {user, workdir, stop_signal, healthcheck}; of each of a list:
---                              {volumes = {…}, expose = {…}}
---@field arguments string[]    what ARG declares in the stage
---@field undefined {line: integer, name: string, is_from: boolean}[]  variables that are used and set nowhere

--- What the instructions make, or all that is wrong with them.
---@param ast holos.dockerfile.Ast
---@param o holos.dockerfile.Options?
---@return holos.dockerfile.Recipe? recipe
---@return {line: integer, message: string, hint: string?}[]? findings
function M.evaluate(ast, o)
  local state = stage.new(ast, o or {})
  for _, node in ipairs(ast.instructions) do
    take(state, node)
    check_again(state, node)
  end
  finish(state, ast)
  if #state.findings > 0 then return nil, parse.sort(state.findings) end
  return recipe_of(state)
end

--- A text as a recipe, or all that is wrong with it: what cannot be read and what cannot be done, at once.
---@return holos.dockerfile.Recipe? recipe
---@return table findings_or_ast
function M.read(text, o)
  local ast, findings, readable = parse.parse(text)
  if ast then
    local recipe, problems = M.evaluate(ast, o)
    return recipe, recipe and ast or problems
  end
  local _, more = M.evaluate(readable or { escape = "\\", instructions = {}, warnings = {} }, o)
  for _, finding in ipairs(readable and #readable.instructions > 0 and more or {}) do findings[#findings + 1] = finding end
  return nil, parse.sort(findings)
end

return M
