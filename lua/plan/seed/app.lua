--- The app of a guest: what `command` and `entrypoint` say, started at every boot once the first steps are done. Pure.
--- Guests with systemd get a unit (see unit); those with OpenRC a service, plain ones a process, and both run app.sh.
local become = require "holos.plan.seed.become"
local environment = require "holos.plan.seed.environment"
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"
local unit = require "holos.plan.seed.unit"

local M = {}

-- ulimit's letter for each limit, and the bytes that it counts by (dash(1); bash and busybox do the same). Values in
-- Compose are those of setrlimit(2).
local LIMITS = { core = { "c", 512 }, cpu = { "t", 1 }, data = { "d", 1024 }, fsize = { "f", 512 }, memlock = { "l", 1024 },
  nofile = { "n", 1 }, rss = { "m", 1024 }, stack = { "s", 1024 }, as = { "v", 1024 }, locks = { "w", 1 },
  rtprio = { "r", 1 }, nice = { "e", 1 }, sigpending = { "i", 1 }, msgqueue = { "q", 1 } }

local START = {}

START.systemd = [[

holos_start_app() {
    if [ -e "$holos_here/app.sh" ]; then sh "$holos_here/app.sh" check || return 1; fi
    holos_install "$holos_here/app.service" /run/systemd/system/holos-app.service 644 && systemctl daemon-reload || return 1
    # Early in a boot, what the unit comes after waits for us.
    if [ "$1" = boot ]; then
        systemctl --no-block start holos-app.service
    elif ! systemctl start holos-app.service; then
        systemctl status --no-pager --lines=15 holos-app.service
        return 1
    fi
}
]]

START.openrc = [[

holos_start_app() {
    sh "$holos_here/app.sh" check || return 1
    holos_install "$holos_here/app.openrc" /etc/init.d/holos-app 755 && rc-service holos-app start
}
]]

START.plain = [[

# Apart from whoever starts it: a session of its own, none of our variables, the console for what it says.
holos_start_app() {
    sh "$holos_here/app.sh" check || return 1
    holos_console=/dev/console
    [ -w "$holos_console" ] || holos_console=/run/holos/app.log
    env -i PATH="$PATH" setsid sh "$holos_here/app.sh" run </dev/null >>"$holos_console" 2>&1 &
}
]]

-- Functions of app.sh. Variables begin with holos_: the app's own, which are read in later, can have any other name.
local FUNCTIONS = [[
fail() {
    echo "holos: app: $1"
    exit 1
}

# limit LETTER HARD SOFT
limit() { ulimit "-$1" "$2" && ulimit -S "-$1" "$3" || fail "the limit $1 cannot be set to $3:$2"; }

# bash and busybox call it u, dash p.
limit_processes() {
    if (ulimit -u "$1") 2>/dev/null; then limit u "$1" "$2"; else limit p "$1" "$2"; fi
}
]]

local function limit_value(number, bytes) return number < 0 and "unlimited" or number // bytes end

local function limit_lines(app, lines)
  for name, limit in table_.sorted_pairs(app.ulimits or {}) do
    local known = LIMITS[name]
    if name == "nproc" then
      lines[#lines + 1] = library.words { "limit_processes", limit_value(limit.hard, 1), limit_value(limit.soft, 1) }
    elseif known then
      lines[#lines + 1] = library.words { "limit", known[1], limit_value(limit.hard, known[2]),
        limit_value(limit.soft, known[2]) }
    else
      lines[#lines + 1] = library.words { "fail", ("the limit %s can be set by systemd only"):format(name) }
    end
  end
end

--- app.sh, `check` or `run`: what systemd does by a unit, in a shell. The app's PATH is for the app: what becomes its
--- user is found by ours. env(1) comes last, as dash hands on no variables whose names it could not set; such a name can look like
--- an option of it.
function M.script(spec)
  local app = spec.app
  local lines = { "#!/bin/sh", FUNCTIONS .. "\n" .. become.FUNCTIONS }
  table_.extend(lines, become.assignments(app.user, app.group_add))
  table_.extend(lines, { become.NAMES, 'set -- "$1" "$PATH"' })
  if spec.environment then
    table_.extend(lines, { "set -a", (". %s || exit 1"):format(environment.FILE), "set +a" })
    table_.extend(lines, become.assignments(app.user, app.group_add)) -- again: nothing of the app's says who it runs as
  end
  lines[#lines + 1] = "holos_how=$1 holos_tools=$2"
  -- systemd has set them before it starts us.
  if spec.image.os ~= "systemd" then limit_lines(app, lines) end
  table_.extend(lines, { library.words { "cd", app.working_dir or "/" } .. ' || fail "there is no directory to run it in"',
    "set -- " .. library.words(app.argv), 'command -v "$1" >/dev/null || fail "there is no program $1"',
    '[ "$holos_how" = run ] || exit 0',
    library.words { "set", "--", "env", "--", table.unpack(environment.odd(spec.environment)) } .. ' "PATH=$PATH" "$@"',
    "PATH=$holos_tools", 'become "$@"', "" })
  return table.concat(lines, "\n")
end

local OPENRC = [[
#!/sbin/openrc-run
# Made by holos at every boot.
description=%s
command=/usr/bin/env
command_args="-i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh %s/app.sh run"
command_background=true
pidfile=/run/holos-app.pid
output_log=/dev/console
error_log=/dev/console
retry=%s

depend() {
    use net
}
]]

local function openrc_script(spec)
  local signal = spec.app.stop_signal or "TERM"
  return OPENRC:format(library.words { ("App of %s (holos)"):format(spec.name) }, library.DIRECTORY,
    library.words { ("%s/%d/KILL/5"):format(signal, unit.stop_seconds(spec)) })
end

--- The functions of late.sh.
function M.functions(spec) return spec.app and START[spec.image.os] or "" end

--- The line of late.sh, nil without an app.
function M.line(spec) return spec.app and library.attempt("app", "holos_start_app") .. ' "${1-}"' or nil end

---@return {name: string, data: string}[]
function M.files(spec)
  if not spec.app then return {} end
  local os, files = spec.image.os, {}
  if os == "systemd" then files[1] = { name = "holos/app.service", data = unit.text(spec) } end
  if os == "openrc" then files[1] = { name = "holos/app.openrc", data = openrc_script(spec) } end
  if os ~= "systemd" or unit.needs_shell(spec) then
    files[#files + 1] = { name = "holos/app.sh", data = M.script(spec) }
  end
  return files
end

--- What a guest of this kind cannot do of what the file says.
---@return string[] warnings
function M.warnings(service)
  local app, os = service.app, service.image and service.image.os or "plain"
  if not app or os == "systemd" then return {} end
  local warnings = {}
  if app.pids_limit then
    warnings[1] = ("%s: pids_limit has no effect in a guest without systemd"):format(service.name)
  end
  if app.stop_signal and os == "plain" then
    warnings[#warnings + 1] = ("%s: stop_signal has no effect in a plain guest"):format(service.name)
  end
  return warnings
end

return M
