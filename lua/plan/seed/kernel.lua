--- What a guest's kernel is told at every boot: parameters (sysctls), the size of /dev/shm, its watchdog. Pure.
--- Nothing of it stays on the disk: what the file no longer says is the kernel's own again at the next boot.
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"
local watchdog = require "holos.plan.seed.watchdog"

local M = {}

local FUNCTIONS = [[

# holos_set_parameter PATH VALUE [later]: one that is not there yet may come with a module.
holos_set_parameter() {
    if [ -e "/proc/sys/$1" ]; then
        printf '%s\n' "$2" >"/proc/sys/$1"
        return
    fi
    echo "the kernel has no parameter $1"
    [ "${3-}" = later ] || return 1
    holos_report "log the kernel has no parameter $1 so far"
}

holos_resize_shm() {
    if holos_is_mounted /dev/shm; then
        mount -o "remount,size=$1" /dev/shm
    else
        mkdir -p /dev/shm && mount -t tmpfs -o "mode=1777,nosuid,nodev,size=$1" tmpfs /dev/shm
    fi
}
]]

--- What the lines call.
function M.functions(spec) return FUNCTIONS .. watchdog.functions(spec) end

--- "net.core.somaxconn" → "net/core/somaxconn". As in sysctl(8) the first separator decides: "net/ipv4/conf/eth0.1/mtu"
--- has a dot of its own.
function M.path(name)
  local first = name:match("[./]")
  if first == "/" then return name end
  return (name:gsub("[./]", { ["."] = "/", ["/"] = "." }))
end

--- systemd-sysctl reads it when cards or modules come later.
local function sysctl_file(sysctls)
  local lines = {}
  for name, value in table_.sorted_pairs(sysctls) do lines[#lines + 1] = ("%s = %s\n"):format(M.path(name), value) end
  return table.concat(lines)
end

--- The lines of boot.sh, for the end of it: what commands of the user's load has parameters too.
---@return string[]
function M.lines(spec)
  local lines, later = {}, spec.image.os == "systemd" and "later" or nil
  for name, value in table_.sorted_pairs(spec.sysctls or {}) do
    lines[#lines + 1] = library.attempt("sysctl " .. name, "holos_set_parameter", M.path(name), value, later)
  end
  if spec.sysctls and spec.image.os == "systemd" then
    lines[#lines + 1] = library.attempt("sysctls", "holos_install", library.DIRECTORY .. "/sysctl.conf",
      "/run/sysctl.d/60-holos.conf", "644")
  end
  if spec.shm_size_bytes then
    lines[#lines + 1] = library.attempt("size of /dev/shm", "holos_resize_shm", spec.shm_size_bytes)
  end
  lines[#lines + 1] = watchdog.line(spec)
  return lines
end

--- What a service is to know.
---@return string[]
function M.warnings(service) return watchdog.warnings(service) end

---@return {name: string, data: string}[]
function M.files(spec)
  if not spec.sysctls or spec.image.os ~= "systemd" then return {} end
  return { { name = "holos/sysctl.conf", data = sysctl_file(spec.sysctls) } }
end

return M
