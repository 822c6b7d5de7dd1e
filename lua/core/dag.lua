--- Topological order of small graphs. Pure.
local M = {}

local function cycle_through(path, name)
  local cycle = {}
  for i = #path, 1, -1 do
    table.insert(cycle, 1, path[i])
    if path[i] == name then break end
  end
  cycle[#cycle + 1] = name
  return cycle
end

--- Names such that each comes after all that it needs; ties in the order given.
---@param names string[]
---@param needs fun(name: string): string[]  names that are not in `names` are passed over
---@return string[]? order
---@return string? message  "a → b → a"
---@return string[]? cycle
function M.order(names, needs)
  local known, state, order, path = {}, {}, {}, {}
  for _, name in ipairs(names) do known[name] = true end
  local function visit(name)
    if state[name] == "done" then return nil end
    if state[name] == "open" then return cycle_through(path, name) end
    state[name], path[#path + 1] = "open", name
    for _, other in ipairs(needs(name)) do
      local cycle = known[other] and visit(other)
      if cycle then return cycle end
    end
    state[name], path[#path], order[#order + 1] = "done", nil, name
  end
  for _, name in ipairs(names) do
    local cycle = visit(name)
    if cycle then return nil, table.concat(cycle, " → "), cycle end
  end
  return order
end

return M
