--- Shell completion from the tables that core.args parses by: commands, their options, the choices of both. Pure.
local manual = require "holos.core.manual"
local text = require "holos.core.text"

local M = {}

local function names_of(options)
  local words = {}
  for _, option in ipairs(options) do table.move(option, 1, #option, #words + 1, words) end
  return table.concat(words, " ")
end

-- What can stand behind a command: its options, and the words its arguments are chosen from.
local function words_of(command)
  local words = { names_of(command.options) }
  for _, argument in ipairs(command.arguments or {}) do
    local choices = argument.choices or argument.complete or {}
    table.move(choices, 1, #choices, #words + 1, words)
  end
  return table.concat(words, " ")
end

-- Behind an option that takes a value: its choices. Without any the shell offers files.
local function bash_values(options, command, lines)
  for _, option in ipairs(options) do
    if option.value and not option.bare then
      local patterns = {}
      for i, name in ipairs(option) do patterns[i] = command .. ":" .. name end
      lines[#lines + 1] = ("    %s) words=%q ;;"):format(table.concat(patterns, "|"),
        table.concat(option.choices or {}, " "))
    end
  end
end

local function names_with_values(options)
  local names = {}
  for _, option in ipairs(options) do
    if option.value and not option.bare then table.move(option, 1, #option, #names + 1, names) end
  end
  return table.concat(names, "|")
end

--- A bash completion script.
---@param commands {name: string, options: table[], arguments: table[], summary: string}[]
---@param options table[]  of all commands
function M.bash(program, commands, options)
  local names, cases = {}, {}
  bash_values(options, "*", cases)
  for i, command in ipairs(commands) do
    names[i] = command.name
    bash_values(command.options, command.name, cases)
  end
  for _, command in ipairs(commands) do
    cases[#cases + 1] = ("    %s:*) words=%q ;;"):format(command.name, words_of(command) .. " " .. names_of(options))
  end
  return ([[
_%s() {
  local word="${COMP_WORDS[COMP_CWORD]}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
    %s) ((i++)) ;;
    -*) ;;
    *) command="${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$command:${COMP_WORDS[COMP_CWORD - 1]}" in
%s
    :*) words="%s %s" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _%s %s
]]):format(program, names_with_values(options), table.concat(cases, "\n"), table.concat(names, " "), names_of(options),
    program, program)
end

--- A fish completion script.
function M.fish(program, commands, options)
  local lines = {}
  local function line(condition, option)
    local words = { "complete -c " .. program, condition }
    for _, name in ipairs(option) do
      local long = name:match("^%-%-(.+)$")
      words[#words + 1] = long and "-l " .. long or "-s " .. name:sub(2)
    end
    if option.value and not option.bare then words[#words + 1] = "-r" end
    if option.choices then words[#words + 1] = "-f -a " .. text.shell_quote(table.concat(option.choices, " ")) end
    words[#words + 1] = "-d " .. text.shell_quote(manual.about(option))
    lines[#lines + 1] = table.concat(words, " ")
  end
  for _, option in ipairs(options) do line("", option) end
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ("complete -c %s -f -n __fish_use_subcommand -a %s -d %s"):format(program, command.name,
      text.shell_quote(command.summary))
    local condition = ("-n '__fish_seen_subcommand_from %s'"):format(command.name)
    for _, option in ipairs(command.options) do line(condition, option) end
  end
  return table.concat(lines, "\n") .. "\n"
end

--- A zsh completion script.
function M.zsh(program, commands, options)
  local names, cases = {}, {}
  for i, command in ipairs(commands) do
    names[i] = ("    %s"):format(text.shell_quote(("%s:%s"):format(command.name, command.summary)))
    cases[i] = ("    %s) compadd -- %s ;;"):format(command.name, words_of(command))
  end
  return ([[
#compdef %s
local -a commands
commands=(
%s
)
if (( CURRENT == 2 )); then
  _describe command commands
  compadd -- %s
else
  case "$words[2]" in
%s
  esac
  _files
fi
]]):format(program, table.concat(names, "\n"), names_of(options), table.concat(cases, "\n"))
end

return M
