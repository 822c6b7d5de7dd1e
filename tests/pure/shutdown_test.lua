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
