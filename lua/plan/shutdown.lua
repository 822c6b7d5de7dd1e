--- Why a VM ended, out of QMP's SHUTDOWN event. Pure.
local M = {}

--- How an end by the guest's own power-off is called.
M.POWERED_OFF = "powered off"

--- QAPI's ShutdownCause (qapi/run-state.json), and a watchdog, which ends QEMU without a word of that: what it
--- is called here, and a sentence for people.
local CAUSES = {
  ["guest-shutdown"] = { M.POWERED_OFF, "the guest powered off" },
  ["guest-reset"] = { "powered off", "the guest asked for a reset, which ends this VM" },
  ["guest-panic"] = { "panicked", "the guest's kernel panicked" },
  ["host-qmp-quit"] = { "ended", "holos or another client of its monitor ended it" },
  ["host-signal"] = { "terminated", "a signal ended QEMU; the guest was not shut down" },
  ["host-qmp-system-reset"] = { "ended", "a reset over its monitor ended it" },
  ["host-ui"] = { "ended", "a window of QEMU was closed" },
  ["host-error"] = { "failed", "QEMU met an error" },
  ["subsystem-reset"] = { "ended", "a device asked for a reset, which ends this VM" },
  ["snapshot-load"] = { "ended", "a snapshot was loaded" },
  ["watchdog"] = { "watchdog", "its watchdog ended it: the guest had not fed it for too long" },
  ["none"] = { "ended", "QEMU gave no reason" },
}

--- How a VM whose process is gone has ended. QEMU's exit status says nothing: it is 0 for a power-off and a signal.
---@param reason string?  of the SHUTDOWN event; nil when there was none
---@return string how   "powered off", "panicked", "terminated", "ended", "failed" or "crashed"
---@return string text  a sentence
function M.explain(reason)
  if reason == nil then return "crashed", "QEMU ended without a word: it crashed or was killed" end
  local known = CAUSES[reason]
  if known then return known[1], known[2] end
  return "ended", ("QEMU ended: %s"):format(tostring(reason):gsub("[^%w%-]", "?"):sub(1, 40))
end

-- What a Linux guest's kernel says last on its console, and QEMU when a signal ends it.
local POWER_DOWN, SIGNALLED = "reboot: Power down", "terminating on signal"

--- How a VM has ended that nobody listened to, by what it has left: nobody else knows.
---@param console string  the end of what its guest said on the console since its launch
---@param log string      the end of what QEMU said
---@return string how     as of explain; "ended" where nothing tells
---@return string text
---@return string? reason  QEMU's word for it, as far as it is known
function M.unheard(console, log)
  if log:find(SIGNALLED, 1, true) then
    return "terminated", "a signal ended QEMU while nobody listened: so its log says", "host-signal"
  end
  if (console:match("([^\n]*)%s*$")):find(POWER_DOWN, 1, true) then
    return M.POWERED_OFF, "the guest powered off while nobody listened: so its console says", "guest-shutdown"
  end
  return "ended", "it ended while nobody listened, so why is not known"
end

--- Whether the guest ended by its own will, so that an orderly end is not restarted as a failure.
function M.is_orderly(reason)
  return reason == "guest-shutdown" or reason == "host-qmp-quit"
end

return M
