--- What may have been meant where a path leads nowhere. Pure: the names are handed in.
local path = require "holos.core.path"
local text = require "holos.core.text"

local M = {}

--- The names in a file's directory that a finding may suggest.
function M.names(file, facts) return facts.list and facts.list(path.parent(file)) or {} end

--- The near one of some names in the directory of a file, as the file would write it.
function M.nearest(file, names, project)
  local close, parent = text.nearest(path.base(file), names), path.parent(file)
  return close and (parent == project.directory and "./" .. close or path.join(parent, close))
end

return M
