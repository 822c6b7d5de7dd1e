--- `local x = lazy "holos.…"`: stands for a module, which is loaded when something of it is looked up first. Pure.
--
-- For what most commands do not need: loading a module costs about as much as checking a service. Every use goes to the
-- module's own table, so that overrides are seen.

---@param name string  literally, as with require: tests read it
---@return table module
return function(name)
  local meta = {}
  function meta.__index(_, key)
    meta.__index = require(name)
    return meta.__index[key]
  end
  function meta.__newindex(_, key, value) require(name)[key] = value end
  return setmetatable({}, meta)
end
