--- holos exec
local args = require "holos.core.args"
local choose = require "holos.use.choose"
local err = require "holos.core.err"
local exec = require "holos.use.exec"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local tty = require "holos.command.tty"

local M = {
  is_endless = true, -- its Ctrl-C is the guest's
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

local NOT_TRIED, LOST = 125, 255

--- 128 + the number of the signal, as a shell gives it.
local SIGNALS = { HUP = 1, INT = 2, QUIT = 3, ILL = 4, ABRT = 6, FPE = 8, KILL = 9, SEGV = 11, PIPE = 13, ALRM = 14,
  TERM = 15 }

--- The exit status of holos for the result of a guest's command.
function M.status_of(result)
  if result.signal then return 128 + (SIGNALS[result.signal] or 0) end
  return result.status or LOST
end

--- Says once that a guest is waited for; why it does not answer yet is for --no-wait and the end of the wait to tell.
local function waiting(name)
  local said = false
  return function()
    if not said then out.talk(("waiting for %s to let us in …"):format(name)) end
    said = true
  end
end

--- Connects and runs the command; `on_try()` is called in between.
local function connect_and_run(world, options, on_try)
  local context <close> = shared.recorded(world, options)
  local name, words = choose.instance_and_rest(context.record, context.words)
  local wants_tty = options.tty or (#words == 0 and not options.no_tty)
  local streams <close> = tty.streams(world, wants_tty and not options.no_tty)
  local session <close> = exec.session(context, name, { user = options.user, wait = not options.no_wait,
    on_progress = waiting(name) })
  on_try()
  return exec.run(session, context.record.instances[name].spec, words, streams)
end

--- The statuses below 64 are the guest's: a failure of ours must not look like one of its command.
function M.run(world, options)
  local was_tried = false
  local ok, result = xpcall(connect_and_run, err.trace, world, options, function() was_tried = true end)
  if ok then return M.status_of(result) end
  if err.is(result) and result.exit < args.USAGE then result.exit = was_tried and LOST or NOT_TRIED end
  error(result, 0)
end

return M
