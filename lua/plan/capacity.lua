--- Whether the host has what a plan asks of it. Pure.
local units = require "holos.core.units"

local M = {}

--- What limits the memory, as the end of a sentence; "" when only the host does.
---@param memory {group: string?}  as of run/memory
function M.limit(memory) return memory.group and (" (limited by %s)"):format(memory.group) or "" end

--- The memory that an instance has now; one that runs and does not say with how much has what it is to get.
local function held_mib(known, spec)
  if not (known and known.running) then return 0 end
  return (known.applied or spec).vm.memory_mib
end

local LAUNCHES_PER_CORE, LEAST_LAUNCHES = 4, 4

--- How many VMs are launched at a time: what the cores can take, and no more than there is memory for, so that those which
--- come after the one that finds none are not begun.
---@param cores integer
---@param specs table[]  of what is to be launched
---@param memory {available_bytes: integer}
function M.parallel(cores, specs, memory)
  local largest_mib = 1
  for _, spec in ipairs(specs) do largest_mib = math.max(largest_mib, spec.vm.memory_mib) end
  local fitting = memory.available_bytes // (largest_mib << 20)
  return math.max(1, math.min(fitting, math.max(LEAST_LAUNCHES, cores * LAUNCHES_PER_CORE)))
end

--- What to be warned of before VMs are started; nil when there is memory for all of them.
--- The memory of a VM that is restarted comes free first, and a launch that was cut off has its own already: of those
--- only what they get beyond it counts.
---@param actions holos.Action[]
---@param specs table[]
---@param seen table<string, table>  instances as observed
---@param memory {available_bytes: integer, group: string?}  as of run/memory
---@return string? warning
function M.memory_warning(actions, specs, seen, memory)
  local starting, wanted_bytes, count, is_growth = {}, 0, 0, false
  for _, action in ipairs(actions) do
    if action.kind == "instance.launch" then starting[action.instance] = true end
  end
  for _, spec in ipairs(specs) do
    local held = held_mib(seen[spec.name], spec)
    local more_mib = starting[spec.name] and spec.vm.memory_mib - held or 0
    if more_mib > 0 then
      wanted_bytes, count, is_growth = wanted_bytes + (more_mib << 20), count + 1, is_growth or held > 0
    end
  end
  if wanted_bytes <= memory.available_bytes then return nil end
  return ("%d %s to be started with %s of memory%s; %s is free%s"):format(count,
    count == 1 and "VM is" or "VMs are", units.format_bytes(wanted_bytes), is_growth and " more than now" or "",
    units.format_bytes(memory.available_bytes), M.limit(memory))
end

return M
