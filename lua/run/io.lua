--- Turns `try_x` of a primitive into a wait: the one place where EAGAIN is met. Effects: waits.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

--- From the opened gate to a running program there is little to do: only a dead file system takes longer than this.
M.GO_MS = 10000

--- Calls `object:method(...)` until it no longer answers EAGAIN, waiting for the object's descriptor in between.
-- Deadlines come from task.within around it.
---@return any result, string? message, string? code  as the primitive gave them
function M.await(object, method, ...)
  while true do
    local results = table.pack(object[method](object, ...))
    if results[1] ~= nil or results[2] ~= "EAGAIN" then return table.unpack(results, 1, results.n) end
    task.wait { fd = object:fileno(), dir = results[3] }
  end
end

--- Lets a prepared child go and waits until its program runs. Whatever goes wrong, the child is closed: it ends at its
--- gate.
---@param context string?  for the message
---@return userdata child
function M.go(context, child)
  local ok, problem = xpcall(function() err.check(context, task.within(M.GO_MS, M.await, child, "try_go")) end, err.trace)
  if ok then return child end
  child:close()
  error(problem, 0)
end

--- Writes all of `text`; true, or nil, message, code.
function M.write_all(object, text)
  local from = 1
  while from <= #text do
    local count, message, code = M.await(object, "try_write", text, from)
    if not count then return nil, message, code end
    from = from + count
  end
  return true
end

return M
