--- What goes on beside a guest for as long as it runs: its monitor is listened to, its logs are kept short, the commands of
--- its start and its checks are run. Effects: as of the others in this directory.
local checks = require "holos.supervise.checks"
local logs = require "holos.supervise.logs"
local start = require "holos.supervise.start"
local steady = require "holos.supervise.steady"
local task = require "holos.core.task"

local M = {}

-- What goes by the settings, until these are others: nil, or why the guest is to be replaced.
local function by_settings(keeper, guest)
  local project, spec, now, news = keeper.project, keeper.entry.spec, keeper.now, keeper.news
  local why = guest:take_over(spec)
  if why then return why end
  local all = {
    function() news:wait() end,
    function() return steady.run(project, spec, now, guest) end,
    function() return logs.run(project, spec, now) end,
  }
  if spec.healthcheck then all[#all + 1] = function() return checks.run(project, spec, now, guest) end end
  return task.race(all)
end

--- Ends only when the guest is to be replaced, and says why. What the record says anew ends neither the connection to its
--- monitor nor the commands of its start.
---@param keeper table  its entry, now and news
---@param now table     the runtime of the launch
---@param guest table   of supervise/guest
---@return {how: string, text: string, cause: string}
function M.run(keeper, now, guest)
  return task.race {
    function() return guest:follow() end,
    function() return start.run(keeper, now, guest) end,
    function()
      local why
      repeat why = by_settings(keeper, guest) until why
      return why
    end,
  }
end

return M
