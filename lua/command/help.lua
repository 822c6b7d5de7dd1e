--- holos help
local err = require "holos.core.err"
local list = require "holos.command.list"
local manual = require "holos.core.manual"
local out = require "holos.command.out"
local text = require "holos.core.text"

local M = {
  summary = "show this help, or that of a command",
  arguments = { { name = "COMMAND", optional = true, help = "a command", complete = list.names() } },
  options = {},
  bare = true, -- nothing is waited for
}

-- What docker compose, Vagrant and virsh call it.
local ELSEWHERE = {
  ssh = "holos exec SERVICE", shell = "holos exec SERVICE", attach = "holos console INSTANCE",
  run = "holos up makes machines, holos exec runs a command in one",
  create = "holos up --no-start", destroy = "holos down", delete = "holos rm", remove = "holos rm", undefine = "holos down",
  halt = "holos stop", kill = "holos stop --timeout 0", shutdown = "holos stop", poweroff = "holos stop",
  reload = "holos restart", reboot = "holos restart", reset = "holos restart", provision = "holos up --reprovision",
  status = "holos ps", stats = "holos ps", top = "holos ps", port = "holos ps", inspect = "holos ps --format json",
  cp = "holos exec SERVICE -- cat FILE", box = "holos images", image = "holos images", volume = "holos volumes",
  network = "holos networks", completion = "holos gen", convert = "holos config", list = "holos ls",
}

--- The overview of all commands, as lines.
function M.overview() return manual.overview("holos", list.TAGLINE, list.groups(), list.OPTIONS) end

--- The help of one command, as lines.
function M.of(name) return manual.help("holos", name, list.load(name) or M.unknown(name)) end

--- How a command is written, as one line.
function M.usage(name, command) return "usage: " .. manual.usage("holos", name, command) end

--- Raises: there is no such command; names what does it here, or the nearest.
function M.unknown(name)
  local near = not ELSEWHERE[name] and text.nearest(name, list.names())
  err.raise { message = ("there is no command %q"):format(name), code = "EUSAGE", exit = 64,
    hint = ELSEWHERE[name] or near and ("did you mean %q?"):format(near) or "holos help lists them" }
end

function M.run(_, options)
  local name = options.arguments[1]
  for _, line in ipairs(name and M.of(name) or M.overview()) do out.result(line) end
  return 0
end

return M
