--- CMD, ENTRYPOINT and SHELL: the machine's application, and what runs commands that are no lists. Pure.
local flags = require "holos.dockerfile.flags"

local M = {}

--- What one argument of a program may hold, the script after "sh -c" too (MAX_ARG_STRLEN of Linux).
M.most_bytes = 131071

--- Why a list of arguments cannot be given to a program.
---@return string? message
---@return string? hint
function M.check_words(words)
  for _, word in ipairs(words) do
    if word:find("\0", 1, true) then return "an argument has a NUL byte in it" end
    if #word > M.most_bytes then
      return ("it is longer than %d bytes: no program can be given that"):format(M.most_bytes),
        "put it into a file, and COPY that; or begin a heredoc with #!/bin/sh"
    end
  end
end

--- {words} or {text}
function M.read(node)
  local values, message, hint = flags.read(node.flags, {})
  if not values then return nil, message, hint end
  if node.name == "SHELL" and not node.is_json then
    return nil, "SHELL requires the arguments to be in JSON form", 'SHELL ["/bin/bash", "-c"]'
  end
  if not node.text and not node.is_json or node.name == "SHELL" and #node.words == 0 then
    return nil, node.name .. " requires at least one argument", node.name .. ' ["program", "argument"]'
  end
  message, hint = M.check_words(node.words or { node.text })
  if message then return nil, message, hint end
  return { words = node.is_json and node.words or nil, text = node.text }
end

--- A command as recipes hold it: {argv}, or {shell, script} for the shell.
function M.in_form(state, command)
  if command.words then return { argv = command.words } end
  return { shell = state.shell, script = command.text }
end

local FIELD = { CMD = "cmd", ENTRYPOINT = "entrypoint" }

function M.apply(state, command, node)
  if node.name == "SHELL" then
    state.shell = command.words
    state.has_shell = true
  else
    state[FIELD[node.name]] = M.in_form(state, command)
    state[FIELD[node.name]].line = state.line
  end
end

-- The argument list of a command in either form.
local function argv_of(command)
  if not command then return {} end
  if command.argv then return command.argv end
  local argv = { table.unpack(command.shell) }
  argv[#argv + 1] = command.script
  return argv
end

--- What is run as the machine's application: the entry point with the command as its arguments. An entry point in shell
--- form takes none. Nil when there is neither.
---@param recipe {entrypoint: table?, cmd: table?}
---@return string[]?
function M.application(recipe)
  local argv = { table.unpack(argv_of(recipe.entrypoint)) }
  if not (recipe.entrypoint and recipe.entrypoint.script) then
    for _, word in ipairs(argv_of(recipe.cmd)) do argv[#argv + 1] = word end
  end
  return #argv > 0 and argv or nil
end

return M
