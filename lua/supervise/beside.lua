--- What goes on beside a guest for as long as it runs: its monitor is listened to, its logs are kept short, the commands of
--- its start and its checks are run. Effects: as of the others in this directory.
local checks = require "holos.supervise.checks"
local logs = require "holos.supervise.logs"
local start = require "holos.supervise.start"
local steady = require "holos.supervise.steady"
local task = require "holos.core.task"

local M = {}

-- Begins what goes by the settings; gives the tasks.
local function begin(scope, keeper, guest)
  local project, spec, now = keeper.project, keeper.entry.spec, keeper.now
  local tasks = { scope:spawn("steady", steady.run, project, spec, now, guest), scope:spawn("logs", logs.run, project, spec, now) }
  if spec.healthcheck then
    tasks[#tasks + 1] = scope:spawn("checks", function() guest:tell(checks.run(project, spec, now, guest)) end)
  end
  return tasks
end

-- The commands of its start, once for a launch; they look at other settings themselves.
local function begin_start(scope, keeper, now, guest)
  if not keeper.entry.spec.post_start then
    guest.has_begun:fire()
  elseif not guest.starter then
    guest.starter = scope:spawn("start", start.run, keeper, now, guest)
  end
end

local function look_after(scope, keeper, now, guest)
  scope:spawn("guest", function() guest:tell(guest:follow()) end)
  while true do
    begin_start(scope, keeper, now, guest)
    local tasks = begin(scope, keeper, guest)
    local why = guest:take_over(keeper.entry.spec) or guest:next_told()
    if why then return why end
    for _, one in ipairs(tasks) do one:cancel("the settings are others") end
  end
end

--- Ends only when the guest is to be replaced, and says why. What the record says anew ends neither the connection to its
--- monitor nor the commands of its start.
---@param keeper table  its entry and now
---@param now table     the runtime of the launch
---@param guest table   of supervise/guest; guest:tell() says that the settings are others
---@return {how: string, text: string, cause: string}
function M.run(keeper, now, guest)
  return task.scope(function(scope)
    local why = look_after(scope, keeper, now, guest)
    scope:cancel("it is to be replaced")
    return why
  end)
end

return M
