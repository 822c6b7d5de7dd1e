--- Replaces exported functions of modules. It works because every exported function is called through its module table.
--- Pure but for the module tables that it changes.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local text = lazy "holos.core.text"

local M = {}

local function refuse(message, hint)
  err.raise { message = "holos.override: " .. message, code = "EOVERRIDE", hint = hint }
end

local function load_module(name)
  if type(name) ~= "string" or not name:find("^holos%.") then
    refuse(("modules are named like \"holos.plan.qemu\", got %q"):format(tostring(name)))
  end
  local found, module = pcall(require, name)
  if not found then refuse(("there is no module %s in this holos"):format(name)) end
  if type(module) ~= "table" then refuse(("%s exports nothing"):format(name)) end
  return module
end

local function exported_functions(module)
  local names = {}
  for name, value in table_.sorted_pairs(module) do
    if type(value) == "function" then names[#names + 1] = name end
  end
  return names
end

--- Puts `fn(base, ...)` in the place of an exported function; `base` is what was there. Overrides stack.
---@param module_name string  "holos.plan.qemu"
---@param name string         a function that it exports; one that has vanished is an error
---@param fn fun(base: function, ...): any
---@return fun() undo  puts `base` back; only the last override of a function can be undone
function M.install(module_name, name, fn)
  local module = load_module(module_name)
  local base = module[name]
  if type(base) ~= "function" then
    local near = text.nearest(tostring(name), exported_functions(module))
    refuse(("%s has no function %q"):format(module_name, tostring(name)), near and ("did you mean %q?"):format(near))
  end
  if type(fn) ~= "function" then refuse(("wants a function, got a %s"):format(type(fn))) end
  local function replacement(...) return fn(base, ...) end
  module[name] = replacement
  return function()
    if module[name] ~= replacement then error("overrides are undone last first", 2) end
    module[name] = base
  end
end

return M
