--- How a VM has ended whose end nobody heard, by what it left behind. Effects: reads its logs.
local shutdown = require "holos.plan.shutdown"

local M = {}

--- So much of what a VM said last is looked at.
local TAIL_BYTES = 4096

--- As plan/shutdown tells it.
---@param now table  its runtime
---@return string how
---@return string text
---@return string? reason
function M.unheard(world, state, project, name, now)
  local directory = state:instance(project, name)
  local stat = world.fs.stat(directory .. "/console.log")
  local from = math.max(now.console_from_bytes or 0, (stat and stat.size_bytes or 0) - TAIL_BYTES)
  return shutdown.unheard(world.fs.read_at(directory .. "/console.log", from, TAIL_BYTES) or "",
    world.fs.tail(directory .. "/qemu.log", TAIL_BYTES) or "")
end

return M
