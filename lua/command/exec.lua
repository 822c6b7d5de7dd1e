--- holos exec
local choose = require "holos.use.choose"
local exec = require "holos.use.exec"
local out = require "holos.command.out"
local project = require "holos.use.project"
local tty = require "holos.command.tty"

local M = {
  summary = "run a command in an instance over SSH, or a shell without one",
  arguments = {
    { name = "INSTANCE", help = "an instance, or a service with a single one" },
    { name = "COMMAND", optional = true, repeated = true, rest = true, help = "the command and its arguments" },
  },
  options = {
    { "-u", "--user", value = "NAME", help = "login user (default: the service's cloud_init.user)" },
    { "-T", "--no-tty", help = "no terminal for the command, even on one" },
    { "-t", "--tty", help = "a terminal for the command" },
    { "--no-wait", help = "fail at once when the guest does not answer yet" },
  },
}

--- 128 + the number of the signal, as a shell gives it.
local SIGNALS = { HUP = 1, INT = 2, QUIT = 3, ILL = 4, ABRT = 6, FPE = 8, KILL = 9, SEGV = 11, PIPE = 13, ALRM = 14,
  TERM = 15 }

--- The exit status of holos for the result of a guest's command.
function M.status_of(result)
  if result.signal then return 128 + (SIGNALS[result.signal] or 0) end
  return result.status or 255
end

--- Says once that a guest is waited for; why it does not answer yet is for --no-wait and the end of the wait to tell.
local function waiting(name)
  local said = false
  return function()
    if not said then out.talk(("waiting for %s to let us in …"):format(name)) end
    said = true
  end
end

function M.run(world, options)
  local context = project.from_record(world, options, options.arguments)
  local name, words = choose.instance_and_rest(context.record, context.words)
  local wants_tty = options.tty or (#words == 0 and not options.no_tty)
  local streams <close> = tty.streams(world, wants_tty and not options.no_tty)
  local result = exec.run(context, name, words, streams, { user = options.user, wait = not options.no_wait,
    on_progress = waiting(name) })
  return M.status_of(result)
end

return M
