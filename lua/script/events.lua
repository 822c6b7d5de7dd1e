--- The events that scripts can ask for with holos.on, in the order of a project's life. Pure: data.
---
--- Payloads: an instance's is {project, instance, service, index}; after the fact also `result` (words) and `took_ms`.
--- supervised: a supervisor tells of it, too, when it is the one who sees it; each time just one process tells.
return {
  { name = "plan.ready", kind = "filter", help = "the plan of up, plan and start, before anything is done" },
  { name = "volume.created", kind = "notice", help = "a volume's disk was made: {project, volume}" },
  { name = "instance.before_launch", kind = "veto", help = "an instance is about to be launched" },
  { name = "instance.launched", kind = "notice", supervised = true, help = "its QEMU runs" },
  { name = "instance.ready", kind = "notice", help = "it was waited for, and is what `result` says" },
  { name = "instance.before_stop", kind = "veto", help = "it is to be stopped; asked for all before anything is done" },
  { name = "instance.stopped", kind = "notice", help = "its QEMU has ended" },
  { name = "instance.removed", kind = "notice", help = "its directory was moved to the trash" },
  -- What a supervisor sees while no command is at it; the fields are those of `holos events`.
  { name = "instance.exited", kind = "notice", supervised = true,
    help = "it has ended and nobody stopped it: `how`, `text`; `restart_in_ms` where it is started again, `gave_up` where not" },
  { name = "instance.restarting", kind = "notice", supervised = true, help = "it is about to be started again: `attempt`" },
  { name = "instance.health", kind = "notice", supervised = true, help = "its checks say something else now: `status`, `text`" },
  { name = "instance.halted", kind = "notice", supervised = true,
    help = "its guest no longer runs, though QEMU lives: `state`, `text`" },
  { name = "instance.resumed", kind = "notice", supervised = true, help = "its guest goes on" },
  { name = "instance.reset", kind = "notice", supervised = true, help = "its guest has rebooted by itself, or by its watchdog" },
  { name = "instance.watchdog", kind = "notice", supervised = true, help = "its watchdog has run out" },
}
