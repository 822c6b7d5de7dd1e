--- The line that runs a command of post_start or pre_stop, in real shells, as root.
local err = require "holos.core.err"
local hook = require "holos.plan.hook"
local host = require "sys.host"
local hooks = require "holos.run.hook"
local tool = require "tests.support.tool"

if host.uid() ~= 0 then skip "only root becomes somebody else" end

local SPEC = { app = { user = "nobody", working_dir = "/usr" }, environment = {} }

local function run(command, spec, fields)
  local words = hook.words(spec or {}, { command = command, user = fields and fields.user,
    working_dir = fields and fields.working_dir, environment = fields and fields.environment })
  local result = tool.run(words)
  return { result.status, result.stdout, result.stderr }
end

test("root in / unless something else is said; the program's user and directory where it has some", function()
  local who = { "sh", "-c", 'echo "$(id -un):$(id -gn) $PWD $HOME $USER"' }
  equal(run(who), { 0, "root:root / /root root\n", "" })
  equal(run(who, SPEC)[2]:match("^nobody:nogroup /usr "), "nobody:nogroup /usr ")
  equal(run(who, SPEC, { user = "root", working_dir = "/tmp" }), { 0, "root:root /tmp /root root\n", "" })
  equal(run(who, {}, { user = "daemon:tty" })[2]:match("^daemon:tty / "), "daemon:tty / ")
  equal(run({ "id", "-u" }, {}, { user = "4711" }), { 0, "4711\n", "" })
end)

test("words arrive whole, with variables of any name and value; the status is the command's", function()
  local odd = { A = "it's $HOME `id` \"x\"\nand more", ["a.b"] = "dot", PATH = "/nowhere" }
  local words = { "/usr/bin/env", "printf", "<%s>", "a  b", "c'd", "$HOME", "", "-n", "two\nlines", "*" }
  equal(run(words, {}, { environment = { A = "1" } })[2], "<a  b><c'd><$HOME><><-n><two\nlines><*>")
  equal(run({ "/bin/sh", "-c", 'printf %s "$A"; exit 7' }, {}, { environment = odd }), { 7, odd.A, "" })
  ok(run({ "/usr/bin/env" }, {}, { environment = odd })[2]:find("\na.b=dot\n", 1, true))
  equal(run({ "no-such-program" })[1], 127)
end)

test("who or where it is to run has to be there", function()
  equal(run({ "true" }, {}, { user = "no-such-user" })[1], 126)
  local result = run({ "true" }, {}, { working_dir = "/no/such/directory" })
  equal(result[1], 126)
  ok(result[3]:find("there is no directory to run it in", 1, true), result[3])
end)

test("a command that could not begin is not said to have had all its time", function()
  local paused = { exec = function() err.raise { message = "no session within 2m", code = "ETIMEDOUT", exit = 125 } end }
  equal(hooks.run(paused, {}, { command = { "true" } }, 600000).why, "no session within 2m")
  local slow = { exec = function() err.raise { message = "timed out", code = "ETIMEDOUT", waited_ms = 600000 } end }
  equal(hooks.run(slow, {}, { command = { "true" } }, 600000).why, "not done after 10m")
end)
