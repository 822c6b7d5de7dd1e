--- Terminals of remote commands: asked for, and resized with ours. Effects: asks, waits for SIGWINCH.
local task = require "holos.core.task"

local M = {}

local STDIN = 0
local FALLBACK = { term = "xterm", columns = 80, rows = 24 }

local function size(world)
  local columns, rows = world.tty.size(STDIN)
  if not columns or columns < 1 or rows < 1 then return FALLBACK.columns, FALLBACK.rows end
  return columns, rows
end

local function ours(world)
  local columns, rows = size(world)
  return { term = world.host.env("TERM") or FALLBACK.term, columns = columns, rows = rows }
end

--- Asks for the terminal that `options.pty` describes, or with `options.terminal` one like ours.
---@param options holos.SshStreams
function M.request(session, channel, options)
  local pty = options.pty or options.terminal and ours(session.world)
  if pty then session:check(session:await(channel, "try_pty", pty.term, pty.columns, pty.rows)) end
end

--- Tells the command whenever our terminal gets another size; never ends.
function M.follow(session, channel)
  while true do
    task.wait { signal = "WINCH" }
    session:check(session:await(channel, "try_resize", size(session.world)))
  end
end

return M
