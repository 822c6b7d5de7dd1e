--- Keeps the logs of a running instance from growing without end: what is too large goes to a backup. QEMU has the files
--- open for appending, so they are copied and emptied where they are. Writes down when they grew, too. Effects: files,
--- runtime.json.
local err = require "holos.core.err"
local log_file = require "holos.run.log_file"
local observe = require "holos.run.observe"
local report = require "holos.plan.report"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

--- Where the file says nothing; `logging` speaks of the console. A report is a few lines.
M.CONSOLE_BYTES, M.FILES = 16 << 20, 2
--- A guest that writes without end is looked at this often.
M.LOOK_MS = 1000
local FILE_MODE = tonumber("600", 8)

--- The files of an instance and what they may grow to.
---@return {path: string, most_bytes: integer, files: integer}[]
function M.limits(directory, logging)
  logging = logging or {}
  return {
    { path = directory .. "/console.log", most_bytes = logging.max_bytes or M.CONSOLE_BYTES, files = logging.max_files or M.FILES },
    { path = directory .. "/report.log", most_bytes = observe.REPORT_BYTES, files = 2, is_report = true },
  }
end

--- console.log → console.log.1 → console.log.2 …; the oldest is replaced.
local function keep(world, log)
  for number = log.files - 1, 2, -1 do
    world.fs.rename(("%s.%d"):format(log.path, number - 1), ("%s.%d"):format(log.path, number))
  end
  if log.files > 1 then
    err.check("log", world.fs.copy(log.path, log.path .. ".1", { mode = FILE_MODE, sync = false }))
  end
  err.check("log", world.fs.truncate(log.path, 0))
  log_file.forget(world, log.path)
end

-- What a guest has reported stays known.
local function cap_report(project, spec, now, log)
  local told = observe.report(project.world, project.state, project.name, spec.name, now)
  keep(project.world, log)
  err.check("log", project.world.fs.append(log.path, report.summary(told), { mode = FILE_MODE }))
  now.report_from_bytes = 0
end

local function cap(project, spec, now, log)
  if log.is_report then cap_report(project, spec, now, log) else keep(project.world, log) end
  runtime.update(project.world, project.state, project.name, spec.name, now, function(other)
    if log.is_report then other.report_from_bytes = 0 else other.console_from_bytes = 0 end
  end)
  project:emit { type = "log.capped", instance = spec.name, file = log.path:match("[^/]+$") }
end

-- What comes now came after our last look. Nothing is written for a log that does not grow: the disk may be full.
local function note_growth(world, log, bytes)
  if log.seen_bytes and bytes > log.seen_bytes then log_file.stamp(world, log.path, log.seen_ms, log.seen_bytes) end
  log.seen_bytes, log.seen_ms = bytes, world.clock.utc_ms()
end

local function look(project, spec, now, logs)
  for _, log in ipairs(logs) do
    local stat = project.world.fs.stat(log.path)
    if stat then note_growth(project.world, log, stat.size_bytes) end
    if stat and stat.size_bytes > log.most_bytes then
      local ok, problem = pcall(cap, project, spec, now, log)
      if not ok and not err.is_failure(problem) then error(problem, 0) end
      if not ok then project:emit { type = "supervisor.trouble", instance = spec.name, message = problem.message } end
    end
  end
end

--- Watches the logs of an instance, for ever.
function M.run(project, spec, now)
  local logs = M.limits(project.state:instance(project.name, spec.name), spec.logging)
  while true do
    local changed = task.event()
    local console <close> = project.watch:on(logs[1].path, { "modify" }, function() changed:fire() end)
    local reported <close> = project.watch:on(logs[2].path, { "modify" }, function() changed:fire() end)
    look(project, spec, now, logs)
    if not console and not reported then task.event():wait() end
    changed:wait()
    if console then console:close() end
    if reported then reported:close() end
    task.wait { at_ms = task.now_ms() + M.LOOK_MS }
  end
end

return M
