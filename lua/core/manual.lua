--- Help, man page and Markdown from the tables that core.args parses by. Pure.
local text = require "holos.core.text"

local M = {}

local WIDTH = 100

--- "-n, --tail LINES", "--keep[=SERVICE]"
function M.spelling(option)
  local names = table.concat(option, ", ")
  if option.bare then return ("%s[=%s]"):format(names, option.value) end
  return option.value and names .. " " .. option.value or names
end

--- What an option is for, and of which actions it is one.
function M.about(option) return (option.of and option.of .. ": " or "") .. option.help end

--- "[SERVICE…]"
function M.argument(argument)
  local name = argument.name .. (argument.repeated and "…" or "")
  return argument.optional and "[" .. name .. "]" or name
end

--- "holos logs [OPTIONS] [SERVICE…]"
function M.usage(program, name, command)
  local words = { program, name }
  if #command.options > 0 then words[#words + 1] = "[OPTIONS]" end
  for _, argument in ipairs(command.arguments or {}) do words[#words + 1] = M.argument(argument) end
  return table.concat(words, " ")
end

local function described(rows, lines)
  local widest = 0
  for _, row in ipairs(rows) do widest = math.max(widest, text.width(row[1])) end
  for _, row in ipairs(rows) do
    local label = text.pad(row[1], widest)
    for _, line in ipairs(text.wrap(row[2] or "", WIDTH - widest - 4)) do
      lines[#lines + 1] = ("  %s  %s"):format(label, line)
      label = (" "):rep(widest)
    end
  end
end

local function rows_of(command)
  local arguments, options = {}, {}
  for i, argument in ipairs(command.arguments or {}) do arguments[i] = { argument.name, argument.help } end
  for i, option in ipairs(command.options) do options[i] = { M.spelling(option), M.about(option) } end
  return arguments, options
end

--- The help of one command, as lines.
function M.help(program, name, command)
  local arguments, options = rows_of(command)
  local lines = { "usage: " .. M.usage(program, name, command), "", command.summary, "" }
  if #arguments > 0 then
    lines[#lines + 1] = "arguments:"
    described(arguments, lines)
    lines[#lines + 1] = ""
  end
  if #options > 0 then
    lines[#lines + 1] = "options:"
    described(options, lines)
    lines[#lines + 1] = ""
  end
  lines[#lines + 1] = ("options of all commands: %s help"):format(program)
  return lines
end

--- The overview: groups of commands, options of all.
---@param groups {title: string, commands: {name: string, summary: string}[]}[]
function M.overview(program, tagline, groups, options)
  local lines = { ("%s - %s"):format(program, tagline), "",
    ("usage: %s [OPTIONS] COMMAND [ARGUMENTS]"):format(program) }
  for _, group in ipairs(groups) do
    local rows = {}
    for i, command in ipairs(group.commands) do rows[i] = { command.name, command.summary } end
    lines[#lines + 1] = ""
    lines[#lines + 1] = group.title .. ":"
    described(rows, lines)
  end
  local rows = {}
  for i, option in ipairs(options) do rows[i] = { M.spelling(option), M.about(option) } end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "options:"
  described(rows, lines)
  return lines
end

local function roff(line)
  line = line:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (line:gsub("^([.'])", "\\&%1"))
end

local function roff_options(lines, options)
  for _, option in ipairs(options) do
    lines[#lines + 1] = ".TP\n.B " .. roff(M.spelling(option)) .. "\n" .. roff(M.about(option))
  end
end

--- A man page (roff, man macros).
---@param exit_codes {[1]: string, [2]: string}[]
function M.man(program, tagline, version, commands, options, exit_codes)
  local lines = { ('.TH %s 1 "" "%s %s"'):format(program:upper(), program, version), ".SH NAME",
    roff(("%s - %s"):format(program, tagline)),
    ".SH SYNOPSIS", (".B %s\n[OPTIONS] COMMAND [ARGUMENTS]"):format(program), ".SH OPTIONS" }
  roff_options(lines, options)
  lines[#lines + 1] = ".SH COMMANDS"
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ".SS " .. roff(M.usage(program, command.name, command)) .. "\n" .. roff(command.summary)
    roff_options(lines, command.options)
  end
  lines[#lines + 1] = ".SH EXIT STATUS"
  for _, row in ipairs(exit_codes) do lines[#lines + 1] = ".TP\n.B " .. row[1] .. "\n" .. roff(row[2]) end
  return table.concat(lines, "\n") .. "\n"
end

--- The reference page of all commands, in Markdown.
function M.markdown(program, tagline, commands, options, exit_codes)
  local lines = { "# Commands", "", ("`%s`: %s. Made by `%s gen markdown`."):format(program, tagline, program), "" }
  local function list(rows)
    for _, option in ipairs(rows) do lines[#lines + 1] = ("- `%s`: %s"):format(M.spelling(option), M.about(option)) end
    lines[#lines + 1] = ""
  end
  lines[#lines + 1] = "## Options of all commands\n"
  list(options)
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ("## %s\n\n`%s`\n\n%s.\n"):format(command.name, M.usage(program, command.name, command),
      command.summary:gsub("^%l", string.upper))
    list(command.options)
  end
  lines[#lines + 1] = "## Exit status\n\n| status | meaning |\n| --- | --- |"
  for _, row in ipairs(exit_codes) do lines[#lines + 1] = ("| %s | %s |"):format(row[1], row[2]) end
  return table.concat(lines, "\n") .. "\n"
end

return M
