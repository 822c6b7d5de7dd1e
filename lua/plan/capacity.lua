--- Whether the host has what a plan asks of it. Pure.
local units = require "holos.core.units"

local M = {}

--- What to be warned of before VMs are started; nil when there is memory for all of them.
---@param actions holos.Action[]
---@param specs table[]
---@param memory {available_bytes: integer, group: string?}  as of run/memory
---@return string? warning
function M.memory_warning(actions, specs, memory)
  local starting, wanted_bytes, count = {}, 0, 0
  for _, action in ipairs(actions) do
    if action.kind == "instance.launch" then starting[action.instance] = true end
  end
  for _, spec in ipairs(specs) do
    if starting[spec.name] then wanted_bytes, count = wanted_bytes + (spec.vm.memory_mib << 20), count + 1 end
  end
  if wanted_bytes <= memory.available_bytes then return nil end
  return ("%d %s to be started with %s of memory; %s is free%s"):format(count, count == 1 and "VM is" or "VMs are",
    units.format_bytes(wanted_bytes), units.format_bytes(memory.available_bytes),
    memory.group and (" (limited by %s)"):format(memory.group) or "")
end

return M
