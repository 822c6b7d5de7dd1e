--- The commands of an instance's start (post_start), where no command of the user's has run them. Effects: as of
--- run/post_start.
local checks = require "holos.supervise.checks"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local post_start = lazy "holos.run.post_start"
local task = require "holos.core.task"

local M = {}

local function ignore() end

--- Beside a guest for as long as it runs. One that fails is told, and left to the user; checks begin all the same.
---@param guest table  of supervise/guest; guest.has_begun is fired at the end
function M.run(project, spec, now, guest)
  checks.until_reported(project, spec, now, "provisioned")
  local ok, problem = pcall(post_start.complete, project.world, { state = project.state, spec = spec, now = now,
    on_change = ignore, tell = function(event) project:emit(event) end })
  if not ok and not err.is(problem, post_start.FAILED) then error(problem, 0) end
  guest.has_begun:fire()
  project:stir()
  task.event():wait()
end

return M
