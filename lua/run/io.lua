--- Turns `try_x` of a primitive into a wait: the one place where EAGAIN is met. Effects: waits.

local task = require "holos.core.task"

local M = {}

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
