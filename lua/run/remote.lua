--- SSH to an instance: its port, its pinned host key, the project's user key. Effects: connects.
local err = require "holos.core.err"
local environment = require "holos.plan.seed.environment"
local keys = require "holos.run.keys"
local ports = require "holos.run.ports"
local ssh = require "holos.run.ssh"

local M = {}

--- The host port of the guest's sshd: the first that was forwarded.
function M.ssh_port(now) return now.ports and now.ports[1] and now.ports[1].host end

--- A command line for a guest's shell: these words, in the environment that the file gives the guest.
function M.command_line(spec, words)
  local prelude, directory = environment.prelude(spec)
  if not prelude then return ssh.command_line(words) end
  return ssh.command_line { "sh", "-c", prelude .. '"$@"', directory or "sh", table.unpack(words) }
end

local function no_network(spec)
  err.raise { message = spec.name .. ": it has no network card (network_mode: none), so nothing but its console leads in",
    code = "ENONETWORK", hint = ("holos console -p %s %s"):format(spec.project, spec.name) }
end

--- How to reach an instance, for run/ssh.
function M.target(world, state, spec, now, options)
  if not ports.is_reachable(spec) then no_network(spec) end
  local port = M.ssh_port(now)
  if not port then err.raise { message = spec.name .. ": its SSH port is not known; is it still launching?", code = "ENOPORT" } end
  local user, host = keys.user(world, state, spec.project), keys.host(world, state, spec.project, spec.name)
  return { address = "127.0.0.1", port = port, user = options.user or spec.user, public = user.public,
    private = user.private, host_public = host.public, timeout_ms = options.timeout_ms, name = spec.name,
    on_progress = options.on_progress, users_are_made = options.users_are_made }
end

--- A session, tried once.
function M.connect(world, state, spec, now, options) return ssh.connect(world, M.target(world, state, spec, now, options)) end

--- A session, waited for while the guest boots.
function M.wait(world, state, spec, now, options) return ssh.wait_ready(world, M.target(world, state, spec, now, options)) end

return M
