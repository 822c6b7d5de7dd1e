--- Whether there is room for what is about to be written, before any of it is. Effects: looks.
local err = require "holos.core.err"
local units = require "holos.core.units"

local M = {}

--- Raises when a directory's file system has too little left.
---@param wanted_bytes integer
---@param what string   "the copy"
---@param hint string?  what to do; else that nothing was done
function M.demand(world, directory, wanted_bytes, what, hint)
  local space = world.fs.space(directory)
  if not space or space.free_bytes >= wanted_bytes then return end
  err.raise { message = ("%s may take %s, and %s has %s left"):format(what, units.format_bytes(wanted_bytes), directory,
    units.format_bytes(space.free_bytes)), code = "ENOSPC", hint = hint or "nothing was written" }
end

return M
