--- Where state lives for this run: --state-dir, HOLOS_STATE_DIR or the default. Effects: reads the environment.
local state = require "holos.run.state"

local M = {}

--- The state directory, as run/state knows it.
function M.locate(world, options) return state.locate(world, options) end

return M
