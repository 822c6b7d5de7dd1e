--- Keys that are read and checked and have no effect so far, by what has to give them one. Data.
--
-- `up` refuses a file that uses them and names them. A key that has its effect is taken out of this list, and then works.
local M = {}

local function add(names)
  for name in names:gmatch("%S+") do M[name] = true end
end

-- Both need somebody who watches machines while no command runs.
add [[ depends_on.completed depends_on.restart ]]

-- Volumes are kept in the project's own directory.
add [[ volume.external ]]

--- The class of a key: "later" while it is listed here.
function M.class(name) return M[name] and "later" or "works" end

return M
