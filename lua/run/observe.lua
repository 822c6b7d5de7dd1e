--- What is: instances of a record and their processes, guests, reports, disks. Effects: reads; asks monitors.
local disks = require "holos.plan.qemu.disks"
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local gate = require "holos.plan.gate"
local monitor = require "holos.run.monitor"
local path = require "holos.core.path"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"
local status = require "holos.plan.status"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- A report is a few lines; a guest that writes more is not believed further.
M.REPORT_BYTES = 256 << 10
--- A QEMU that answers at all does so within a millisecond or two; so many are asked at a time.
local ASK_MS = 300
M.AT_ONCE = 256

--- What the guest has reported since its launch: how it began, and of what is too long the last part. A supervisor cuts such
--- a report short, but not at once.
function M.report(world, state, project, name, now)
  local file, from = state:instance(project, name) .. "/report.log", now.report_from_bytes or 0
  local text = world.fs.read_at(file, from, M.REPORT_BYTES) or ""
  if #text == M.REPORT_BYTES then
    local stat = world.fs.stat(file)
    local last = stat and math.max(from + #text, stat.size_bytes - M.REPORT_BYTES) or from + #text
    text = text .. (last > from + #text and "\n" or "") .. (world.fs.read_at(file, last, M.REPORT_BYTES) or "")
  end
  return report.fold(text)
end

-- The root disk; nil and why, where there is one that cannot be read.
local function disk_of(world, state, project, name)
  local info, message, code = world.qcow2.info(state:instance(project, name) .. "/root.qcow2")
  return info, not info and code ~= "ENOENT" and message or nil
end

--- Whether an instance has a living process; nobody is asked.
function M.is_running(world, state, project, name)
  local process <close> = runtime.process(world, (runtime.load(world, state, project, name)))
  return process ~= nil
end

--- What machines run with, as a function that looks at each of them once.
---@return fun(project: string, instance: string): table?, boolean applied  the spec, and whether it runs at all
function M.applied_of(world, state)
  local seen = {}
  return function(project, instance)
    local key = project .. "/" .. instance
    if not seen[key] then
      local now = runtime.load(world, state, project, instance)
      local process <close> = runtime.process(world, now)
      seen[key] = { spec = process and runtime.applied(state, project, instance, now) or nil, runs = process ~= nil }
    end
    return seen[key].spec, seen[key].runs
  end
end

local function running(world, state, project, name, now, applied)
  local told = M.report(world, state, project, name, now)
  local halt, answered = monitor.ask(world, state:instance(project, name), ASK_MS)
  local text = status.running(now, told, halt, applied) .. (answered and "" or ", its monitor does not answer")
  return { running = true, state = halt and halt.word or told.state, text = text, halt = halt, runtime = now, report = told,
    applied = applied, is_cut = not runtime.is_proven(now) }
end

local function not_running(entry, why, now)
  local text = status.stopped(entry, why, now)
  return { running = false, state = text:match("^%a+"), text = text, runtime = now, is_rebooted = why == "rebooted" }
end

-- The disk of a volume without a name that was made and is gone: "volume web-1a2b3c4d"; nil when all are there.
local function lost_disk(world, state, record, name)
  for _, volume in ipairs(record.instances[name].anonymous or {}) do
    local file = disks.anonymous_file { volume = volume }
    if not world.fs.lstat(path.join(state:instance(record.name, name), file)) then return "volume " .. volume end
  end
end

-- Whether a new disk has ever done what is waited for, in this run of its guest or an earlier one.
local function has_served(world, state, record, name)
  local entry = record.instances[name]
  if not entry.replaced or not entry.replaced.is_moved then return nil end
  local text = world.fs.read_at(state:instance(record.name, name) .. "/report.log", 0, report.MAX_BYTES)
  return report.has_ever_reached(text or "", gate.reported(entry.spec))
end

--- One instance of a record.
---@return {running: boolean, state: string, text: string, runtime: table?, report: table?, disk: boolean,
---         disk_bytes: integer?, problem: string? (why its root disk cannot be read), lost: string? (another disk, that is gone),
---         is_rebooted: boolean? (the host was, since it ran),
---         halt: holos.Halt? (why its guest does not run), applied: table? (the spec it was
---         launched with), is_cut: boolean? (its launch was), has_served: boolean? (a disk that replaced another)}
function M.instance(world, state, record, name)
  local now, why = runtime.load(world, state, record.name, name)
  local process <close> = runtime.process(world, now)
  local info, problem = disk_of(world, state, record.name, name)
  local seen = process
    and running(world, state, record.name, name, now, runtime.applied(state, record.name, name, now))
    or not_running(record.instances[name], why, now)
  seen.disk, seen.disk_bytes, seen.problem = (info or problem) ~= nil, info and info.virtual_bytes, problem
  seen.lost = seen.disk and lost_disk(world, state, record, name) or nil
  seen.has_served = has_served(world, state, record, name)
  return seen
end

--- The same as far as lists show it, also of a record that was glanced at. What has a disk open knows best whether that is
--- sound.
---@return {running: boolean, state: string, text: string, runtime: table?, halt: holos.Halt?, is_rebooted: boolean?}
function M.glance(world, state, record, name)
  local now, why = runtime.load(world, state, record.name, name)
  local process <close> = runtime.process(world, now)
  if process then
    return running(world, state, record.name, name, now, runtime.applied(state, record.name, name, now, true))
  end
  local _, problem = disk_of(world, state, record.name, name)
  if problem then err.raise { message = name .. ": " .. problem } end
  return not_running(record.instances[name], why, now)
end

--- All instances of a record, looked at side by side.
---@return table<string, table>
function M.instances(world, state, record)
  local names, seen = table_.keys(record.instances), {}
  local list = task.map(names, M.AT_ONCE, function(name) return M.instance(world, state, record, name) end)
  for position, name in ipairs(names) do seen[name] = list[position] end
  return seen
end

--- The volumes of a project that are there; one that cannot be read is nobody's trouble but of those who have it.
---@return table<string, {size_bytes: integer?, problem: string?}>
function M.volumes(world, state, project)
  local volumes = {}
  for _, entry in ipairs(directory_.entries(world, state:volumes(project))) do
    local volume = entry.name:match("^(.+)%.qcow2$")
    if volume then
      local info, problem = world.qcow2.info(state:volume(project, volume))
      volumes[volume] = info and { size_bytes = info.virtual_bytes } or { problem = problem }
    end
  end
  return volumes
end

--- All instances and volumes of a record.
---@return {instances: table<string, table>, volumes: table<string, table>}
function M.project(world, state, record)
  return { instances = M.instances(world, state, record), volumes = M.volumes(world, state, record.name) }
end

return M
