--- Scopes: no task outlives the block that spawned it; the first error cancels the rest, and the block raises it. Pure.

local err = require "holos.core.err"
local frames = require "holos.core.task.frame"
local loops = require "holos.core.task.loop"

local M = {}

local Scope = { __name = "task.scope" }
Scope.__index = Scope

-- Waiting for the children to end. A cancel reaches them by itself, and they have to end in any case.
local Join = { unbreakable = true }
Join.__index = Join

function Join:arm(task) self.scope.joiner = task end
function Join:disarm() self.scope.joiner = nil end

function Join:describe()
  local names = {}
  for child in pairs(self.scope.children) do names[#names + 1] = child.name end
  table.sort(names)
  return "its children " .. table.concat(names, ", ")
end

local function name_of(problem)
  return tostring(problem):match("^[^\n]*")
end

-- An error of its own in the body or a child: the first counts, and cancels the others.
local function fail(scope, problem)
  if scope.first_problem ~= nil then return end
  scope.first_problem = problem
  scope.frame:cancel(err.new { code = "ECANCELED", message = "cancelled, because of: " .. name_of(problem) })
end

-- Sorts out why a part of the scope ended with `problem`; `frame` is the child's first one, or the body's.
-- Cancelled alone or with the whole scope: nothing new. Cancelled from outside: the block has to say so at its end.
local function judge(scope, problem, frame)
  local cause = frame:cause_of(problem)
  if not cause then return fail(scope, problem) end
  if cause ~= frame and cause ~= scope.frame then scope.cut = problem end
end

local function child_ended(scope, child)
  scope.children[child] = nil
  if child.problem ~= nil then judge(scope, child.problem, child.base) end
  if next(scope.children) == nil and scope.joiner then scope.joiner:wake() end
end

--- Starts a task in this scope; it runs `fn(...)` when its turn comes. One that is cancelled before never starts.
---@return table task  task:cancel(why); task.wait(task) gives its results or raises its error
function Scope:spawn(name, fn, ...)
  if self.ended then error(("scope of %s has ended: it cannot spawn %s"):format(self.owner.name, name), 2) end
  local full = ("%s/%s"):format(self.owner.name, name)
  local child = self.owner.loop:spawn(full, self.frame, function(ended) child_ended(self, ended) end, fn, ...)
  self.children[child] = true
  if self.stopped then child:cancel(self.stopped) end
  return child
end

--- Cancels all children, those spawned later too; the body goes on.
---@param why string?
function Scope:cancel(why)
  self.stopped = self.stopped or why or "its scope stopped it"
  local list = {}
  for child in pairs(self.children) do list[#list + 1] = child end
  table.sort(list, function(a, b) return a.number < b.number end)
  for _, child in ipairs(list) do child:cancel(self.stopped) end
end

--- Runs `body(scope, ...)`, waits until all tasks it spawned have ended; gives its results or raises the first error.
function M.run(body, ...)
  local owner = loops.current()
  local scope = setmetatable({ owner = owner, children = {}, frame = frames.enter(owner) }, Scope)
  local outcome = table.pack(xpcall(body, err.trace, scope, ...))
  if not outcome[1] then judge(scope, outcome[2], scope.frame) end
  if next(scope.children) ~= nil then loops.park(setmetatable({ scope = scope }, Join)) end
  scope.ended = true
  scope.frame:leave()
  if scope.first_problem ~= nil then error(scope.first_problem, 0) end
  if not outcome[1] then error(outcome[2], 0) end
  if scope.cut then error(scope.cut, 0) end
  return table.unpack(outcome, 2, outcome.n)
end

return M
