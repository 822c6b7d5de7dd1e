--- The app of a guest with systemd, as a unit. Pure.
--- It lies in /run: a guest whose file has no `command` any more has no unit at its next boot.
local environment = require "holos.plan.seed.environment"
local library = require "holos.plan.seed.library"
local path = require "holos.core.path"
local table_ = require "holos.core.table"

local M = {}

M.NAME = "holos-app.service"
--- At its end a guest has so much less time than the host gives it; then systemd kills the app, and not holos the VM.
local HEADROOM_S = 5

local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n", ["\t"] = "\\t", ["%"] = "%%", ["$"] = "$$" }

--- One word of an ExecStart= line (systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting"): C escapes in
--- double quotes; "%" begins specifiers and "$" variables, doubled they are themselves. A line that is no UTF-8 would be
--- passed over, so that all but ASCII is escaped.
function M.word(text)
  local escaped = text:gsub('[%c\127-\255\\"%%$]', function(byte)
    return ESCAPES[byte] or ("\\x%02x"):format(byte:byte())
  end)
  return '"' .. escaped .. '"'
end

local function words(list) return table.concat(table_.map(list, M.word), " ") end

-- systemd wants the path of a program; anything else a shell finds, in the app's own PATH and directory.
local function is_direct(program) return program:find("^/[%w_./+-]*$") ~= nil end

-- A directory that stands in WorkingDirectory= as it is: that has no quoting, and wants no dots.
local function is_plain_directory(directory)
  return directory:find("^/[%w_./+@:-]*$") ~= nil and path.normalize(directory) == directory
end

--- Whether app.sh is what the unit starts: systemd takes no user by a number that has no name, and keeps a user's groups where
--- one is named; what no file of variables can hold would stand in the unit, which everybody may read; app.sh is for root only.
function M.needs_shell(spec)
  local user = spec.app.user or ""
  return user:find("^%d") ~= nil or user:find(":", 1, true) ~= nil or #environment.odd(spec.environment) > 0
end

local function command_of(app)
  local command = app.argv
  if app.working_dir and not is_plain_directory(app.working_dir) then
    return { "/bin/sh", "-c", 'cd "$0" && exec "$@"', app.working_dir, table.unpack(command) }
  end
  return is_direct(command[1]) and command or { "/bin/sh", "-c", 'exec "$@"', "sh", table.unpack(command) }
end

local function value_of(number) return number < 0 and "infinity" or tostring(number) end

local function limits(app, lines)
  for name, limit in table_.sorted_pairs(app.ulimits or {}) do
    lines[#lines + 1] = ("Limit%s=%s:%s"):format(name:upper(), value_of(limit.soft), value_of(limit.hard))
  end
  if app.pids_limit then lines[#lines + 1] = "TasksMax=" .. value_of(app.pids_limit) end
end

local function identity(app, lines)
  lines[#lines + 1] = "User=" .. (app.user or "root")
  if app.group_add then lines[#lines + 1] = "SupplementaryGroups=" .. table.concat(app.group_add, " ") end
end

-- What is run, and as whom, where and with which variables: all of that is app.sh's where that is run.
local function start(spec, lines)
  local app = spec.app
  if M.needs_shell(spec) then
    lines[#lines + 1] = "ExecStart=" .. words { "/bin/sh", library.DIRECTORY .. "/app.sh", "run" }
    return
  end
  lines[#lines + 1] = "ExecStart=" .. words(command_of(app))
  identity(app, lines)
  if app.working_dir and is_plain_directory(app.working_dir) then
    lines[#lines + 1] = "WorkingDirectory=" .. app.working_dir
  end
  if spec.environment then lines[#lines + 1] = "EnvironmentFile=" .. environment.FILE end
end

--- How long the app has to end before it is killed.
function M.stop_seconds(spec) return math.max(1, spec.stop_grace_ms // 1000 - HEADROOM_S) end

--- The unit as text.
function M.text(spec)
  local app = spec.app
  local lines = { "[Unit]", ("Description=App of %s (holos)"):format(spec.name), "Wants=network-online.target",
    "After=network-online.target", "", "[Service]", "Type=exec" }
  start(spec, lines)
  limits(app, lines)
  if app.stop_signal then lines[#lines + 1] = "KillSignal=" .. app.stop_signal end
  lines[#lines + 1] = ("TimeoutStopSec=%d"):format(M.stop_seconds(spec))
  table_.extend(lines, { "StandardOutput=journal+console", "StandardError=journal+console", "SyslogIdentifier=" .. spec.name })
  return table.concat(lines, "\n") .. "\n"
end

return M
