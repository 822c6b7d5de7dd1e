--- What is: instances of a record and their processes, reports, disks. Effects: reads only.
local err = require "holos.core.err"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"

local M = {}

--- A report is a few lines; a guest that writes more is not believed further.
local MAX_REPORT_BYTES = 256 * 1024

--- What the guest has reported since its launch.
function M.report(world, state, project, name, now)
  local file = state:instance(project, name) .. "/report.log"
  return report.fold(world.fs.read_at(file, now.report_from_bytes or 0, MAX_REPORT_BYTES) or "")
end

local function stopped_text(entry, why, now)
  if why == "rebooted" and entry.desired == "running" then return "stopped (host rebooted)" end
  if why or not now then return "stopped" end
  if now.exit then return ("exited (%s)"):format(now.exit) end
  return entry.desired == "running" and "exited" or "stopped"
end

local function running_text(now, told)
  if told.state == "failed" then
    return ("failed: %s (step %d, exit %d)"):format(told.failed.title, told.failed.step, told.failed.exit)
  end
  if now.health then return now.health end
  if told.state == "provisioning" then return ("provisioning %d/%d"):format(told.step or 0, told.steps or 0) end
  return told.state
end

--- One instance of a record.
---@return {running: boolean, state: string, text: string, runtime: table?, report: table?, disk: boolean,
---         disk_bytes: integer?, applied: table? (the spec it was launched with), is_cut: boolean? (its launch was)}
function M.instance(world, state, record, name)
  local now, why = runtime.load(world, state, record.name, name)
  local process <close> = runtime.process(world, now)
  local info, message, code = world.qcow2.info(state:instance(record.name, name) .. "/root.qcow2")
  if not info and code ~= "ENOENT" then err.raise { message = name .. ": " .. message, code = code } end
  local disk, disk_bytes = info ~= nil, info and info.virtual_bytes
  if not process then
    local text = stopped_text(record.instances[name], why, now)
    return { running = false, state = text:match("^%a+"), text = text, runtime = now, disk = disk,
      disk_bytes = disk_bytes }
  end
  local told = M.report(world, state, record.name, name, now)
  local text = running_text(now, told)
  return { running = true, state = told.state, text = text, runtime = now, report = told, disk = disk,
    disk_bytes = disk_bytes, applied = now.spec, is_cut = not (now.ports and now.ports[1]) }
end

--- All instances and volumes of a record.
---@return {instances: table<string, table>, volumes: table<string, {size_bytes: integer}>}
function M.project(world, state, record)
  local seen = { instances = {}, volumes = {} }
  for name in pairs(record.instances) do seen.instances[name] = M.instance(world, state, record, name) end
  for _, entry in ipairs(world.fs.list(state:volumes(record.name)) or {}) do
    local volume = entry.name:match("^(.+)%.qcow2$")
    if volume then
      local info = err.check("volume " .. volume, world.qcow2.info(state:volume(record.name, volume)))
      seen.volumes[volume] = { size_bytes = info.virtual_bytes }
    end
  end
  return seen
end

return M
