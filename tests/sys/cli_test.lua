--- The command line of the built binary: statuses, streams, help, completion (judged by the shells), man page (by man).

local files = require "tests.support.files"
local host = require "sys.host"
local tool = require "tests.support.tool"

local HOLOS = host.executable()

local function holos(...)
  return run_tool({ HOLOS, ... }, { env = { "HOLOS_STATE_DIR=/dev/null/state", "HOLOS_LUA_PATH="
    .. (files.environment("HOLOS_LUA_PATH") or "") } })
end

local function need(program)
  if not tool.find(program) then skip(program .. " is not installed") end
end

test("without a command: help on standard error, 64", function()
  local result = holos()
  equal({ result.status, result.stdout }, { 64, "" })
  ok(result.stderr:find("usage: holos [OPTIONS] COMMAND", 1, true))
end)

test("help on standard output, 0, however it is asked for", function()
  local help = holos("help")
  equal({ help.status, help.stderr }, { 0, "" })
  equal(holos("--help").stdout, help.stdout)
  equal(holos("-h").stdout, help.stdout)
  local of_up = holos("help", "up")
  equal({ of_up.status, of_up.stdout:match("^[^\n]*") }, { 0, "usage: holos up [OPTIONS] [SERVICE…]" })
  equal(holos("up", "--help").stdout, of_up.stdout)
  equal(holos("-h", "up").stdout, of_up.stdout)
  equal(holos("exec", "-h").status, 0)
end)

test("every command has help that fits the page", function()
  local list = require "holos.command.list"
  for _, name in ipairs(list.names()) do
    local result = holos("help", name)
    equal({ result.status, result.stderr }, { 0, "" })
    for line in result.stdout:gmatch("[^\n]+") do ok(utf8.len(line) <= 110, line) end
  end
end)

test("unknown commands and options: 64 with the nearest", function()
  local command = holos("upp")
  equal({ command.status, command.stdout, command.stderr },
    { 64, "", 'holos: there is no command "upp"\n  did you mean "up"?\n' })
  local option = holos("up", "--detatch")
  equal({ option.status, option.stderr }, { 64, "holos: unknown option --detatch\n  did you mean --detach?\n" })
  equal(holos("help", "upp").status, 64)
  equal(holos("gen", "mann").status, 64)
  equal(holos("ssh").stderr, 'holos: there is no command "ssh"\n  holos exec SERVICE\n')
  equal(holos("top").stderr, 'holos: there is no command "top"\n  holos ps\n')
end)

test("options without a command: what is wrong with them, and not all of the help", function()
  equal({ holos("--foo").status, holos("--foo").stderr }, { 64, "holos: unknown option --foo\n" })
  equal(holos("-f").stderr, "holos: -f wants a value (FILE)\n")
  local missing = holos("-p", "lab")
  equal({ missing.status, missing.stdout, missing.stderr }, { 64, "", "holos: missing COMMAND\n  holos help lists them\n" })
  local alone = holos()
  equal({ alone.status, alone.stdout, alone.stderr }, { 64, "", holos("--help").stdout })
end)

test("version", function()
  local result = holos("version")
  equal(result.status, 0)
  ok(result.stdout:find("^holos %d+%.%d+%.%d+ %([%w_]+, build %x+%)\n"), result.stdout)
  equal(holos("version", "--short").stdout, result.stdout:match("^holos (%S+)") .. "\n")
  equal(holos("--version").stdout, result.stdout)
end)

test("a script gets its arguments, the holos table and a status of its own", function()
  local script = tmpdir() .. "/x.lua"
  files.write(script, 'print(arg[0] == ..., ...) print(holos.api(1), type(require "sys.fs".read)) return 7')
  local result = holos("lua", script, "a", "--b", "-c")
  equal({ result.status, result.stdout, result.stderr }, { 7, "false\ta\t--b\t-c\n1\tfunction\n", "" })
end)

test("a script's own mistakes: its file and line, no traceback of ours for syntax", function()
  local script = tmpdir() .. "/x.lua"
  files.write(script, "local x = = 1")
  local result = holos("lua", script)
  equal(result.status, 1)
  ok(result.stderr:find("^holos: .*/x.lua:1: unexpected symbol"), result.stderr)
  equal(holos("lua", "/nonexistent.lua").status, 1)
end)

test("a bug ends with 70, a traceback and the request to report it", function()
  local script = tmpdir() .. "/x.lua"
  files.write(script, "local t = nil\nreturn t.x")
  local result = holos("lua", script)
  equal(result.status, 70)
  ok(result.stderr:find("internal error", 1, true) and result.stderr:find("x.lua:2:", 1, true), result.stderr)
end)

test("--debug shows where an error was raised", function()
  local plain, debugged = holos("help", "upp"), holos("--debug", "help", "upp")
  equal(debugged.status, 64)
  ok(not plain.stderr:find("traceback"))
  ok(debugged.stderr:find("stack traceback:.*command/help.lua"), debugged.stderr)
end)

test("a reader that goes away ends the command quietly; a full device is an error", function()
  need "sh"
  local gone = run_tool { "sh", "-c", '{ "$0" gen markdown; echo $? >&2; } | true', HOLOS }
  ok(gone.stderr == "141\n" or gone.stderr == "0\n", gone.stderr)
  local full = run_tool { "sh", "-c", '"$0" help >/dev/full', HOLOS }
  equal({ full.status, full.stderr }, { 1, "holos: standard output: No space left on device\n" })
end)

-- -- completion and manual ------------------------------------------------------------------------------------------

local function generated(what)
  local path = tmpdir() .. "/" .. what
  local result = holos("gen", what)
  equal(result.status, 0)
  files.write(path, result.stdout)
  return path
end

test("bash completes commands, options and their choices", function()
  need "bash"
  local script = generated "bash"
  local function complete(...)
    local words = { ... }
    local result = run_tool { "bash", "-c", [[
      source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holos; printf '%s\n' "${COMPREPLY[@]}"
    ]], script, table.unpack(words) }
    equal(result.stderr, "")
    return result.stdout
  end
  equal(complete("holos", "val"), "validate\n")
  equal(complete("holos", "up", "--det"), "--detach\n")
  equal(complete("holos", "-f", "x.yaml", "up", "--det"), "--detach\n")
  equal(complete("holos", "up", "--ansi", "al"), "always\n")
  equal(complete("holos", "gen", "ma"), "man\nmarkdown\n")
  equal(complete("holos", "help", "val"), "validate\n")
end)

test("zsh accepts its completion", function()
  need "zsh"
  local result = run_tool { "zsh", "-n", generated "zsh" }
  equal({ result.status, result.stderr }, { 0, "" })
end)

test("fish accepts its completion", function()
  need "fish"
  local result = run_tool { "fish", "--no-execute", generated "fish" }
  equal({ result.status, result.stderr }, { 0, "" })
end)

test("man renders the page without a warning", function()
  need "man"
  local result = run_tool({ "man", "--warnings", "-E", "UTF-8", "-l", generated "man" }, { env = { "MANWIDTH=100" } })
  equal({ result.status, result.stderr }, { 0, "" })
  for _, words in ipairs { "NAME", "holos - docker compose", "--project-name NAME", "EXIT STATUS", "holos exec" } do
    ok(result.stdout:find(words, 1, true), words .. " is not in the page")
  end
end)
