--- Where a check of a tree is, and where its findings go. Pure.
local schema = require "holos.core.schema"

local M = {}

---@class holos.At        where a check is, and where its findings go
---@field context any     handed to `parse` functions
---@field marks table     marks[container][key] → packed position
---@field findings table[]
---@field warnings table[]
---@field incomplete table|true  containers that are not to be told what is missing in them; true: all
---@field later table[]   what was checked and has no effect so far: {mark, path, hint}
---@field is_lenient boolean?  excusable refusals are warnings
local At = {}
At.__index = At

--- A fresh walk. `marks`, `context` and `incomplete` may be nil.
function M.new(marks, context, incomplete)
  return setmetatable({
    marks = marks or {}, context = context, incomplete = incomplete or {}, findings = {}, warnings = {}, later = {},
    keys = {}, containers = {}, depth = 0,
  }, At)
end

local function nearest_mark(at)
  for level = at.depth, 1, -1 do
    local marks = at.marks[at.containers[level]]
    local mark = marks and marks[at.keys[level]]
    if mark then return mark end
  end
end

local function note(at, list, message, hint, mark)
  local path = schema.path(table.move(at.keys, 1, at.depth, 1, {}))
  list[#list + 1] = { mark = mark or nearest_mark(at), path = path, message = message, hint = hint }
end

--- Reports a mistake at the present place; `mark` says a better one.
function At:report(message, hint, mark) note(self, self.findings, message, hint, mark) end

--- Reports something that the user should know, and that stops nothing.
function At:warn(message, hint) note(self, self.warnings, message, hint) end

--- Reports something that a lenient check only warns of; says whether it did.
function At:refuse(reason, hint)
  if self.is_lenient then self:warn("has no effect: " .. reason) else self:report(reason, hint) end
  return self.is_lenient
end

--- Notes that what is at the present place has no effect so far.
function At:put_off(hint) note(self, self.later, "not available yet", hint) end

--- Goes to one value of a container, for a report about it; `leave` comes back.
function At:enter(container, key)
  local depth = self.depth + 1
  self.depth, self.containers[depth], self.keys[depth] = depth, container, key
end

function At:leave() self.depth = self.depth - 1 end

return M
