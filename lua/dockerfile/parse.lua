--- A Dockerfile's text as a list of instructions. What they mean is not looked at here, nor is any variable. Pure.
local directives = require "holos.dockerfile.directives"
local flags = require "holos.dockerfile.flags"
local heredoc = require "holos.dockerfile.heredoc"
local json_form = require "holos.dockerfile.json_form"
local lines = require "holos.dockerfile.lines"
local text_ = require "holos.core.text"
local words = require "holos.dockerfile.words"

local M = {}

--- More instructions than any machine is made with.
M.most_instructions = 1000

-- -- what stands after the name ---------------------------------------------------------------------------------------

-- Each takes the instruction, what stands after its flags, and the escape character; gives nil or message and hint.
local arguments = {}

function arguments.text(node, rest)
  if rest ~= "" then node.text = rest end
end

function arguments.words(node, rest) node.words = words.split(rest) end

function arguments.quoted_words(node, rest, escape) node.words = words.quoted(rest, escape) end

-- A list in JSON, or whatever `otherwise` makes of it.
local function list_or(otherwise)
  return function(node, rest, escape)
    local list, message = json_form.parse(rest)
    if message then return message, 'every argument is in double quotes: ["program", "argument"]' end
    node.is_json = list ~= nil
    if not list then return otherwise(node, rest, escape) end
    node.words = list
  end
end

arguments.list_or_text = list_or(arguments.text)
arguments.list_or_words = list_or(function(node, rest)
  node.words = heredoc.find(rest) and #heredoc.find(rest) > 0 and heredoc.words(rest) or words.split(rest)
end)

-- "A=1 B=2", or from of old "A the rest of the line"
function arguments.pairs(node, rest, escape)
  local list = words.quoted(rest, escape)
  node.pairs = {}
  if not list[1] then return end
  if not list[1]:find("=", 1, true) then
    local name, value = rest:match("^(%S+)[\t\v\f\r ]+(.*)$")
    if not name then return node.name .. " must have two arguments", ("%s %s=…"):format(node.name, rest) end
    node.pairs[1] = { name = name, value = value, is_legacy = true }
    return
  end
  for position, word in ipairs(list) do
    local name, value = word:match("^([^=]*)=(.*)$")
    if not name then
      return ("can't find = in %q: it must be of the form name=value"):format(word),
        "a value with blanks in it stands in quotes: " .. list[1]:match("^[^=]*=") .. '"…"'
    end
    node.pairs[position] = { name = name, value = value }
  end
end

-- HEALTHCHECK: a word, then a command.
function arguments.kind_and_command(node, rest, escape)
  local kind, after = rest:match("^(%S+)%s*(.*)$")
  node.kind = kind
  if kind then return arguments.list_or_text(node, after, escape) end
end

local GRAMMAR = {
  ADD = "list_or_words", ARG = "quoted_words", CMD = "list_or_text", COPY = "list_or_words", ENTRYPOINT = "list_or_text",
  ENV = "pairs", EXPOSE = "words", FROM = "words", HEALTHCHECK = "kind_and_command", LABEL = "pairs", MAINTAINER = "text",
  ONBUILD = "trigger", RUN = "list_or_text", SHELL = "list_or_text", STOPSIGNAL = "text", USER = "text",
  VOLUME = "list_or_words", WORKDIR = "text",
}

local TAKES_HEREDOCS = { RUN = true, COPY = true, ADD = true }

--- The names of all instructions, sorted.
function M.names()
  local names = {}
  for name in pairs(GRAMMAR) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- -- one instruction --------------------------------------------------------------------------------------------------

local function find_heredocs(node, line)
  if not TAKES_HEREDOCS[node.name] or node.is_json then return nil end
  local found, message = heredoc.find(line)
  node.heredocs = found or {}
  return message
end

-- The instruction of a logical line; message and hint where its arguments break the grammar.
local function make_node(line, escape)
  local written, rest = words.trim(line):match("^([^\t\v\f\r ]+)[\t\v\f\r ]*(.*)$")
  local node = { name = written:upper(), written = written, heredocs = {}, original = line }
  node.flags, rest = flags.extract(rest)
  local grammar = arguments[GRAMMAR[node.name]]
  if not grammar then
    node.is_unknown = true
    return node
  end
  local message, hint = grammar(node, words.trim(rest), escape)
  if message then return node, message, hint end
  return node, find_heredocs(node, line)
end

-- ONBUILD: an instruction. One of its own kind is refused when it is looked at; more levels of them are not read.
function arguments.trigger(node, rest, escape)
  if rest == "" then return end
  if rest:upper():find("^ONBUILD%s+ONBUILD%s") then rest = rest:match("^%S+") end
  local trigger, message, hint = make_node(rest, escape)
  node.trigger, node.heredocs = trigger, trigger.heredocs
  return message, hint
end

-- -- the file ---------------------------------------------------------------------------------------------------------

--- A finding: what it shows of the file is harmless on a terminal.
function M.finding(line, message, hint)
  return { line = line, message = text_.escape_terminal(message), hint = hint and text_.escape_terminal(hint) }
end

local function report(job, line, message, hint)
  job.findings[#job.findings + 1] = M.finding(line, message, hint)
end

--- Sorts findings or warnings by their lines; those of one line stay in their order.
function M.sort(list)
  for position, item in ipairs(list) do item.position = position end
  table.sort(list, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    return a.position < b.position
  end)
  for _, item in ipairs(list) do item.position = nil end
  return list
end

local function warn(job, rule, line, message)
  job.warnings[#job.warnings + 1] = { rule = rule, line = line, message = message }
end

-- Bytes that no text has: such a file is something else, or in another encoding.
local function check_bytes(job, node)
  local whole = node.original
  for _, doc in ipairs(node.heredocs) do whole = whole .. (doc.body or "") end
  if whole:find("\0", 1, true) then
    return report(job, node.line, "there is a NUL byte in it", "save the file as UTF-8")
  end
  if not utf8.len(whole) then report(job, node.line, "it is not UTF-8", "save the file as UTF-8") end
end

-- A shell takes what Windows ends lines with for a part of the last word.
local function check_line_ends(job, node)
  for _, doc in ipairs(node.name == "RUN" and node.heredocs or {}) do
    if (doc.body or ""):find("\r\n", 1, true) then
      warn(job, "CarriageReturn", node.line,
        ("the lines of %s end in CR LF: the shell takes the CR for part of them"):format(doc.name))
    end
  end
end

local function looks_like_list(node)
  local text = node.text
  return text and text:find('^%[%s*["\']') and text:find("%]$") and not text:find("^%[%s*[\"'].*[\"']%s+[-=!]")
end

local function take_instruction(job, first)
  local logical = lines.logical(job.reader, first, job.escape)
  if not logical or not logical.text:find("%S") then return end
  local node, message, hint = make_node(logical.text, job.escape)
  if not message then message, hint = heredoc.read(node.heredocs, job.reader) end
  node.line, node.end_line, node.is_broken = logical.line, job.reader.number, message ~= nil
  job.instructions[#job.instructions + 1] = node
  if node.trigger then node.trigger.line, node.trigger.end_line = node.line, node.end_line end
  if message then report(job, node.line, message, hint) end
  if logical.has_gap then
    warn(job, "NoEmptyContinuation", logical.line, "empty continuation line: there is an empty line inside of this instruction")
  end
  if looks_like_list(node) then
    warn(job, "JSONArgsInvalid", node.line, node.name .. " looks like a list in JSON and is none: the shell gets it as it stands")
  end
  check_bytes(job, node)
  check_line_ends(job, node)
end

local function take_directive(job, line)
  local number = job.reader.number
  local is_directive, message, hint = directives.take(job.directives, job.directive_lines, line, number)
  if message then report(job, number, message, hint) end
  job.escape = job.directives.escape or "\\"
  return is_directive
end

local function read_all(job)
  local at_top = true
  for line in lines.next, job.reader do
    at_top = at_top and take_directive(job, line)
    if not at_top and not lines.is_comment(line) then take_instruction(job, line) end
    if #job.instructions > M.most_instructions then
      return report(job, job.reader.number, ("there are more than %d instructions"):format(M.most_instructions))
    end
  end
end

local function check_whole(job)
  if job.reader.too_long then
    report(job, job.reader.too_long, ("dockerfile line greater than max allowed size of %d bytes"):format(lines.most_line_bytes),
      "continue it on the next line with " .. job.escape .. ", or put the text into a file and COPY it")
  end
  if #job.instructions == 0 and #job.findings == 0 then
    report(job, math.max(job.reader.number, 1), "file with no instructions", "FROM debian:12")
  end
end

local function refuse(message, hint) return nil, { { line = 1, message = message, hint = hint } } end

---@class holos.dockerfile.Instruction
---@field name string           "RUN"; upper case
---@field written string        as it is written
---@field line integer
---@field end_line integer      heredocs included
---@field flags string[]        "--mount=type=cache,target=/x"
---@field text string?          of commands in shell form, USER, WORKDIR, …
---@field words string[]?       of lists in JSON, COPY, EXPOSE, …
---@field is_json boolean?
---@field pairs table[]?        {name, value, is_legacy} of ENV and LABEL
---@field kind string?          "CMD" or "NONE" of HEALTHCHECK
---@field trigger table?        the instruction of ONBUILD
---@field heredocs holos.dockerfile.Heredoc[]
---@field original string       the logical line
---@field is_unknown boolean?   there is no such instruction
---@field is_broken boolean     a finding says why; only where the third result is looked at

---@class holos.dockerfile.Ast
---@field escape string
---@field directives table<string, string>
---@field instructions holos.dockerfile.Instruction[]
---@field warnings {rule: string, line: integer, message: string}[]

--- All instructions of a text, or all that is wrong with it.
---@param text string
---@return holos.dockerfile.Ast? ast
---@return {line: integer, message: string, hint: string?}[]? findings
---@return holos.dockerfile.Ast? readable  what could be read in spite of the findings
function M.parse(text)
  if #text > lines.most_bytes then
    return refuse(("the file is larger than %d bytes"):format(lines.most_bytes), "put large files beside it, and COPY them")
  end
  if text:find("^\255\254") or text:find("^\254\255") then return refuse("the file is UTF-16", "save the file as UTF-8") end
  local job = {
    reader = lines.reader(text), escape = "\\", directives = {}, directive_lines = {}, instructions = {}, findings = {},
    warnings = {},
  }
  read_all(job)
  check_whole(job)
  local ast = { escape = job.escape, directives = job.directives, instructions = job.instructions, warnings = job.warnings }
  if #job.findings == 0 then return ast end
  return nil, M.sort(job.findings), ast
end

--- The instruction that a misspelt one most likely means.
function M.nearest(name) return text_.nearest(name, M.names()) end

return M
