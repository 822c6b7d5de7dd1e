--- Changes of files, told to whoever asked for them; one inotify for a whole project, as a user has few. Effects: inotify.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

local Watch = {}
Watch.__index = Watch

--- Nothing is watched so far.
function M.new(world, name)
  return setmetatable({ inotify = err.check(name, world.fs.watch()), handlers = {} }, Watch)
end

-- One of those who want to hear of a file.
local Handle = {}
Handle.__index = Handle

--- No longer hears of it.
function Handle:close()
  local list = self.watch.handlers[self.id]
  if not list or not list[self] then return end
  list[self] = nil
  if next(list) == nil then
    self.watch.handlers[self.id] = nil
    self.watch.inotify:remove(self.id)
  end
end
Handle.__close = Handle.close

--- Calls `fn(name)` for each change of a file, or in a directory: `name` is the entry's then. All who watch one file name the
--- same kinds. Until the handle is closed.
---@param kinds string[]  "modify", "move", "create", "delete"
---@return table? handle
---@return string? message
---@return string? code
function Watch:on(path, kinds, fn)
  local id, message, code = self.inotify:add(path, kinds)
  if not id then return nil, message, code end
  local handle = setmetatable({ watch = self, id = id, fn = fn }, Handle)
  self.handlers[id] = self.handlers[id] or {}
  self.handlers[id][handle] = true
  return handle
end

local function tell(list, name)
  local handles = {}
  for handle in pairs(list or {}) do handles[#handles + 1] = handle end
  for _, handle in ipairs(handles) do handle.fn(name) end
end

--- Tells of changes, for ever. When there were more than the kernel keeps, everybody is told.
function Watch:run()
  while true do
    local event = self.inotify:try_next()
    if not event then
      task.wait { fd = self.inotify:fileno(), dir = "r" }
    elseif event.events.overflow then
      for _, list in pairs(self.handlers) do tell(list) end
    else
      tell(self.handlers[event.id], event.name)
      if event.events.ignored then self.handlers[event.id] = nil end
    end
  end
end

--- Ends it.
function Watch:close() self.inotify:close() end
Watch.__close = Watch.close

return M
