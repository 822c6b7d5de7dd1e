--- Which instances of services that are changed in groups have failed, and when that is too many. Pure but for its events.
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

local Tally = {}
Tally.__index = Tally

--- Nothing has failed so far.
function M.new() return setmetatable({ services = {} }, Tally) end

local function of(tally, service)
  local known = tally.services[service] or { failed = {}, over = task.event() }
  tally.services[service] = known
  return known
end

--- Whether an action is still to begin: not those of a change that is over, and what takes it back only then.
---@param action holos.Action
function Tally:may_begin(action)
  if action.is_for_failure then return of(self, action.service).over:is_fired() end
  return not (action.rollout and of(self, action.rollout.service).over:is_fired())
end

--- Takes in a failure; whether it is borne, so that it ends nothing that does not come after it.
---@param action holos.Action
function Tally:bears(action, problem)
  local counted = action.rollout
  if not counted or not err.is(problem) then return false end
  local known = of(self, counted.service)
  known.failed[action.instance or action.id] = true
  if #table_.keys(known.failed) <= counted.may_fail then return true end
  if not counted.goes_back then return false end
  known.problem = known.problem or problem
  known.over:fire(true)
  return true
end

--- Waits until the change of a service is over because too many have failed.
function Tally:until_over(service) of(self, service).over:wait() end

--- Why the change of a service was given up.
function Tally:problem(service) return of(self, service).problem end

--- Whether a failure is why the change of some service was given up.
function Tally:is_given_up(problem)
  for _, known in pairs(self.services) do
    if known.problem == problem then return true end
  end
  return false
end

return M
