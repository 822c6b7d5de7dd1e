--- Replaces functions of a module for a scope.
---@param functions table<string, function>
---@return table  to be closed
return function(module, functions)
  local kept = {}
  for name, fn in pairs(functions) do kept[name], module[name] = module[name], fn end
  return setmetatable({}, { __close = function()
    for name, fn in pairs(kept) do module[name] = fn end
  end })
end

