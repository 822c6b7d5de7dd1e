--- ps and ls: what is, without locks and without the network. Effects: reads; asks monitors;
--- starts supervisors that are missing.
local err = require "holos.core.err"
local image = require "holos.plan.image"
local observe = require "holos.run.observe"
local record_ = require "holos.run.record"
local restart = require "holos.plan.restart"
local supervisor = require "holos.run.supervisor"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- The address that an instance goes by: that of its first network.
function M.address(spec)
  for _, nic in ipairs(spec.nics) do
    if nic.address then return nic.address end
  end
end

--- One instance as data: {project, service, name, image, state, status, cpu, memory_mib, disk_bytes, address, ports,
--- pid}.
---@param seen table  as run/observe gives it
function M.row(world, state, record, name, seen)
  local spec, is_kept = record.instances[name].spec, record.instances[name].kept ~= nil
  local now = seen.runtime or {}
  local disk = world.fs.stat(state:instance(record.name, name) .. "/root.qcow2")
  return { project = record.name, service = spec.service, name = name, image = image.name(spec.image),
    state = seen.state, status = seen.text .. (is_kept and ", config changed" or ""), running = seen.running,
    accel = spec.vm.accel, vcpu = spec.vm.vcpu, memory_mib = spec.vm.memory_mib,
    disk_bytes = disk and disk.allocated_bytes or 0, address = M.address(spec),
    ports = table_.list(seen.running and { table.unpack(now.ports or {}, 2) } or {}),
    ssh_port = seen.running and now.ports and now.ports[1] and now.ports[1].host or nil,
    pid = seen.running and now.pid or nil,
    up_ms = seen.running and world.clock.utc_ms() - (now.launched_ms or world.clock.utc_ms()) or nil,
    directory = state:instance(record.name, name) }
end

--- What is seen of an instance; one that cannot be looked at spoils no list.
local function look(world, state, record, name)
  local ok, seen = pcall(observe.glance, world, state, record, name)
  if ok then return seen end
  if not err.is_failure(seen) then error(seen, 0) end
  return { running = false, state = "damaged", text = "damaged: " .. seen.message, problem = seen }
end

-- Whether a supervisor has something to do for an instance: it runs, its end was not noticed, a restart is due, or it ran
-- always until the host was rebooted.
local function needs_supervisor(entry, seen)
  local now = seen.runtime or {}
  local is_due = now.restarts and now.restarts.next_ms or seen.is_rebooted and restart.starts_at_boot(entry.spec.restart)
  return entry.desired == "running" and (seen.running or now.pid or is_due)
end

-- Supervisors may be killed: whoever looks starts those that are missing. Gives those that cannot be.
local function supervise(world, state, needed)
  local problems = {}
  for _, project in ipairs(table_.keys(needed)) do
    local fine, message = supervisor.ensure(world, state, project)
    if not fine then problems[#problems + 1] = { name = project, message = message } end
  end
  return problems
end

--- The instances of some records, all looked at side by side; those of a project in order of name.
local function rows_of(world, state, records)
  local wanted, needed = {}, {}
  for _, project in ipairs(table_.keys(records)) do
    for _, name in ipairs(table_.keys(records[project].instances)) do wanted[#wanted + 1] = { records[project], name } end
  end
  local rows = table_.list(task.map(wanted, observe.AT_ONCE, function(item)
    local record, name = item[1], item[2]
    local seen = look(world, state, record, name)
    if needs_supervisor(record.instances[name], seen) then needed[record.name] = true end
    return M.row(world, state, record, name, seen)
  end))
  return rows, supervise(world, state, needed)
end

--- A record as `instances` needs it.
function M.read(world, state, name) return record_.glance(world, state, name) end

--- The instances of one record, in order of name, and problems {name, message} with its supervisor.
function M.instances(world, state, record) return rows_of(world, state, { [record.name] = record }) end

--- The instances of all projects, and the projects whose record is damaged.
function M.everything(world, state)
  local records, damaged = record_.all(world, state)
  local rows, problems = rows_of(world, state, records)
  return rows, table_.extend(damaged, problems)
end

local function count_running(world, state, record, damaged)
  local running, count = 0, 0
  for name in pairs(record.instances) do
    local ok, is_running = pcall(observe.is_running, world, state, record.name, name)
    count, running = count + 1, running + (ok and is_running and 1 or 0)
    if not ok and not err.is(is_running) then error(is_running, 0) end
    if not ok then damaged[#damaged + 1] = { name = record.name, message = is_running.message } end
  end
  return running, count
end

--- All projects: {name, instances, running, directory}, and those of which something is damaged.
function M.projects(world, state)
  local records, damaged = record_.all(world, state)
  local rows = table_.list {}
  for _, name in ipairs(table_.keys(records)) do
    local running, count = count_running(world, state, records[name], damaged)
    rows[#rows + 1] = { name = name, instances = count, running = running, directory = records[name].directory }
  end
  return rows, damaged
end

return M
