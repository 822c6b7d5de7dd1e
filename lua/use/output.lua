--- Results that a user wants in a file (-o). Effects: writes it.
local err = require "holos.core.err"
local path = require "holos.core.path"
local replace = require "holos.run.replace"

local M = {}

local PRIVATE, PUBLIC = tonumber("600", 8), tonumber("644", 8)

--- Whether what was asked for is standard output.
function M.is_standard(name) return not name or name == "-" end

-- What a result is made of is not written over with it: comments and variables would be lost.
local function refuse_source(world, file, name, sources)
  local stat = world.fs.stat(file)
  for _, source in ipairs(stat and sources or {}) do
    local other = world.fs.stat(source)
    if other and other.device == stat.device and other.inode == stat.inode then
      err.raise { message = name .. " is a file that this is made of; nothing was written", code = "EEXIST", exit = 3,
        hint = "write it to another one" }
    end
  end
end

--- Writes a result to the file that a user named.
---@param how {sources: string[], is_private: boolean?}  sources: what it was made of; private: a new file is for its
---           owner only
function M.put(world, name, bytes, how)
  local file = path.absolute(name, world.host.working_directory())
  refuse_source(world, file, name, how.sources)
  replace.put(world, file, bytes, how.is_private and PRIVATE or PUBLIC)
end

return M
