--- The part of boot.sh that lets the serial console log a user in by itself, as `console_login: autologin` asks. Pure.
--- What it sets up is in /run and gone with the next boot, but for openrc's inittab, which is put back when not wanted.
local library = require "holos.plan.seed.library"

local M = {}

-- plain guests: the image's own init looks for the file, see the contract in tests/vm/build-tiny.
M.FUNCTIONS = [[

# holos_console_systemd USER
holos_console_systemd() {
    mkdir -p /run/systemd/system/serial-getty@ttyS0.service.d
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin %s --noclear %%I $TERM\n' "$1" \
        >/run/systemd/system/serial-getty@ttyS0.service.d/holos.conf
    systemctl daemon-reload && systemctl --no-block restart serial-getty@ttyS0.service
}

# holos_console_openrc LINE: sets what init runs on the console.
holos_console_openrc() {
    [ -e /etc/inittab ] || return 0
    if grep -qxF "$1" /etc/inittab; then return 0; fi
    sed -i '/^#*ttyS0:/d' /etc/inittab && printf '%s\n' "$1" >>/etc/inittab && kill -HUP 1
}

holos_console_openrc_login() {
    printf '#!/bin/sh\nexec /bin/login -f %s\n' "$1" >/run/holos/console-login && chmod 700 /run/holos/console-login
    holos_console_openrc 'ttyS0::respawn:/sbin/getty -n -l /run/holos/console-login -L 115200 ttyS0 vt100'
}

holos_console_openrc_none() {
    if grep -q '^ttyS0:.*/run/holos/console-login' /etc/inittab 2>/dev/null; then
        holos_console_openrc 'ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100'
    fi
}

holos_console_plain() { : >/run/holos/console-login; }
]]

local COMMANDS = {
  systemd = { autologin = "holos_console_systemd" },
  openrc = { autologin = "holos_console_openrc_login", none = "holos_console_openrc_none" },
  plain = { autologin = "holos_console_plain" },
}

--- The line of boot.sh, nil where there is nothing to do.
function M.line(spec)
  local command = COMMANDS[spec.image.os][spec.console_login or "none"]
  return command and "holos_attempt " .. library.words { "console login", command, spec.user }
end

return M
