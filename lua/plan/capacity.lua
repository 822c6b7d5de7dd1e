--- Whether the host has what a plan asks of it. Pure.
local machine = require "holos.plan.machine"
local table_ = require "holos.core.table"
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

-- A launch waits for QEMU more than it works. With fewer, the tenth of ten VMs came a third later on two cores (measured).
local LAUNCHES_PER_CORE = 16

--- How many VMs are launched at a time: what the cores can take, and no more than there is memory for, so that those which
--- come after the one that finds none are not begun.
---@param cores integer
---@param specs table[]  of what is to be launched
---@param memory {available_bytes: integer}
function M.parallel(cores, specs, memory)
  local largest_mib = 1
  for _, spec in ipairs(specs) do largest_mib = math.max(largest_mib, spec.vm.memory_mib) end
  local fitting = memory.available_bytes // (largest_mib << 20)
  return math.max(1, math.min(fitting, cores * LAUNCHES_PER_CORE))
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

-- What all instances want that do not run.
local function wanted_by(project, instances, is_running)
  local wanted = { memory_bytes = 0, vcpus = 0, count = 0 }
  for _, item in ipairs(instances) do
    local service = project.services[item.service]
    if not is_running[item.name] then
      wanted.memory_bytes = wanted.memory_bytes + (machine.memory_mib(service) << 20)
      wanted.count = wanted.count + 1
    end
    wanted.vcpus = math.max(wanted.vcpus, service.vm.vcpu)
  end
  return wanted
end

local function warnings_of(capacity)
  local list, memory, disk, cpus = table_.list {}, capacity.memory, capacity.disk, capacity.cpus
  if memory.wanted_bytes > memory.available_bytes then
    list[1] = ("%d %s %s of memory%s; %s is free%s"):format(capacity.to_start, capacity.to_start == 1 and "VM wants" or "VMs want",
      units.format_bytes(memory.wanted_bytes), capacity.running > 0 and " beside those that run" or "",
      units.format_bytes(memory.available_bytes), M.limit { group = memory.limited_by })
  end
  if disk.free_bytes and disk.wanted_bytes > disk.free_bytes then
    list[#list + 1] = ("new disks may grow to %s; %s is free in %s (a VM whose disk cannot grow is paused)"):format(
      units.format_bytes(disk.wanted_bytes), units.format_bytes(disk.free_bytes), disk.directory)
  end
  if cpus.most > cpus.there then
    list[#list + 1] = ("a VM has %d CPUs, this host has %d: more than it has only make it slower"):format(cpus.most, cpus.there)
  end
  return list
end

--- What a project wants of its host beside what runs already, and what is there.
---@param project table
---@param instances table[]  of plan/instance
---@param new_disks {bytes: integer}[]  of plan/effects
---@param facts table  {running = {[instance] = true}, memory = of run/memory, free_bytes, directory, cpu_count}
---@return table capacity  {memory, disk, cpus, to_start, running, warnings}
function M.of(project, instances, new_disks, facts)
  local wanted, disk_bytes = wanted_by(project, instances, facts.running), 0
  for _, disk in ipairs(new_disks) do disk_bytes = disk_bytes + (disk.bytes or 0) end
  local capacity = {
    memory = { wanted_bytes = wanted.memory_bytes, available_bytes = facts.memory.available_bytes,
      total_bytes = facts.memory.total_bytes, limited_by = facts.memory.group },
    disk = { wanted_bytes = disk_bytes, free_bytes = facts.free_bytes, directory = facts.directory },
    cpus = { most = wanted.vcpus, there = facts.cpu_count }, to_start = wanted.count, running = #instances - wanted.count,
  }
  capacity.warnings = warnings_of(capacity)
  return capacity
end

return M
