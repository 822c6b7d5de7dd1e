--- holos console
local choose = require "holos.use.choose"
local exec = require "holos.use.exec"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local tty = require "holos.command.tty"

local M = {
  summary = "attach to the serial console of an instance (detach with Ctrl-])",
  arguments = { { name = "INSTANCE", help = "an instance, or a service with a single one" } },
  options = {},
}

function M.run(world, options)
  local context <close> = shared.recorded(world, options)
  local name = choose.instance_and_rest(context.record, context.words)
  exec.running(context, name)
  local streams <close> = tty.streams(world, true)
  out.talk(("attached to the console of %s; detach with Ctrl-]"):format(name))
  local how = exec.console(context, name, streams)
  streams:close()
  if streams.terminal then out.talk("") end -- the guest's cursor stands anywhere
  out.talk(how == "detached" and "detached; the VM runs on" or ("%s has ended"):format(name))
  return 0
end

return M
