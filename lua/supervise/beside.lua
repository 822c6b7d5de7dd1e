--- What goes on beside a guest for as long as it runs: its monitor is listened to, its logs are kept short, the commands of
--- its start and its checks are run. Effects: as of the others in this directory.
local checks = require "holos.supervise.checks"
local logs = require "holos.supervise.logs"
local start = require "holos.supervise.start"
local steady = require "holos.supervise.steady"
local task = require "holos.core.task"

local M = {}

--- Ends only when the guest is to be replaced, and says why.
---@param guest table  of supervise/guest
---@return {how: string, text: string, cause: string}
function M.run(project, spec, now, guest)
  local all = {
    function() return guest:follow() end,
    function() return steady.run(project, spec, now, guest) end,
    function() return logs.run(project, spec, now) end,
  }
  if spec.post_start then
    guest.has_begun = task.event()
    all[#all + 1] = function() return start.run(project, spec, now, guest) end
  end
  if spec.healthcheck then all[#all + 1] = function() return checks.run(project, spec, now, guest) end end
  return task.race(all)
end

return M
