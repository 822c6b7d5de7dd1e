--- The part of boot.sh that has a guest feed its watchdog, as `vm.watchdog` asks. Pure.
--- A guest that ends or starts again disarms it; until it is fed for the first time it waits.
local library = require "holos.plan.seed.library"

local M = {}

--- How long a guest may be stuck.
M.TIMEOUT_S = 60
local FEED_S = 15

-- Kernels of cloud images may have no driver for the device. Then their own timer watches what runs above the kernel, and
-- ends in a panic, which the host hears of.
local SOFT = { pause = "soft_panic=1", poweroff = "soft_panic=1", reset = "soft_panic=0" }

local FUNCTIONS = [[

# holos_watchdog_device : its node. There may be others, which the kernel had first.
holos_watchdog_device() {
    for holos_dog in /sys/class/watchdog/watchdog*; do
        case $(cat "$holos_dog/identity" 2>/dev/null) in
            i6300ESB* | "Software Watchdog")
                echo "/dev/${holos_dog##*/}"
                return
                ;;
        esac
    done
    [ -c /dev/watchdog ] && echo /dev/watchdog
}

# holos_watchdog_driver SECONDS PARAMETER : PARAMETER is for the kernel's own timer.
holos_watchdog_driver() {
    if modprobe i6300esb "heartbeat=$1"; then return 0; fi
    modprobe softdog "soft_margin=$1" "$2" || return 1
    holos_report "log this kernel has no driver for its watchdog device (i6300esb); a timer of its own watches instead"
}

# systemd feeds the first one, until it is told of another and started anew.
holos_watchdog_systemd() {
    mkdir -p /run/systemd/system.conf.d
    printf '[Manager]\nRuntimeWatchdogSec=%s\nWatchdogDevice=%s\n' "$1" "$2" >/run/systemd/system.conf.d/50-holos-watchdog.conf
    if [ "$2" = /dev/watchdog0 ]; then systemctl daemon-reload; else systemctl daemon-reexec; fi
}

holos_watchdog_shell() {
    exec 9>"$1" || return
    while printf . >&9 && sleep "$2"; do :; done
}

# holos_watchdog_feed SECONDS DEVICE EVERY
holos_watchdog_feed() {
    if busybox watchdog --help >/dev/null 2>&1; then
        busybox watchdog -T "$1" -t "$3" "$2"
    else
        holos_watchdog_shell "$2" "$3" &
    fi
}

# holos_watchdog systemd|other SECONDS EVERY PARAMETER
holos_watchdog() {
    holos_watchdog_driver "$2" "$4" || return
    holos_dog=$(holos_watchdog_device) || return
    if [ "$1" = systemd ]; then holos_watchdog_systemd "$2" "$holos_dog"; else holos_watchdog_feed "$2" "$holos_dog" "$3"; fi
}
]]

local function is_wanted(spec) return spec.vm and spec.vm.watchdog end

--- What the line calls.
function M.functions(spec) return is_wanted(spec) and FUNCTIONS or "" end

--- The line of boot.sh, nil where there is nothing to feed.
function M.line(spec)
  local action = is_wanted(spec)
  if not action then return nil end
  local feeder = spec.image.os == "systemd" and "systemd" or "other"
  return library.attempt("watchdog", "holos_watchdog", feeder, M.TIMEOUT_S, FEED_S, SOFT[action])
end

--- What a service that only pauses is to know.
---@return string[]
function M.warnings(service)
  local restart = service.restart
  if (service.vm or {}).watchdog ~= "pause" or restart and restart.policy ~= "no" then return {} end
  return { ("%s: a guest that its watchdog pauses stays paused, as nothing restarts it: set restart: on-failure, or vm.watchdog: "
    .. "reset"):format(service.name) }
end

return M
