--- ps and ls: what is, without locks and without the network. Effects: reads; asks monitors.
local observe = require "holos.run.observe"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- One instance as data: {project, service, name, image, state, status, cpu, memory_mib, disk_bytes, address, ports,
--- pid}.
---@param seen table  as run/observe gives it
function M.row(world, state, record, name, seen)
  local spec = record.instances[name].spec
  local now = seen.runtime or {}
  local disk = world.fs.stat(state:instance(record.name, name) .. "/root.qcow2")
  return { project = record.name, service = spec.service, name = name, image = spec.image.path:match("[^/]+$"),
    state = seen.state, status = seen.text, running = seen.running, accel = spec.vm.accel, vcpu = spec.vm.vcpu,
    memory_mib = spec.vm.memory_mib, disk_bytes = disk and disk.allocated_bytes or 0, address = spec.nics[2].address,
    ports = table_.list(seen.running and { table.unpack(now.ports or {}, 2) } or {}),
    ssh_port = seen.running and now.ports and now.ports[1] and now.ports[1].host or nil,
    pid = seen.running and now.pid or nil,
    up_ms = seen.running and world.clock.utc_ms() - (now.launched_ms or world.clock.utc_ms()) or nil,
    directory = state:instance(record.name, name) }
end

--- The instances of one record, in order of name.
function M.instances(world, state, record)
  local rows, seen = table_.list {}, observe.instances(world, state, record)
  for _, name in ipairs(table_.keys(record.instances)) do
    rows[#rows + 1] = M.row(world, state, record, name, seen[name])
  end
  return rows
end

--- All projects: {name, instances, running, directory} and those whose record is damaged.
function M.projects(world, state)
  local records, damaged = record_.all(world, state)
  local rows = table_.list {}
  for _, name in ipairs(table_.keys(records)) do
    local running, count = 0, 0
    for instance in pairs(records[name].instances) do
      count = count + 1
      if observe.is_running(world, state, name, instance) then running = running + 1 end
    end
    rows[#rows + 1] = { name = name, instances = count, running = running, directory = records[name].directory }
  end
  return rows, damaged
end

--- The instances of all projects.
function M.everything(world, state)
  local records, damaged = record_.all(world, state)
  local names, rows = table_.keys(records), table_.list {}
  local lists = task.map(names, math.max(1, #names), function(name) return M.instances(world, state, records[name]) end)
  for _, list in ipairs(lists) do table_.extend(rows, list) end
  return rows, damaged
end

return M
