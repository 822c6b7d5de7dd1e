--- What a directory holds, for those who go by it: "nothing" is never said of one that could only not be read now.
--- Effects: reads.
local err = require "holos.core.err"

local M = {}

local IS_NOTHING = { ENOENT = true, ENOTDIR = true }

--- The entries of a directory, none where there is no such directory; raises when it cannot be read.
---@return {name: string, type: string}[]
function M.entries(world, path)
  local entries, message, code = world.fs.list(path)
  if not entries and IS_NOTHING[code] then return {} end
  return err.check(path, entries, message, code)
end

return M
