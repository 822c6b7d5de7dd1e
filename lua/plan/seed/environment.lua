--- The environment of a guest: /etc/holos/env, for the app, for login shells and for what exec runs. Pure.
--- One form is read by shells and by systemd alike: NAME="VALUE", where a backslash stands before " \ $ and `.
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

--- Where guests have it.
M.FILE = "/etc/holos/env"

-- Bash refuses to have these set, and would stop reading the file there.
local READ_ONLY = { UID = true, EUID = true, PPID = true, BASHOPTS = true, SHELLOPTS = true, BASH_VERSINFO = true }

-- systemd passes over values that are no UTF-8, and takes noncharacters (Unicode 23.7) for none.
local function is_text(value)
  if not utf8.len(value) then return false end
  for _, code in utf8.codes(value) do
    if code & 0xfffe == 0xfffe or code >= 0xfdd0 and code <= 0xfdef then return false end
  end
  return true
end

--- Whether a variable can be set by a line of the file; others reach the app alone, by env(1).
function M.is_plain(name, value)
  return name:find("^[%a_][%w_]*$") ~= nil and not READ_ONLY[name] and is_text(value)
end

local function line(name, value, escape) return ('%s="%s"\n'):format(name, (value:gsub('["\\$`]', escape))) end

local function file_of(environment, make_line)
  local lines = {}
  for name, value in table_.sorted_pairs(environment or {}) do
    if M.is_plain(name, value) then lines[#lines + 1] = make_line(name, value) end
  end
  return table.concat(lines)
end

--- The file for shells and for systemd's EnvironmentFile=.
function M.text(environment)
  return file_of(environment, function(name, value) return line(name, value, "\\%0") end)
end

--- The file for environment.d, which expands once more when it has taken the quotes off: there "$$" is a dollar. It
--- knows no empty variables.
function M.generator_text(environment)
  return file_of(environment, function(name, value)
    local function escape(byte) return byte == "$" and "\\$\\$" or "\\" .. byte end
    return value ~= "" and line(name, value, escape) or nil
  end)
end

--- "name=value" of the variables that the file cannot hold.
---@return string[]
function M.odd(environment)
  local words = {}
  for name, value in table_.sorted_pairs(environment or {}) do
    if not M.is_plain(name, value) then words[#words + 1] = name .. "=" .. value end
  end
  return words
end

--- What a shell does before it runs a command of exec or a check: the guest's environment, the app's directory in $0.
--- It runs as the login user, who may not enter every directory of the app's; it stays where it is then.
---@return string? prelude  nil where there is nothing to do
---@return string? directory
function M.prelude(spec)
  local directory = spec.app and spec.app.working_dir
  if not spec.environment and not directory then return nil end
  local read = ("if [ -r %s ]; then set -a; . %s; set +a; fi; "):format(M.FILE, M.FILE)
  return read .. (directory and 'cd "$0" 2>/dev/null || :; ' or ""), directory
end

-- The login user may read it: exec runs as that user. Users are made late in a first boot, see late.sh.
M.FUNCTIONS = [[

# holos_install FROM TO MODE [GROUP]
holos_install() {
    mkdir -p "${2%/*}" && (umask 077 && cat "$1" >"$2.new") || return 1
    if [ -n "${4-}" ]; then chgrp "$4" "$2.new"; fi
    chmod "$3" "$2.new" && mv "$2.new" "$2"
}

holos_profile_line='if [ -r /etc/holos/env ]; then set -a; . /etc/holos/env; set +a; fi # holos'

holos_write_profile() {
    if [ -e /etc/profile ] && ! grep -q 'profile\.d' /etc/profile; then
        grep -qxF "$holos_profile_line" /etc/profile || printf '%s\n' "$holos_profile_line" >>/etc/profile
    else
        mkdir -p /etc/profile.d && printf '%s\n' "$holos_profile_line" >/etc/profile.d/holos.sh
    fi
}

# holos_write_environment USER
holos_write_environment() {
    if [ ! -e "$holos_here/env" ]; then
        rm -f /etc/holos/env /etc/environment.d/60-holos.conf /etc/profile.d/holos.sh
        return
    fi
    holos_group=$(id -g "$1" 2>/dev/null)
    holos_install "$holos_here/env" /etc/holos/env 640 "$holos_group" && holos_write_profile || return 1
    if [ -d /run/systemd/system ]; then
        holos_install "$holos_here/environment.conf" /etc/environment.d/60-holos.conf 640 "$holos_group"
    fi
}
]]

--- The line of boot.sh, and of late.sh. Also without an environment: there may be an older one.
function M.line(spec) return library.attempt("environment", "holos_write_environment", spec.user) end

---@return {name: string, data: string}[]
function M.files(spec)
  if not spec.environment then return {} end
  return { { name = "holos/env", data = M.text(spec.environment) },
    { name = "holos/environment.conf", data = M.generator_text(spec.environment) } }
end

return M
