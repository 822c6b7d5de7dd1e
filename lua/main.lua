--- argv → global options → command → exit status; the one place that catches errors. Effects: through the
--- commands.
local lazy = require "holos.core.lazy"
local args = require "holos.core.args"
local err = require "holos.core.err"
local help = lazy "holos.command.help"
local list = require "holos.command.list"
local out = require "holos.command.out"
local task = lazy "holos.core.task"
local world = require "holos.run.world"

local M = {}

M.INTERNAL = 70

--- The command's name and where it stands: the first word that is no option (nor an option's value).
function M.find_command(words)
  local by_name, at = args.index(list.OPTIONS), 1
  while words[at] do
    local option = by_name[words[at]]
    if words[at]:sub(1, 1) ~= "-" then return words[at], at end
    at = at + (option and option.value and 2 or 1)
  end
end

--- All options that a command knows: those of all commands, then its own, which win.
function M.options_of(command)
  local options = table.move(list.OPTIONS, 1, #list.OPTIONS, 1, {})
  return table.move(command.options, 1, #command.options, #options + 1, options)
end

local function without(words, position)
  local rest = table.move(words, 1, #words, 1, {})
  table.remove(rest, position)
  return rest
end

local function parse(name, command, words)
  if command.rewrite then words = command.rewrite(words) end
  return args.parse(words, { options = M.options_of(command), arguments = command.arguments,
    usage = function() return help.usage(name, command) end })
end

--- Runs a command inside a scheduler that Ctrl-C and SIGTERM cancel; `bare` ones bring one of their own, or
--- need none.
function M.dispatch(command, options)
  if command.bare then return command.run(world, options) end
  local signals <close> = err.check("signals", world.proc.signals { "INT", "TERM", "HUP", "WINCH", "URG" })
  local poller = { now_ms = world.poller.now_ms, wait = world.poller.wait, signals = signals }
  return task.run(poller, function() return command.run(world, options) end)
end

-- Options alone: what somebody types first.
local function run_without_command(words)
  local options = args.parse(words, { options = { { "-v", "-V", "--version" }, table.unpack(list.OPTIONS) }, arguments = {} })
  if options.version then return list.load("version").run(world, {}) end
  if #words > 0 and not options.help then
    err.raise { message = "missing COMMAND", code = "EUSAGE", exit = args.USAGE, hint = "holos help lists them" }
  end
  for _, line in ipairs(help.overview()) do (options.help and out.result or out.talk)(line) end
  return options.help and 0 or args.USAGE
end

-- Whoever ends a command that goes on until it is ended knows what he does.
local function quiet_when_cut(command)
  return setmetatable({}, { __close = function(_, problem)
    if command.is_endless and err.is(problem) and problem.signal then problem.quiet = true end
  end })
end

local function run_words(words)
  local name, position = M.find_command(words)
  if not name then return run_without_command(words) end
  local command = list.load(name) or help.unknown(name)
  local options = parse(name, command, without(words, position))
  if options.help then
    for _, line in ipairs(help.of(name)) do out.result(line) end
    return 0
  end
  out.style = { ansi = options.ansi or "auto", progress = options.progress or "auto" }
  local _quiet <close> = quiet_when_cut(command)
  local status = M.dispatch(command, options)
  return status
end

--- Prints a failure as a user should see it; gives the exit status.
function M.report(problem, debug_wanted)
  if problem.quiet then return problem.exit end
  if problem.signal then
    out.talk(problem.standing and "interrupted: " .. problem.standing or "interrupted")
    return problem.exit
  end
  if problem.traceback then
    out.error("holos: internal error, please report it with what follows\n" .. problem.traceback)
    return M.INTERNAL
  end
  out.failure(problem)
  if debug_wanted and problem.where then out.error(problem.where) end
  return problem.exit
end

local function wants_debug(words)
  for _, word in ipairs(words) do
    if word == "--" then break end
    if word == "--debug" then return true end
  end
  return world.host.env("HOLOS_LOG") == "debug"
end

--- The program.
---@param argv string[]  the words behind the program's name
---@return integer status
return function(argv)
  local ok, result = xpcall(run_words, err.trace, argv)
  if ok then return result end
  local problem = err.is(result) and result or err.new { message = tostring(result), exit = M.INTERNAL }
  return M.report(problem, wants_debug(argv))
end
