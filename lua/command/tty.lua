--- The standard streams of commands that talk to a guest. Effects: puts the terminal into raw mode and back.
local exec = require "holos.use.exec"
local out = require "holos.command.out"

local M = {}

local Streams = {}
Streams.__index = Streams

--- Gives the terminal back its modes.
function Streams:close()
  if self.raw then self.raw:close() end
  self.raw = nil
  self.stdin:close()
end
Streams.__close = Streams.close

--- Puts the terminal into raw mode until closed. Called once the other side is there: until then Ctrl-C is a signal.
function Streams:enter()
  if self.terminal then self.raw = self.world.tty.raw(0) end
end

--- Streams for run/ssh and the console; with `wants_terminal` and terminals on stdin and stdout they are one terminal.
---@return {stdin: table, stdout: fun(chunk: string), stderr: fun(chunk: string), terminal: boolean, enter: function}
function M.streams(world, wants_terminal)
  local terminal = wants_terminal and world.tty.is_terminal(0) and world.tty.is_terminal(1)
  local streams = { stdin = exec.input(world), stdout = out.bytes, stderr = out.raw, terminal = terminal,
    world = world }
  return setmetatable(streams, Streams)
end

return M
