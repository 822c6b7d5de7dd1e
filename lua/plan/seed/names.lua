--- Names in a guest: its own, its cards', and those that it knows others by. Pure.
local hosts_ = require "holos.plan.hosts"
local library = require "holos.plan.seed.library"
local network = require "holos.plan.network"
local text = require "holos.core.text"

local M = {}

-- Our block replaces the old one, and only a whole one; everything else in the file stays as it is.
local HOSTS = [=[

holos_write_hosts() {
    holos_hosts=/run/holos/hosts
    : >"$holos_hosts"
    if [ -e /etc/hosts ]; then cat /etc/hosts >"$holos_hosts"; fi
    if grep -qx '# holos end' "$holos_hosts"; then sed -i '/^# holos begin$/,/^# holos end$/d' "$holos_hosts"; fi
    if ! grep -q '[[:space:]]localhost' "$holos_hosts"; then printf '127.0.0.1 localhost\n' >>"$holos_hosts"; fi
    cat "$holos_here/hosts" >>"$holos_hosts"
    cmp -s "$holos_hosts" /etc/hosts || cat "$holos_hosts" >/etc/hosts
}
]=]

local HOSTNAME = [[

holos_set_hostname() {
    if [ "$(cat /etc/hostname 2>/dev/null)" != "$1" ]; then printf '%s\n' "$1" >/etc/hostname; fi
    hostname "$1"
}
]]

-- A card that goes down keeps its addresses, and the routes that come with them.
local CARDS = [[

# holos_name_card MAC NAME
holos_name_card() {
    for holos_card in /sys/class/net/*; do
        holos_old=${holos_card##*/}
        if [ "$(cat "$holos_card/address")" = "$1" ]; then
            [ "$holos_old" != "$2" ] || return 0
            ip link set dev "$holos_old" down || return 1
            if ip link set dev "$holos_old" name "$2"; then holos_old=$2 holos_named=0; else holos_named=1; fi
            ip link set dev "$holos_old" up && return "$holos_named"
            return 1
        fi
    done
    echo "there is no card $1"
    return 1
}
]]

M.FUNCTIONS = HOSTS .. HOSTNAME .. CARDS

--- The lines of boot.sh. Other guests than plain ones have their own name, and those of their cards, by cloud-init.
---@return string[]
function M.lines(spec)
  local lines = {}
  if spec.image.os == "plain" then
    lines[1] = library.attempt("host name", "holos_set_hostname", spec.hostname)
    for _, nic in ipairs(spec.nics) do
      if nic.interface_name then
        lines[#lines + 1] = library.attempt("card " .. nic.interface_name, "holos_name_card", nic.mac:lower(), nic.interface_name)
      end
    end
  end
  lines[#lines + 1] = library.attempt("hosts", "holos_write_hosts")
  return lines
end

local function is_among(spec, hosts)
  for _, host in ipairs(hosts) do
    for _, name in ipairs(host.names) do
      if name == spec.hostname then return true end
    end
  end
  return false
end

--- holos/hosts: the block of /etc/hosts that holos keeps.
---@param all holos.Host[]  all instances of the project
function M.hosts(spec, all)
  local lines, hosts = { "# holos begin" }, hosts_.seen_by(spec.nics, all)
  -- Debian's way to have a host know its own name without a network (Debian Reference, 5.1.1); the first name of a
  -- line is the full one.
  if spec.domainname then
    lines[2] = ("127.0.1.1 %s.%s %s"):format(spec.hostname, spec.domainname, spec.hostname)
  elseif not is_among(spec, hosts) then
    lines[2] = "127.0.1.1 " .. spec.hostname
  end
  for _, host in ipairs(hosts) do lines[#lines + 1] = hosts_.line(host) end
  for _, host in ipairs(spec.extra_hosts or {}) do
    lines[#lines + 1] = (host.address == "host-gateway" and network.HOST_GATEWAY or host.address) .. " " .. host.name
  end
  lines[#lines + 1] = "# holos end"
  return table.concat(lines, "\n") .. "\n"
end

local UPDATE = [[
set -e
holos_here=/run/holos/told
mkdir -p "$holos_here"
printf '%%s' %s >"$holos_here/hosts"
%s
holos_write_hosts
]]

--- A script for root of a guest that runs: gives it the names as they are now. After a reboot of the guest alone it has
--- those of its launch again.
function M.update(spec, all)
  return UPDATE:format(text.shell_quote(M.hosts(spec, all)), HOSTS)
end

return M
