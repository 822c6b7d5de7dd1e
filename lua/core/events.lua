--- A closed list of events and the functions that want to hear of them. Pure.
---
--- A *filter* may give a value, which replaces the payload; a *veto* may give M.veto(reason), which refuses what was
--- about to happen; a *notice* is only told. Handlers run in the order in which they came.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local text = lazy "holos.core.text"

local M = {}

local Veto = { __name = "holos.veto" }

--- What a handler gives to refuse.
function M.veto(reason)
  return setmetatable({ reason = tostring(reason or "no reason given") }, Veto)
end

local Events = {}
Events.__index = Events

--- An empty list of handlers.
---@param definitions {name: string, kind: "filter"|"veto"|"notice", help: string}[]
function M.new(definitions)
  local events = setmetatable({ by_name = {}, names = {}, handlers = {} }, Events)
  for i, definition in ipairs(definitions) do
    events.by_name[definition.name] = definition
    events.names[i] = definition.name
    events.handlers[definition.name] = {}
  end
  return events
end

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  return ("%s:%d"):format(info.short_src, info.linedefined)
end

--- Calls `fn(payload)` whenever the event happens.
function Events:on(name, fn)
  if not self.by_name[name] then
    local near = text.nearest(tostring(name), self.names)
    err.raise { message = ("there is no event %q"):format(tostring(name)), code = "EEVENT",
      hint = near and ("did you mean %q?"):format(near) or "events: " .. table.concat(self.names, " ") }
  end
  if type(fn) ~= "function" then
    err.raise { message = ("a handler of %s is a function, got a %s"):format(name, type(fn)), code = "EEVENT" }
  end
  table.insert(self.handlers[name], { fn = fn, place = place_of(fn) })
end

--- Whether anybody wants to hear of an event.
function Events:is_wanted(name)
  return self.handlers[name][1] ~= nil
end

local function call(name, handler, payload)
  local fine, result = xpcall(handler.fn, err.trace, payload)
  if fine then return result end
  if err.is(result, "ECANCELED") then error(result, 0) end
  err.raise { message = ("in the handler of %s at %s: %s"):format(name, handler.place, tostring(result)),
    code = "EHANDLER", hint = err.is(result) and result.hint or nil }
end

--- The event happens. Raises when a handler fails or vetoes (code "EVETO", exit 3).
---@return any payload  what the filters made of it
function Events:emit(name, payload)
  local definition = self.by_name[name] or error("undefined event " .. tostring(name))
  for _, handler in ipairs(self.handlers[name]) do
    local result = call(name, handler, payload)
    if getmetatable(result) == Veto and definition.kind == "veto" then
      local message = ("%s refused by %s: %s"):format(name, handler.place, result.reason)
      err.raise { message = message, code = "EVETO", exit = 3 }
    end
    if definition.kind == "filter" and result ~= nil then payload = result end
  end
  return payload
end

--- Forgets all handlers.
function Events:clear()
  for name in pairs(self.handlers) do self.handlers[name] = {} end
end

return M
