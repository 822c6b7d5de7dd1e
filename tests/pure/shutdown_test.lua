--- plan/shutdown: why a VM ended.

local shutdown = require "holos.plan.shutdown"

test("shutdown: the guest's own power-off, panics, signals and silence are told apart", function()
  equal({ shutdown.explain("guest-shutdown") }, { "powered off", "the guest powered off" })
  equal(shutdown.explain("guest-panic"), "panicked")
  equal(shutdown.explain("host-signal"), "terminated")
  equal({ shutdown.explain(nil) }, { "crashed", "QEMU ended without a word: it crashed or was killed" })
end)

test("shutdown: a cause of a later QEMU is passed on, without what a terminal could read", function()
  equal({ shutdown.explain("host-nap\27[2J") }, { "ended", "QEMU ended: host-nap??2J" })
  equal({ shutdown.explain(("x"):rep(1000)) }, { "ended", "QEMU ended: " .. ("x"):rep(40) })
end)

test("shutdown: orderly ends", function()
  equal({ shutdown.is_orderly("guest-shutdown"), shutdown.is_orderly("host-qmp-quit"), shutdown.is_orderly("guest-panic"),
    shutdown.is_orderly(nil) }, { true, true, false, false })
end)

test("shutdown: a watchdog's end is a failure that goes by its name", function()
  equal({ (shutdown.explain "watchdog"), shutdown.is_orderly "watchdog" }, { "watchdog", false })
end)

local UNHEARD = {
  { "nothing", "", "", "ended" },
  { "a power-off", "[ 1.0] a\r\n[ 2.0] reboot: Power down\r\n", "", "powered off", "guest-shutdown" },
  { "a power-off that is not the last word", "[ 2.0] reboot: Power down\r\nSeaBIOS\r\n", "", "ended" },
  { "a signal after the guest's last words", "[ 2.0] reboot: Power down\n", "qemu: terminating on signal 9 from pid 1\n",
    "terminated", "host-signal" },
}

for _, case in ipairs(UNHEARD) do
  test("shutdown: an end that nobody heard, and what is left of it: " .. case[1], function()
    local how, _, reason = shutdown.unheard(case[2], case[3])
    equal({ how, reason }, { case[4], case[5] })
  end)
end
